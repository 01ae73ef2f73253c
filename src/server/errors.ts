/** Failures of a request as Kubernetes tells them: a metav1 Status with its reason, code and details. */
import type { Status, StatusCause, StatusDetails } from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';

const codes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

export type StatusReason = keyof typeof codes;

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: StatusReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;

  constructor(reason: StatusReason, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.code = codes[reason];
    this.details = details;
  }
}

export const badRequest = (message: string): ApiError => new ApiError('BadRequest', message);

export const notFound = (resource: string, name: string): ApiError =>
  new ApiError('NotFound', `${resource} "${name}" not found`, { name, kind: resource });

export const alreadyExists = (resource: string, name: string): ApiError =>
  new ApiError('AlreadyExists', `${resource} "${name}" already exists`, { name, kind: resource });

export const conflict = (resource: string, name: string, why: string): ApiError =>
  new ApiError('Conflict', `Operation cannot be fulfilled on ${resource} "${name}": ${why}`, {
    name,
    kind: resource,
  });

export function invalid(kind: string, name: string, causes: StatusCause[]): ApiError {
  const list = causes.map((cause) => (cause.field ? `${cause.field}: ${cause.message}` : cause.message));
  const text = list.length === 1 ? list[0] : `[${list.join(', ')}]`;
  return new ApiError('Invalid', `${kind} "${name}" is invalid: ${text}`, { name, kind, causes });
}

/** Anything thrown while a request was answered, as the Status that its client gets. */
export function statusOf(error: unknown): Status & { code: number } {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError('InternalError', `Internal error occurred: ${messageOf(error)}`);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: known.message,
    reason: known.reason,
    ...(known.details && { details: known.details }),
    code: known.code,
  };
}
