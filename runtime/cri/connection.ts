/**
 * Calls to a runtime over its unix socket. They fail at once with `Unavailable` while nobody listens there, and work again
 * as soon as somebody does; nothing has to be reopened. Every call can be cancelled.
 *
 * Calls with many answers have a socket of their own. A write to a runtime that was killed fails at once, and Node closes the
 * socket with what is still unread in it; to that one hardly anything is written while answers come, so that all are read, such
 * as how a container ended just before.
 */
import { connect as connectSocket } from 'node:net';
import { RuntimeError } from '../runtime.ts';
import { callName, cancelled, runtimeError } from './errors.ts';
import { type GrpcCall, GrpcError, type Method, streamCall, unaryCall } from './grpc/call.ts';
import { type Http2Client, http2Client } from './grpc/http2.ts';

export interface CallOptions {
  /** Undefined: as long as it takes. */
  timeoutMs: number | undefined;
  signal?: AbortSignal | undefined;
  /** On the socket of the calls with many answers: that this one is answered shows that the runtime has got those. */
  behindStreams?: boolean;
}

export interface Connection {
  readonly endpoint: string;
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response>;
  /** A call with many answers. Settles when the runtime ends it; fails like `call`. */
  stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    signal: AbortSignal,
    onMessage: (message: Response) => void,
  ): Promise<void>;
  /** What is under way is not taken back. */
  close(): void;
}

export function connect(endpoint: string): Connection {
  const path = socketPath(endpoint);
  const ofCalls = keptClient(path);
  const ofStreams = keptClient(path);
  let isClosed = false;

  async function untilAborted<Answer>(
    method: { readonly path: string },
    signal: AbortSignal | undefined,
    start: () => GrpcCall<Answer>,
  ): Promise<Answer> {
    const name = callName(method.path);
    if (signal?.aborted || isClosed) throw cancelled(name, signal?.reason);
    const call = start();
    signal?.addEventListener('abort', call.cancel, { once: true });
    try {
      return await call.answer;
    } catch (error) {
      if (signal?.aborted) throw cancelled(name, signal.reason);
      throw error instanceof GrpcError ? runtimeError(error, name, endpoint) : error;
    } finally {
      signal?.removeEventListener('abort', call.cancel);
    }
  }

  return {
    endpoint,
    call: (method, request, { timeoutMs, signal, behindStreams = false }) =>
      untilAborted(method, signal, () =>
        unaryCall((behindStreams ? ofStreams : ofCalls).open(), method, request, timeoutMs),
      ),
    stream: (method, request, signal, onMessage) =>
      untilAborted(method, signal, () => streamCall(ofStreams.open(), method, request, undefined, onMessage)),
    close() {
      isClosed = true;
      ofCalls.close();
      ofStreams.close();
    },
  };
}

/** Opened when it is needed, and anew when it has ended. */
function keptClient(path: string) {
  let current: Http2Client | undefined;
  return {
    open(): Http2Client {
      if (!current?.takesRequests) current = http2Client(connectSocket(path));
      return current;
    },
    close: () => current?.close(),
  };
}

/** `unix:///run/containerd/containerd.sock`, or the bare path. */
export function socketPath(endpoint: string): string {
  const path = endpoint.replace(/^unix:(\/\/)?(?=\/)/, '');
  if (!path.startsWith('/')) {
    throw new RuntimeError(
      'InvalidArgument',
      `The runtime endpoint ${JSON.stringify(endpoint)} is not a unix socket: write unix:///path/to/runtime.sock`,
    );
  }
  return path;
}
