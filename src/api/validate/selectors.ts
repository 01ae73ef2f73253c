/** References from a pod to its own fields, to resources of its containers, and to keys of config maps and secrets. */
import type { ObjectFieldSelector, ResourceFieldSelector } from '../core.gen.ts';
import { child, shown } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { configMapKey, dns1123Subdomain, qualifiedName } from '../names.ts';
import { formatQuantity, parseQuantity } from '../quantity.ts';

/** Fields that an environment variable may take its value from. */
export const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** Fields that a file of a downwardAPI volume may hold. */
export const volumeFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.labels',
  'metadata.annotations',
  'metadata.uid',
];

export function validateFieldRef(
  { apiVersion, fieldPath }: ObjectFieldSelector,
  allowed: readonly string[],
  path: string,
  errors: FieldErrors,
): void {
  const fieldPathPath = child(path, 'fieldPath');
  if (!fieldPath) {
    errors.required(fieldPathPath, 'name a field such as metadata.name');
    return;
  }
  if (!errors.checkOneOf(child(path, 'apiVersion'), apiVersion ?? '', ['v1'])) return;
  const subscript = /^(.*)\['(.*)'\]$/.exec(fieldPath);
  if (subscript === null) {
    // The old name of the node's name.
    const known = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
    if (!allowed.includes(known)) errors.notSupported(fieldPathPath, fieldPath, allowed);
    return;
  }
  const [, field = '', key = ''] = subscript;
  if (field === 'metadata.annotations') errors.check(fieldPathPath, key.toLowerCase(), qualifiedName);
  else if (field === 'metadata.labels') errors.check(fieldPathPath, key, qualifiedName);
  else {
    const message = `${shown(field)} takes no ['…']: only metadata.labels and metadata.annotations do`;
    errors.invalid(fieldPathPath, fieldPath, message);
  }
}

const RESOURCE_FIELDS = ['limits', 'requests'].flatMap((list) =>
  ['cpu', 'memory', 'ephemeral-storage'].map((name) => `${list}.${name}`),
);
const BYTE_DIVISORS = [
  '1',
  ...['k', 'M', 'G', 'T', 'P', 'E'].flatMap((unit) => [`1${unit}`]),
  ...['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit) => `1${unit}`),
];

export function validateResourceFieldRef(
  { containerName, divisor, resource }: ResourceFieldSelector,
  isInVolume: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (isInVolume && !containerName) {
    errors.required(child(path, 'containerName'), 'name the container whose resource is meant');
  }
  const isHugePages = /^(limits|requests)\.hugepages-/.test(resource);
  if (!RESOURCE_FIELDS.includes(resource) && !isHugePages) {
    errors.notSupported(child(path, 'resource'), resource, RESOURCE_FIELDS);
    return;
  }
  const quantity = parseQuantity(divisor ?? '0');
  if (quantity === undefined || quantity.nano === 0n) return;
  const allowed = resource.endsWith('.cpu') ? ['1m', '1'] : BYTE_DIVISORS;
  const canonical = formatQuantity(quantity);
  errors.checkOneOf(child(path, 'divisor'), canonical, allowed);
}

/** A key of a config map or secret. */
export function validateKeyRef(
  { key, name }: { key: string; name?: string },
  path: string,
  errors: FieldErrors,
): void {
  errors.checkName(child(path, 'name'), name, dns1123Subdomain);
  errors.checkName(child(path, 'key'), key, configMapKey);
}
