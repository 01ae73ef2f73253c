/**
 * A small client of the Kubernetes API: typed requests and watches in JSON, failures as errors that say what the server
 * said. It decides nothing: who calls it tries again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Status } from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';
import { untilAborted } from '../until-aborted.ts';
import { type ApiConnection, apiConnection, type WireAnswer } from './connection.ts';
import { ApiStatusError, ApiUnreachableError } from './errors.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import type { Turn } from './rate-limit.ts';

export interface ApiRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As `apiPath` makes it. */
  path: string;
  query?: Query;
  body?: unknown;
  contentType?: string;
  /** From the request's turn until the whole answer is there. */
  timeoutMs?: number;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

export interface ApiResource {
  /** None: the core group. */
  group?: string;
  version?: string;
  resource: string;
  namespace?: string;
  name?: string;
  subresource?: string;
}

const strategicMergePatch = 'application/strategic-merge-patch+json';

export class KubeClient {
  /** For messages. */
  readonly server: string;
  readonly #connection: ApiConnection;
  readonly #access: ClusterAccess;
  readonly #userAgent: string;
  readonly #turn: Turn | undefined;

  /** @param turn of every request; undefined: at once */
  constructor(
    access: ClusterAccess,
    userAgent: string,
    turn?: Turn,
    connection: ApiConnection = apiConnection(access),
  ) {
    this.server = access.server.origin;
    this.#access = access;
    this.#connection = connection;
    this.#userAgent = userAgent;
    this.#turn = turn;
  }

