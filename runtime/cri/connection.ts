/**
 * One gRPC channel to a runtime's unix socket. Calls fail at once with `Unavailable` while nobody listens there, and
 * work again within a second after somebody does; nothing has to be reopened. Every call can be cancelled.
 */
import type { Client, ServiceError } from '@grpc/grpc-js';
import { RuntimeError } from '../runtime.ts';
import { callName, cancelled, runtimeError } from './errors.ts';
import type { Method } from './methods.ts';

export interface CallOptions {
  /** Undefined: as long as it takes. */
  timeoutMs: number | undefined;
  signal?: AbortSignal | undefined;
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
  close(): void;
}

/** Two streams of 16 MiB and what surrounds them: the largest ExecSync answer. */
const maxMessageBytes = 48 * 1024 * 1024;

/** grpc-js is imported here, on first need: it costs about 12 MB, which an agent without a CRI runtime saves. */
export async function connect(endpoint: string): Promise<Connection> {
  const path = socketPath(endpoint);
  const { Client: GrpcClient, credentials, Metadata } = await import('@grpc/grpc-js');
  const client: Client = new GrpcClient(`unix://${path}`, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 400,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
  });

  return {
    endpoint,

    call: (method, request, { timeoutMs, signal }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(cancelled(callName(method.path), signal.reason));
          return;
        }
        const onAbort = () => call.cancel();
        const deadlineMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
        const call = client.makeUnaryRequest(
          method.path,
          method.encode,
          method.decode,
          request,
          new Metadata(),
          { deadline: deadlineMs },
          (error, response) => {
            signal?.removeEventListener('abort', onAbort);
            if (signal?.aborted) reject(cancelled(callName(method.path), signal.reason));
            else if (error)
              reject(runtimeError(atDeadline(error, deadlineMs), callName(method.path), endpoint));
            else if (response === undefined)
              reject(new RuntimeError('Unknown', `${callName(method.path)}: no answer`));
            else resolve(response);
          },
        );
        signal?.addEventListener('abort', onAbort, { once: true });
      }),

    stream: (method, request, signal, onMessage) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(cancelled(callName(method.path), signal.reason));
          return;
        }
        const call = client.makeServerStreamRequest(
          method.path,
          method.encode,
          method.decode,
          request,
          new Metadata(),
          {},
        );
        const onAbort = () => call.cancel();
        signal.addEventListener('abort', onAbort, { once: true });
        call.on('data', onMessage);
        call.once('end', () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        call.once('error', (error: ServiceError) => {
          signal.removeEventListener('abort', onAbort);
          if (signal.aborted) reject(cancelled(callName(method.path), signal.reason));
          else reject(runtimeError(error, callName(method.path), endpoint));
        });
      }),

    close: () => client.close(),
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

/** The server knows the deadline too, and may drop the call a moment before our own timer ends it. */
function atDeadline(error: ServiceError, deadlineMs: number): Pick<ServiceError, 'code' | 'details'> {
  const cancelledCode = 1;
  const deadlineExceededCode = 4;
  const slackMs = 20;
  if (error.code !== cancelledCode || Date.now() < deadlineMs - slackMs) return error;
  return { code: deadlineExceededCode, details: 'Deadline exceeded after the time given' };
}
