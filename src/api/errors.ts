/**
 * What is wrong with one field of an object. Reasons are the causes that the Kubernetes API puts into a Status, so
 * that the REST API can pass them on as they are.
 */
export type FieldErrorReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueDuplicate'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueNotFound'
  | 'FieldValueTypeInvalid'
  /** Strict decoding: no such field, or the same field twice. */
  | 'FieldUnknown';

export interface FieldError {
  /** `spec.containers[0].imagePullPolicy`; keys of maps in brackets as well: `metadata.labels[app]`. */
  path: string;
  reason: FieldErrorReason;
  /** A sentence about the field that says how to mend it, without the path. */
  message: string;
  /** The offending value in short, as the user would recognise it. */
  found?: string;
  /** What would be right there. */
  expected?: string;
}

/** Path of a field below `parent`, which may be empty. */
export const child = (parent: string, field: string): string =>
  parent === '' ? field : `${parent}.${field}`;
export const index = (parent: string, position: number | string): string => `${parent}[${position}]`;

export const formatFieldError = (error: FieldError): string =>
  error.path === '' ? error.message : `${error.path}: ${error.message}`;

/** A value as it is shown in messages: JSON, cut short. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
