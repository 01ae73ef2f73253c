/**
 * Calls that go on when the agent does not. containerd takes back what it is starting when its caller's connection ends:
 * a container that had begun to run is killed. So these calls travel over a relay (native/relay.c), a process of its own
 * that holds the connection open until they are answered. One connection and one relay carry them all; they are made
 * on first need, and made anew when either end of the relay went away. See docs/decisions/0013.
 *
 * The relay is a safeguard, not a condition: where it cannot be had the calls are made directly.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Logger } from '../../src/log.ts';
import { longestTimerMs } from '../../src/timers.ts';
import { type CallOptions, type Connection, socketPath } from './connection.ts';
import { callName, cancelled, runtimeError } from './errors.ts';
import { GrpcError, lateDetails, type Method, statusCodes, unaryCall } from './grpc/call.ts';
import { type Http2Client, http2Client } from './grpc/http2.ts';

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
  let opening: Promise<Http2Client | undefined> | undefined;
  let isMissed = false;

  const miss = (err: unknown) => {
    if (!isMissed) log.warn({ err, relayPath }, 'starts in containers do not outlive the agent: no relay');
    isMissed = true;
  };

  const open = async (): Promise<Http2Client | undefined> => {
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

  const session = async (): Promise<Http2Client | undefined> => {
    for (;;) {
      opening ??= open();
      const attempt = opening;
      const opened = await attempt;
      if (opened?.takesRequests) return opened;
      if (opening === attempt) opening = undefined;
      if (opened === undefined) return undefined;
    }
  };

  return {
    async call(method, request, callOptions) {
      const name = callName(method.path);
      const { signal: caller } = callOptions;
      try {
        const relayed = await inTime(session(), callOptions);
        if (relayed === undefined) return await connection.call(method, request, callOptions);
        return await relayedCall(relayed, method, request, callOptions, life);
      } catch (error) {
        if (caller?.aborted) throw cancelled(name, caller.reason);
        throw error instanceof GrpcError ? runtimeError(error, name, connection.endpoint) : error;
      }
    },
  };
}

/** The same as the promise, unless the call's time is over first. */
async function inTime<T>(promise: Promise<T>, { timeoutMs, signal: caller }: CallOptions): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(caller?.reason);
  const onLate = () => reject(new GrpcError({ code: statusCodes.deadlineExceeded, details: lateDetails }));
  if (caller?.aborted) onAbort();
  caller?.addEventListener('abort', onAbort, { once: true });
  const timer = timeoutMs === undefined ? undefined : setTimeout(onLate, Math.min(timeoutMs, longestTimerMs));
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener('abort', onAbort);
  }
}

/** Undefined when the runtime does not listen. @throws when there is no relay for another reason */
async function startRelay(
  path: string,
  args: string[],
  life: AbortSignal | undefined,
): Promise<Http2Client | undefined> {
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
  socket.unref();
  socket.once('close', () => life?.removeEventListener('abort', leave));
  const client = http2Client(socket);
  return Promise.race([client.ready.then(() => client), ended]);
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

/** An agent that ends lets its starts be; one whose pod is to end waits a while before it takes a start back. */
async function relayedCall<Request, Response>(
  client: Http2Client,
  method: Method<Request, Response>,
  request: Request,
  { timeoutMs, signal: caller }: CallOptions,
  life: AbortSignal | undefined,
): Promise<Response> {
  const call = unaryCall(client, method, request, timeoutMs);
  const { promise: abandoned, reject: abandon } = Promise.withResolvers<never>();
  let patience: NodeJS.Timeout | undefined;
  const onAbort = () => {
    if (life?.aborted) abandon(caller?.reason);
    else patience = setTimeout(call.cancel, takeBackAfterMs);
  };
  if (caller?.aborted) onAbort();
  caller?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([call.answer, abandoned]);
  } finally {
    clearTimeout(patience);
    caller?.removeEventListener('abort', onAbort);
  }
}

/**
 * How long a start is waited for that its caller gives up, because the pod is to end. A runtime is at its worst when it has
 * to take a start back: containerd 2 leaves shims behind, 1.6 a container that cannot be removed for a while.
 */
const takeBackAfterMs = 5000;