  /** Over the same connection, for requests that must not wait behind others: the node's signs of life. */
  urgent(): KubeClient {
    return new KubeClient(this.#access, this.#userAgent, undefined, this.#connection);
  }

  /** @throws ApiStatusError, ApiUnreachableError, or the signal's reason */
  async request<T>(request: ApiRequest, signal: AbortSignal): Promise<T> {
    const { timeoutMs = requestMs } = request;
    await this.#turn?.(signal);
    return within(timeoutMs, signal, nameOf(request), async (limit) => {
      const answer = await this.#send(request, limit);
      const text = await readAll(answer);
      if (answer.status >= 400) throw this.#failure(request, answer, text);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    });
  }

  get<T>(path: string, signal: AbortSignal, query?: Query): Promise<T> {
    return this.request<T>({ path, ...(query === undefined ? {} : { query }) }, signal);
  }

  create<T>(path: string, body: unknown, signal: AbortSignal): Promise<T> {
    return this.request<T>({ method: 'POST', path, body }, signal);
  }

  patch<T>(path: string, body: unknown, signal: AbortSignal, contentType = strategicMergePatch): Promise<T> {
    return this.request<T>({ method: 'PATCH', path, body, contentType }, signal);
  }

  delete(path: string, options: unknown, signal: AbortSignal): Promise<unknown> {
    return this.request({ method: 'DELETE', path, body: options }, signal);
  }

  /**
   * The events of a watch, as many at once as came at once, until the server ends it.
   * @param timeoutSeconds after which the server is to end it, and we when it does not
   */
  async *watch<T>(
    path: string,
    query: Query,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>[]> {
    const request: ApiRequest = { path, query: { ...query, watch: true, timeoutSeconds } };
    await this.#turn?.(signal);
    const ending = new AbortController();
    const end = () => ending.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    const timer = setTimeout(end, timeoutSeconds * 1000 + requestMs);
    try {
      signal.throwIfAborted();
      const answer = await within(requestMs, ending.signal, nameOf(request), async (limit) => {
        const head = await this.#send(request, limit, ending.signal);
        if (head.status >= 400) throw this.#failure(request, head, await readAll(head));
        return head;
      });
      yield* eventsOf<T>(answer);
    } catch (error) {
      if (signal.aborted || error instanceof ApiStatusError || error instanceof ApiUnreachableError)
        throw error;
      throw new ApiUnreachableError(`${nameOf(request)}: cut off: ${messageOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      ending.abort();
    }
  }

  /**
   * Waits for the next try of what failed; ends early without an error when the signal aborts. While the server is out
   * of reach tries grow rare: once it is reached again, whoever found out, all go on.
   */
  async untilRetry(ms: number, signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const end = this.#connection.onRegained(() => {
      timer ??= setTimeout(() => waking.abort(), Math.random() * regainedMs);
    });
    await pause(ms, AbortSignal.any([signal, waking.signal]));
    clearTimeout(timer);
    end();
  }

  close(): void {
    this.#connection.close();
  }

  /** @param lasting ends also the body; `limit` only the wait for the head */
  async #send(
    { method = 'GET', path, query, body, contentType = 'application/json' }: ApiRequest,
    limit: AbortSignal,
    lasting: AbortSignal = limit,
  ): Promise<WireAnswer> {
    const sent = this.#connection.request(
      {
        method,
        path: path + queryText(query),
        headers: {
          accept: 'application/json',
          'user-agent': this.#userAgent,
          ...(body === undefined ? {} : { 'content-type': contentType }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      lasting,
    );
    return limit === lasting ? sent : untilAborted(sent, limit);
  }

  #failure(request: ApiRequest, { status: code, headers }: WireAnswer, text: string): ApiStatusError {
    // Perhaps the credentials were renewed: the next request shows those of now.
    if (code === 401) {
      this.#access.refused();
      this.#connection.renew();
    }
    const seconds = Number(headers['retry-after']);
    return new ApiStatusError(
      { ...statusIn(text), code },
      nameOf(request),
      Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
    );
  }
}

export function apiPath(at: ApiResource): string {
  const { group, version = 'v1', resource, namespace, name, subresource } = at;
  const parts = [
    ...(group === undefined ? ['api', version] : ['apis', group, version]),
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    resource,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/** Doubles from `initialMs` to `maxMs`, jittered so that a fleet does not come back in step. */
export function retryDelayMs(
  failures: number,
  error: unknown,
  { initialMs, maxMs }: { initialMs: number; maxMs: number },
): number {
  const ms = Math.min(initialMs * 2 ** Math.min(failures - 1, 20), maxMs) * (0.5 + Math.random());
  return Math.max(ms, (error instanceof ApiStatusError ? error.retryAfterMs : undefined) ?? 0);
}

/** Waits; ends early without an error when the signal aborts. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined);

const requestMs = 30_000;
/** All that waited need not come at the same instant. */
const regainedMs = 500;

async function within<T>(
  timeoutMs: number,
  signal: AbortSignal,
  what: string,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const abort = () => limit.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    limit.abort(new Error('too late'));
  }, timeoutMs);
  try {
    return await work(limit.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (late) throw new ApiUnreachableError(`${what}: no answer within ${timeoutMs / 1000} s`);
    if (error instanceof ApiStatusError || error instanceof ApiUnreachableError) throw error;
    throw new ApiUnreachableError(`${what}: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

async function readAll({ body }: WireAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(body)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function* eventsOf<T>({ body }: WireAnswer): AsyncGenerator<WatchEvent<T>[]> {
  let rest: Buffer[] = [];
  for await (const chunk of chunksOf(body)) {
    const end = chunk.lastIndexOf(newline);
    if (end < 0) {
      rest.push(chunk);
      continue;
    }
    const lines = Buffer.concat([...rest, chunk.subarray(0, end)]).toString('utf8');
    rest = [chunk.subarray(end + 1)];
    yield lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as WatchEvent<T>);
  }
}

/**
 * The body to its end. Node's own iterator takes one for cut off that came as a whole before anybody read of it, as on a
 * busy machine; and one that was cut off can end like one that is complete.
 */
async function* chunksOf(body: WireAnswer['body']): AsyncGenerator<Buffer> {
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const look = () => wake?.();
  body.on('readable', look).on('end', look).on('close', look);
  body.on('error', (error: Error) => {
    failure = error;
    look();
  });
  try {
    while (!body.readableEnded) {
      if (failure !== undefined) throw failure;
      if (body.destroyed) break;
      const chunk = body.read() as Buffer | null;
      if (chunk !== null) yield chunk;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (!body.readableEnded || body.aborted || (body.rstCode ?? 0) !== 0)
      throw new Error('the answer was cut off');
  } finally {
    body.destroy();
  }
}

const newline = 0x0a;

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.set(name, `${value}`);
  return parameters.size === 0 ? '' : `?${parameters}`;
}

function statusIn(text: string): Partial<Status> {
  try {
    const value = JSON.parse(text) as Partial<Status>;
    return value?.kind === 'Status' ? value : { message: text.slice(0, 200) };
  } catch {
    // A proxy in between, or an answer of the server before it knows more.
    return { message: text.trim().slice(0, 200) };
  }
}

const nameOf = ({ method = 'GET', path }: ApiRequest): string => `${method} ${path}`;
