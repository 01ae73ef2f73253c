/** Environment variables of a container. */
import type { EnvFromSource, EnvVar, Volume } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { dns1123Subdomain, envVarName } from '../names.ts';
import { pathWithoutBacksteps } from './paths.ts';
import { envFieldPaths, validateFieldRef, validateKeyRef, validateResourceFieldRef } from './selectors.ts';

export function validateEnv(
  variables: readonly EnvVar[],
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  errors: FieldErrors,
): void {
  for (const [position, variable] of variables.entries()) {
    const itemPath = index(path, position);
    errors.checkName(child(itemPath, 'name'), variable.name, envVarName);
    if (variable.valueFrom !== undefined) {
      validateValueFrom(variable, variable.valueFrom, volumes, child(itemPath, 'valueFrom'), errors);
    }
  }
}

export function validateEnvFrom(sources: readonly EnvFromSource[], path: string, errors: FieldErrors): void {
  for (const [position, source] of sources.entries()) {
    const itemPath = index(path, position);
    const { configMapRef, prefix, secretRef } = source;
    if (prefix) errors.check(child(itemPath, 'prefix'), prefix, envVarName);
    if (configMapRef !== undefined) {
      errors.checkName(child(itemPath, 'configMapRef.name'), configMapRef.name, dns1123Subdomain);
    }
    if (secretRef !== undefined) {
      errors.checkName(child(itemPath, 'secretRef.name'), secretRef.name, dns1123Subdomain);
    }
    if ((configMapRef === undefined) === (secretRef === undefined)) {
      errors.invalid(itemPath, source, 'must have exactly one of configMapRef and secretRef');
    }
  }
}

const VALUE_SOURCES = [
  'fieldRef',
  'resourceFieldRef',
  'configMapKeyRef',
  'secretKeyRef',
  'fileKeyRef',
] as const;

function validateValueFrom(
  { name, value }: EnvVar,
  source: NonNullable<EnvVar['valueFrom']>,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  errors: FieldErrors,
): void {
  const { configMapKeyRef, fieldRef, fileKeyRef, resourceFieldRef, secretKeyRef } = source;
  if (fieldRef !== undefined) validateFieldRef(fieldRef, envFieldPaths, child(path, 'fieldRef'), errors);
  if (resourceFieldRef !== undefined) {
    validateResourceFieldRef(resourceFieldRef, false, child(path, 'resourceFieldRef'), errors);
  }
  if (configMapKeyRef !== undefined) validateKeyRef(configMapKeyRef, child(path, 'configMapKeyRef'), errors);
  if (secretKeyRef !== undefined) validateKeyRef(secretKeyRef, child(path, 'secretKeyRef'), errors);
  if (fileKeyRef !== undefined) validateFileKeyRef(fileKeyRef, volumes, child(path, 'fileKeyRef'), errors);
  const sources = VALUE_SOURCES.filter((field) => source[field] !== undefined);
  if (sources.length === 0) errors.invalid(path, name, `must have one of ${VALUE_SOURCES.join(', ')}`);
  else if (value) errors.invalid(path, name, 'must be left out when value is set');
  else if (sources.length > 1) {
    errors.invalid(path, name, `must have one source, not ${sources.join(' and ')}`);
  }
}

type FileKeyRef = NonNullable<NonNullable<EnvVar['valueFrom']>['fileKeyRef']>;

function validateFileKeyRef(
  { key, path: filePath, volumeName }: FileKeyRef,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  errors: FieldErrors,
): void {
  errors.checkName(child(path, 'key'), key, envVarName);
  if (filePath === '') errors.required(child(path, 'path'), 'give the path of the file in the volume');
  else errors.check(child(path, 'path'), filePath, pathWithoutBacksteps);
  const volume = volumes.get(volumeName);
  if (volume === undefined) {
    errors.notFound(child(path, 'volumeName'), volumeName, `the pod has no volume called "${volumeName}"`);
  } else if (volume.emptyDir === undefined) {
    errors.invalid(child(path, 'volumeName'), volumeName, 'must be the name of an emptyDir volume');
  }
}
