/** How a request to the API server fails: it answered with a failure, or it did not answer. */
import type { Status, StatusDetails } from '../api/core.gen.ts';

/** The API server answered, but did not do what was asked. */
export class ApiStatusError extends Error {
  override readonly name = 'ApiStatusError';
  readonly code: number;
  /** Of the Status: `NotFound`, `Conflict`, `Expired`, … Empty when the answer was none. */
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** When the server said how long to wait before another try. */
  readonly retryAfterMs: number | undefined;

  constructor(status: Partial<Status> & { code: number }, request: string, retryAfterMs?: number) {
    super(`${request}: ${status.message || status.reason || `HTTP ${status.code}`}`);
    this.code = status.code;
    this.reason = status.reason ?? '';
    this.details = status.details;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer could be had: refused, timed out, cut off, a certificate that is not trusted. */
export class ApiUnreachableError extends Error {
  override readonly name = 'ApiUnreachableError';
}

export const hasStatus = (error: unknown, ...codes: number[]): error is ApiStatusError =>
  error instanceof ApiStatusError && codes.includes(error.code);
