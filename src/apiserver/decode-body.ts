/** A request's body as a complete object: decoded strictly, defaulted and validated as the API server does. */
import { decodeTree } from '../api/decode-value.ts';
import { defaultConfigMap, defaultPod, defaultSecret } from '../api/defaults.ts';
import { type FieldError, formatFieldError } from '../api/errors.ts';
import { unsupportedFields } from '../api/support.ts';
import { treeOf } from '../api/tree.ts';
import { validateConfigMap, validatePod, validateSecret } from '../api/validate.ts';
import { type ApiError, badRequest, invalid } from '../server/errors.ts';
import type { ResourceTypes, WritableName } from './resources.ts';
import { resources } from './resources.ts';

/** What becomes of unknown and duplicate fields: refused, reported in a Warning header, or dropped in silence. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface DecodedBody<R extends WritableName> {
  object: ResourceTypes[R];
  warnings: string[];
}

/** @throws ApiError BadRequest what cannot be decoded, Invalid what breaks a rule */
export function decodeBody<R extends WritableName>(
  resource: R,
  value: unknown,
  namespace: string,
  fieldValidation: FieldValidation,
): DecodedBody<R> {
  const { kind } = resources[resource];
  checkType(kind, value);
  const tree = treeOf(value);
  if (!tree) throw badRequest('the body is nested too deeply');
  const { value: decoded, errors } = decodeTree(kind, tree);
  const unknown = errors.filter((error) => error.reason === 'FieldUnknown');
  const broken = errors.filter((error) => error.reason !== 'FieldUnknown');
  if (broken.length > 0) throw cannotDecode(kind, broken);
  if (unknown.length > 0 && fieldValidation === 'Strict')
    throw cannotDecode(kind, unknown, 'strict decoding error: ');

  // Without errors but unknown fields, which it leaves out, the decoder vouches for the type.
  const object = decoded as ResourceTypes[R];
  const given = object.metadata?.namespace;
  if (given && given !== namespace) {
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request: ${given}`,
    );
  }
  const placed = { ...object, metadata: { ...object.metadata, namespace } } as ResourceTypes[R];
  const complete = rules[resource].complete(placed);
  const wrong = rules[resource].check(complete);
  if (wrong.length > 0) {
    const causes = wrong.map(({ path, reason, message }) => ({ field: path, reason, message }));
    throw invalid(kind, object.metadata?.name ?? '', causes);
  }
  return {
    object: complete,
    warnings: fieldValidation === 'Warn' ? unknown.map(formatFieldError) : [],
  };
}

const rules: { [R in WritableName]: Rules<ResourceTypes[R]> } = {
  pods: { complete: defaultPod, check: (pod) => [...validatePod(pod), ...unsupportedFields(pod)] },
  configmaps: { complete: defaultConfigMap, check: validateConfigMap },
  secrets: { complete: defaultSecret, check: validateSecret },
};

interface Rules<T> {
  complete(object: T): T;
  check(object: T): FieldError[];
}

function checkType(kind: string, value: unknown): void {
  const { kind: given, apiVersion } = (value ?? {}) as { kind?: unknown; apiVersion?: unknown };
  if ((given === undefined || given === kind) && (apiVersion === undefined || apiVersion === 'v1')) return;
  throw badRequest(`the body is a ${String(apiVersion)} ${String(given)}; here a v1 ${kind} is wanted`);
}

const cannotDecode = (kind: string, errors: FieldError[], why = ''): ApiError =>
  badRequest(
    `${kind} in version "v1" cannot be handled as a ${kind}: ${why}${errors.map(formatFieldError).join(', ')}`,
  );
