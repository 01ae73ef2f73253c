/** What a gRPC status means to a caller of the runtime port. */
import { RuntimeError, type RuntimeErrorCode } from '../runtime.ts';
import { type GrpcStatus, lateDetails } from './grpc/call.ts';

/** gRPC status codes are numbers on the wire; those without a meaning to our callers are `Unknown`. */
const codes: Readonly<Record<number, RuntimeErrorCode>> = {
  1: 'Cancelled',
  3: 'InvalidArgument',
  4: 'DeadlineExceeded',
  5: 'NotFound',
  6: 'AlreadyExists',
  8: 'ResourceExhausted',
  9: 'FailedPrecondition',
  12: 'Unimplemented',
  14: 'Unavailable',
};

export function runtimeError(error: GrpcStatus, call: string, endpoint: string): RuntimeError {
  const code = codes[error.code] ?? 'Unknown';
  if (code === 'Unavailable') {
    return new RuntimeError(
      code,
      `The container runtime at ${endpoint} does not answer ${call}: ${error.details}`,
      { cause: error },
    );
  }
  if (code === 'DeadlineExceeded' && error.details === lateDetails) {
    return new RuntimeError(code, `The container runtime at ${endpoint} did not answer ${call} in time`, {
      cause: error,
    });
  }
  const message = withoutGrpcPrefix(error.details) || `${call} failed`;
  return new RuntimeError(isUnderWay(message) ? 'AlreadyExists' : code, message, { cause: error });
}

export const callName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const cancelled = (call: string, reason: unknown): RuntimeError =>
  new RuntimeError('Cancelled', `${call} was cancelled`, { cause: reason });

export const hasCode = (error: unknown, code: RuntimeErrorCode): boolean =>
  error instanceof RuntimeError && error.code === code;

/** containerd's words for what another call is doing or has done, perhaps one of an earlier life of the agent. */
const isUnderWay = (message: string): boolean =>
  /is reserved for |is already in starting state|is in CONTAINER_RUNNING state/.test(message);

/** Go wraps a status of its own in the text of the next; only the innermost text says something. */
function withoutGrpcPrefix(details: string): string {
  return details.replaceAll(/rpc error: code = \w+ desc = /g, '');
}
