/** Errors of the system as those of the port, so that a caller can tell a full disk from a wrong request. */
import { messageOf } from '../../src/error-message.ts';
import { RuntimeError, type RuntimeErrorCode } from '../runtime.ts';

const codes: Record<string, RuntimeErrorCode> = {
  ENOSPC: 'ResourceExhausted',
  EDQUOT: 'ResourceExhausted',
  EMFILE: 'ResourceExhausted',
  ENFILE: 'ResourceExhausted',
  ENOMEM: 'ResourceExhausted',
  EAGAIN: 'ResourceExhausted',
  EROFS: 'FailedPrecondition',
  EACCES: 'FailedPrecondition',
  EPERM: 'FailedPrecondition',
};

export function asRuntimeError(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const message = messageOf(error);
  const code = error instanceof Error && 'code' in error ? codes[String(error.code)] : undefined;
  return new RuntimeError(code ?? 'Unknown', message, { cause: error });
}
