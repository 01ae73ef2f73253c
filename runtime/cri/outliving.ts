/**
 * Calls that go on when the agent does not. containerd takes back what it is starting when its caller's connection ends:
 * a container that had begun to run is killed. So these calls travel over a relay (native/relay.c), a process of its own
 * that holds the connection open until they are answered. One connection and one relay carry them all; they are made
 * on first need, and made anew when either end of the relay went away. See docs/decisions/0013.
 *
 * The relay is a safeguard, not a condition: where it cannot be had the calls are made directly.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Logger } from '../../src/log.ts';
import { type CallOptions, type Connection, socketPath } from './connection.ts';
import { callName, cancelled, runtimeError } from './errors.ts';
import type { Method } from './methods.ts';

export interface OutlivingOptions {
  /** The program roslet-cri-relay. */
  relayPath: string;
  /** The direct way, for when there is no relay. */
  connection: Connection;
  /** How long the relay waits for answers at most. */
  patienceMs: number;
  /** The agent's life: its end is no reason to take a call back. */
  signal?: AbortSignal | undefined;
  log: Logger;
}

export function outlivingCalls(options: OutlivingOptions): Pick<Connection, 'call'> {
  const { relayPath, connection, log, signal: life } = options;
  let opening: Promise<ClientHttp2Session | undefined> | undefined;
  let isMissed = false;

  const miss = (err: unknown) => {
    if (!isMissed) log.warn({ err, relayPath }, 'starts in containers do not outlive the agent: no relay');
    isMissed = true;
  };

  const open = async (): Promise<ClientHttp2Session | undefined> => {
    const args = [socketPath(connection.endpoint), String(Math.ceil(options.patienceMs / 1000))];
    try {
      const session = await startRelay(relayPath, args, life);
      if (session !== undefined) isMissed = false;
      return session;
    } catch (err) {
      miss(err);
      return undefined;
    }
  };

  const session = async (): Promise<ClientHttp2Session | undefined> => {
    for (;;) {
      opening ??= open();
      const attempt = opening;
      const opened = await attempt;
      if (opened !== undefined && !opened.closed && !opened.destroyed) return opened;
      if (opening === attempt) opening = undefined;
      if (opened === undefined) return undefined;
    }
  };

  return {
    async call(method, request, callOptions) {
      const limit = limitOf(callName(method.path), connection.endpoint, callOptions);
      const relayed = await limit.keep(session());
      if (relayed === undefined) return connection.call(method, request, callOptions);
      return unaryCall(relayed, connection.endpoint, method, request, limit, life);
    },
  };
}

/** The end of a call's time, by its own limit or by its caller. */
interface Limit {
  timeoutMs: number | undefined;
  signal: AbortSignal;
  /** By its own limit, not by its caller. */
  isOver(): boolean;
  /** What the call then fails with. */
  failure(): Error;
  /** The same as the promise, unless the time is over first. */
  keep<T>(promise: Promise<T>): Promise<T>;
}

function limitOf(name: string, endpoint: string, { timeoutMs, signal: caller }: CallOptions): Limit {
  const signals = [caller, timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)];
  const signal = AbortSignal.any(signals.filter((one) => one !== undefined));
  const failure = () =>
    caller?.aborted
      ? cancelled(name, caller.reason)
      : runtimeError(
          { code: deadlineExceeded, details: 'Deadline exceeded after the time given' },
          name,
          endpoint,
        );
  return {
    timeoutMs,
    signal,
    isOver: () => caller?.aborted !== true,
    failure,
    keep: (promise) =>
      new Promise((resolve, reject) => {
        const onAbort = () => reject(failure());
        if (signal.aborted) onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
      }),
  };
}

