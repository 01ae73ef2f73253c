/** Object metadata, as every object of the API has it (apimachinery's validation of ObjectMeta). */
import type { LabelSelector, ObjectMeta } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { dns1123Label, labelValue, type NameRule, qualifiedName, uid as uidRule } from '../names.ts';

export function validateMetadata(metadata: ObjectMeta, nameRule: NameRule, errors: FieldErrors): void {
  const path = 'metadata';
  const { annotations, finalizers, generateName, generation, labels, name, namespace, ownerReferences, uid } =
    metadata;
  // A generated name is the prefix with five more characters: a "-" at its end is fine.
  if (generateName) errors.check(child(path, 'generateName'), generateName.replace(/-$/, 'x'), nameRule);
  if (!name) errors.required(child(path, 'name'), 'give the object a name');
  else errors.check(child(path, 'name'), name, nameRule);
  errors.checkName(child(path, 'namespace'), namespace, dns1123Label);
  if (uid) errors.check(child(path, 'uid'), uid, uidRule);
  if (generation !== undefined && generation < 0) {
    errors.invalid(child(path, 'generation'), generation, 'must not be negative');
  }
  validateLabels(labels ?? {}, child(path, 'labels'), errors);
  validateAnnotations(annotations ?? {}, child(path, 'annotations'), errors);
  for (const [position, finalizer] of (finalizers ?? []).entries()) {
    errors.check(index(child(path, 'finalizers'), position), finalizer, finalizerName);
  }
  validateOwners(ownerReferences ?? [], child(path, 'ownerReferences'), errors);
}

export function validateLabels(labels: Record<string, string>, path: string, errors: FieldErrors): void {
  for (const [key, value] of Object.entries(labels)) {
    errors.check(index(path, key), key, qualifiedName);
    errors.check(index(path, key), value, labelValue);
  }
}

export function validateLabelSelector(
  selector: LabelSelector | undefined,
  path: string,
  errors: FieldErrors,
): void {
  if (selector === undefined) return;
  validateLabels(selector.matchLabels ?? {}, child(path, 'matchLabels'), errors);
  for (const [position, requirement] of (selector.matchExpressions ?? []).entries()) {
    const itemPath = index(child(path, 'matchExpressions'), position);
    validateOperator(requirement, ['In', 'NotIn', 'Exists', 'DoesNotExist'], itemPath, errors);
    errors.check(child(itemPath, 'key'), requirement.key, qualifiedName);
    for (const [at, value] of (requirement.values ?? []).entries()) {
      errors.check(index(child(itemPath, 'values'), at), value, labelValue);
    }
  }
}

/** How many values a requirement takes depends on its operator. */
export function validateOperator(
  { operator, values = [] }: { operator: string; values?: string[] },
  allowed: readonly string[],
  path: string,
  errors: FieldErrors,
): void {
  if (!errors.checkOneOf(child(path, 'operator'), operator, allowed)) return;
  const valuesPath = child(path, 'values');
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    errors.required(valuesPath, `operator ${operator} compares with at least one value`);
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    errors.forbidden(valuesPath, `must be left out: operator ${operator} takes no values`);
  }
  if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1) {
    errors.required(valuesPath, `operator ${operator} compares with exactly one value`);
  }
}

/** Names without a DNS prefix are Kubernetes' own. */
const finalizerName: NameRule = (value) =>
  qualifiedName(value) ??
  (value.includes('/') || ['kubernetes', 'orphan', 'foregroundDeletion'].includes(value)
    ? undefined
    : 'must have a DNS prefix such as example.com/name');

const MAX_ANNOTATION_BYTES = 256 * 1024;

function validateAnnotations(annotations: Record<string, string>, path: string, errors: FieldErrors): void {
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    errors.check(index(path, key), key.toLowerCase(), qualifiedName);
  }
  if (sizeBytes > MAX_ANNOTATION_BYTES) {
    errors.tooLong(path, `must be at most ${MAX_ANNOTATION_BYTES} bytes in all, they are ${sizeBytes}`);
  }
}

type OwnerReferences = NonNullable<ObjectMeta['ownerReferences']>;

function validateOwners(owners: OwnerReferences, path: string, errors: FieldErrors): void {
  for (const [position, owner] of owners.entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (owner[field] === '') errors.invalid(child(index(path, position), field), '', 'must not be empty');
    }
  }
  if (owners.filter((owner) => owner.controller === true).length > 1) {
    errors.invalid(
      path,
      owners.map((owner) => owner.name),
      'only one owner may be the controller',
    );
  }
}
