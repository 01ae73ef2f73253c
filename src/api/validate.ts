/**
 * The rules that the API server holds a core/v1 Pod, ConfigMap or Secret against when it is created. Objects come
 * here decoded and defaulted. What is valid but not supported by roslet is the matter of support.ts.
 */
import { configMirrorAnnotation } from '../sources/source.ts';
import type { ConfigMap, Pod, Secret } from './core.gen.ts';
import { type FieldError, index } from './errors.ts';
import { FieldErrors } from './field-errors.ts';
import { configMapKey, dns1123Subdomain } from './names.ts';
import { annotationErrors } from './validate/annotations.ts';
import { validateMetadata } from './validate/metadata.ts';
import { validatePodSpec } from './validate/pod-spec.ts';

export function validatePod(pod: Pod): FieldError[] {
  const errors = new FieldErrors();
  validateMetadata(pod.metadata ?? {}, dns1123Subdomain, errors);
  const isMirror = pod.metadata?.annotations?.[configMirrorAnnotation] !== undefined;
  if (isMirror && !pod.spec?.nodeName) {
    const path = index('metadata.annotations', configMirrorAnnotation);
    errors.invalid(path, '', 'is for the mirror of a static pod, which has spec.nodeName set');
  }
  if (pod.spec === undefined) errors.required('spec', 'say what the pod runs');
  else validatePodSpec(pod.spec, 'spec', errors);
  return [...errors.items, ...annotationErrors(pod)];
}

/** 1 MiB: what an object may hold in a cluster's store. */
export const maxDataBytes = 2 ** 20;

export function validateConfigMap(configMap: ConfigMap): FieldError[] {
  const errors = new FieldErrors();
  const { binaryData = {}, data = {}, metadata = {} } = configMap;
  validateMetadata(metadata, dns1123Subdomain, errors);
  let sizeBytes = 0;
  for (const [key, text] of Object.entries(data)) {
    errors.check(index('data', key), key, configMapKey);
    if (key in binaryData) errors.invalid(index('data', key), key, 'must not be in binaryData as well');
    sizeBytes += Buffer.byteLength(text);
  }
  for (const [key, base64] of Object.entries(binaryData)) {
    errors.check(index('binaryData', key), key, configMapKey);
    sizeBytes += base64Bytes(base64);
  }
  checkSize(sizeBytes, errors);
  return errors.items;
}

export function validateSecret(secret: Secret): FieldError[] {
  const errors = new FieldErrors();
  const { data = {}, metadata = {}, type = 'Opaque' } = secret;
  validateMetadata(metadata, dns1123Subdomain, errors);
  let sizeBytes = 0;
  for (const [key, base64] of Object.entries(data)) {
    errors.check(index('data', key), key, configMapKey);
    sizeBytes += base64Bytes(base64);
  }
  checkSize(sizeBytes, errors);
  validateSecretType(type, secret, data, errors);
  return errors.items;
}

/** Keys that a secret of a type must have. */
const TYPE_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};
const SERVICE_ACCOUNT_ANNOTATION = 'kubernetes.io/service-account.name';

function validateSecretType(
  type: string,
  { metadata }: Secret,
  data: Record<string, string>,
  errors: FieldErrors,
): void {
  for (const key of TYPE_KEYS[type] ?? []) {
    const isMissing = !(key in data) || (type === 'kubernetes.io/ssh-auth' && data[key] === '');
    if (isMissing) errors.required(index('data', key), `a secret of type ${type} has it`);
    else if (key.startsWith('.') && !isJsonObject(data[key]!)) {
      errors.invalid(index('data', key), '(hidden)', 'must be a JSON object');
    }
  }
  if (type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data)) {
    errors.required(index('data', 'username'), `a secret of type ${type} has username or password`);
  }
  const account = metadata?.annotations?.[SERVICE_ACCOUNT_ANNOTATION];
  if (type === 'kubernetes.io/service-account-token' && !account) {
    errors.required(
      index('metadata.annotations', SERVICE_ACCOUNT_ANNOTATION),
      `a secret of type ${type} has it`,
    );
  }
}

function isJsonObject(base64: string): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function checkSize(sizeBytes: number, errors: FieldErrors): void {
  if (sizeBytes <= maxDataBytes) return;
  errors.tooLong('data', `must be at most ${maxDataBytes} bytes in all, it is ${sizeBytes}`);
}

const base64Bytes = (text: string): number => Buffer.byteLength(text, 'base64');