/** Undefined when the runtime does not listen. @throws when there is no relay for another reason */
async function startRelay(
  path: string,
  args: string[],
  life: AbortSignal | undefined,
): Promise<ClientHttp2Session | undefined> {
  const { connect } = await import('node:http2');
  // A session of its own, so that no signal meant for the agent's reaches it.
  const relay = spawn(path, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: {},
    cwd: '/',
  });
  relay.unref();
  const ended = endOf(relay);
  ended.catch(() => undefined);
  const socket = relay.stdio?.[3] as Socket | undefined;
  if (relay.pid === undefined || socket === undefined) {
    socket?.destroy();
    return ended;
  }
  // The agent's end closes the socket and says nothing more on it, as if the agent had been killed.
  const leave = () => socket.destroy();
  life?.addEventListener('abort', leave, { once: true });
  const session = connect('http://localhost', { createConnection: () => socket });
  session.unref();
  // What befalls the connection each call is told of by its own stream.
  session.on('error', () => undefined);
  session.once('close', () => {
    life?.removeEventListener('abort', leave);
    socket.destroy();
  });
  const answers = new Promise<ClientHttp2Session>((resolve) => {
    session.once('remoteSettings', () => resolve(session));
  });
  return Promise.race([answers, ended]);
}

const noRuntimeExitCode = 1;

/** Resolves when the relay ended because nobody listens, rejects when for another reason. */
const endOf = (relay: ChildProcess): Promise<undefined> =>
  new Promise((resolve, reject) => {
    relay.once('error', reject);
    relay.once('exit', (code, signal) => {
      if (code === noRuntimeExitCode) resolve(undefined);
      else reject(new Error(`the relay ended with ${code ?? signal}`));
    });
  });

/** gRPC over HTTP/2, as far as a call with one request and one answer needs it. */
function unaryCall<Request, Response>(
  session: ClientHttp2Session,
  endpoint: string,
  method: Method<Request, Response>,
  request: Request,
  limit: Limit,
  life: AbortSignal | undefined,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': method.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(limit.timeoutMs === undefined ? {} : { 'grpc-timeout': `${Math.ceil(limit.timeoutMs)}m` }),
    });
    const chunks: Buffer[] = [];
    let told: IncomingHttpHeaders = {};
    let failure: Error | undefined;
    let patience: NodeJS.Timeout | undefined;
    const takeBack = () => {
      stream.close(cancelCode);
      reject(limit.failure());
    };
    const onLimit = () => {
      // An agent that ends lets its starts be.
      if (life?.aborted) reject(limit.failure());
      else if (limit.isOver()) takeBack();
      else patience = setTimeout(takeBack, takeBackAfterMs);
    };
    limit.signal.addEventListener('abort', onLimit, { once: true });
    stream.on('response', (headers) => {
      told = headers;
    });
    stream.on('trailers', (trailers) => {
      told = { ...told, ...trailers };
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => {
      failure = error;
    });
    stream.once('close', () => {
      clearTimeout(patience);
      limit.signal.removeEventListener('abort', onLimit);
      const fail = (code: number, details: string) =>
        reject(runtimeError({ code, details }, callName(method.path), endpoint));
      const status = told['grpc-status'];
      if (status === undefined) fail(unavailable, failure?.message ?? 'the connection ended');
      else if (status !== '0') fail(Number(status), decodeMessage(told['grpc-message']));
      else resolve(method.decode(Buffer.concat(chunks).subarray(prefixBytes)));
    });
    stream.end(message(method.encode(request)));
  });
}

/**
 * How long a start is waited for that its caller gives up, because the pod is to end. A runtime is at its worst when it has
 * to take a start back: containerd 2 leaves shims behind, 1.6 a container that cannot be removed for a while.
 */
const takeBackAfterMs = 5000;

const cancelCode = 8;
const deadlineExceeded = 4;
const unavailable = 14;
/** Whether it is compressed (never, nobody asked for it), and its length. */
const prefixBytes = 5;

function message(body: Buffer): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

function decodeMessage(text: string | string[] | undefined): string {
  const encoded = String(text ?? '');
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
