/** Requests to the agent over its socket: JSON answers, streams, and its refusals as errors. */
import { type IncomingMessage, request } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import type { ObjectMeta, Status } from '../api/core.gen.ts';
import { ApiRefusal, CliError, connectError, goneError } from './errors.ts';
import { visible } from './visible.ts';

export interface Client {
  readonly socketPath: string;
  /** The JSON answer. @throws ApiRefusal, CliError */
  json<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T>;
  /** The answer's body as it comes. Reading it throws a CliError when the agent goes away. */
  stream(path: string): Promise<AsyncIterable<Buffer>>;
  /** Lists, then follows the changes for ever; lists anew when the past is not known any more. */
  watch<T extends { metadata?: ObjectMeta }>(
    path: string,
    query: Record<string, string>,
  ): AsyncGenerator<WatchEvent<T>>;
}

/** `SYNC` tells that all of the present was sent as ADDED. */
export type WatchEvent<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T } | { type: 'SYNC' };

export function createClient(socketPath: string, signal: AbortSignal): Client {
  async function send(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers =
        text === undefined
          ? {}
          : {
              'Content-Type': contentType ?? 'application/json',
              // Said aloud: Node frames no body of a DELETE by itself.
              'Content-Length': Buffer.byteLength(text),
            };
      const sent = request({ socketPath, method, path, headers, signal, agent: false }, resolve);
      sent.on('error', (err) => reject(signal.aborted ? err : connectError(socketPath, err)));
      sent.end(text);
    });
    if ((response.statusCode ?? 500) >= 400)
      throw refusal(await readText(bodyOf(response)), response.statusCode ?? 500);
    return response;
  }

  /** An agent that is stopped or killed cuts what it was telling. */
  async function* bodyOf(response: IncomingMessage): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
    } catch (err) {
      throw signal.aborted ? err : goneError(socketPath, err);
    }
  }

  async function json<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T> {
    const response = await send(method, path, body, contentType);
    for (const text of warningsOf(response)) process.stderr.write(visible(`Warning: ${text}\n`));
    return JSON.parse(await readText(bodyOf(response))) as T;
  }

  async function* changes<T>(path: string, query: Record<string, string>): AsyncGenerator<RawEvent<T>> {
    const response = await send(
      'GET',
      withQuery(path, { ...query, watch: 'true', allowWatchBookmarks: 'true' }),
    );
    for await (const line of linesOf(bodyOf(response))) yield JSON.parse(line) as RawEvent<T>;
  }

  async function* watch<T extends { metadata?: ObjectMeta }>(
    path: string,
    query: Record<string, string>,
  ): AsyncGenerator<WatchEvent<T>> {
    const list = await json<{ items: T[]; metadata: { resourceVersion: string } }>(
      'GET',
      withQuery(path, query),
    );
    for (const object of list.items) yield { type: 'ADDED', object };
    yield { type: 'SYNC' };
    let { resourceVersion } = list.metadata;
    for (;;) {
      for await (const { type, object } of changes<T>(path, { ...query, resourceVersion })) {
        if (type === 'ERROR') throw new CliError((object as Status).message ?? 'the agent ended the watch');
        resourceVersion = (object as T).metadata?.resourceVersion ?? resourceVersion;
        if (type !== 'BOOKMARK') yield { type, object: object as T };
      }
      if (signal.aborted) return;
    }
  }

  return {
    socketPath,
    json,
    watch,
    stream: async (path) => bodyOf(await send('GET', path)),
  };
}

interface RawEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T | Status;
}

/** Parameters that are '' are left out. */
export function withQuery(path: string, query: Record<string, string>): string {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  return parameters.size > 0 ? `${path}?${parameters}` : path;
}

/** `/api/v1/namespaces/<namespace>/<resource>`; an undefined namespace means all. */
export function resourcePath(resource: string, namespace?: string, name?: string): string {
  const parts = [
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    resource,
    ...(name ? [name] : []),
  ];
  return `/api/v1/${parts.map(encodeURIComponent).join('/')}`;
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

export function refusal(text: string, code: number): ApiRefusal {
  const status = parseStatus(text);
  return new ApiRefusal(
    status?.message ?? (text.trim() || `the agent answered ${code}`),
    status?.reason ?? '',
    code,
  );
}

function parseStatus(text: string): Status | undefined {
  try {
    const value = JSON.parse(text) as Status | null;
    return value?.kind === 'Status' ? value : undefined;
  } catch {
    // Not every refusal is a Status: /healthz answers plain text, which is then shown as it is.
    return undefined;
  }
}

function warningsOf(response: IncomingMessage): string[] {
  const lines = response.headersDistinct.warning ?? [];
  return lines.map((line) => /^299 \S+ "(.*)"$/.exec(line)?.[1]?.replace(/\\(.)/g, '$1') ?? line);
}
