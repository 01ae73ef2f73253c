/**
 * The pod's volumes. Kinds that roslet refuses anyway (network volumes and the like: see support.ts) are only counted,
 * not looked into.
 */
import type {
  DownwardAPIVolumeFile,
  HostPathVolumeSource,
  KeyToPath,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { dns1123Label } from '../names.ts';
import { parseQuantity } from '../quantity.ts';
import { pathWithoutBacksteps, validateFileMode, volumeFilePath } from './paths.ts';
import { validateFieldRef, validateResourceFieldRef, volumeFieldPaths } from './selectors.ts';

/** Returns the volumes by name, for the containers that mount them. */
export function validateVolumes(
  volumes: readonly Volume[],
  path: string,
  errors: FieldErrors,
): ReadonlyMap<string, Volume> {
  const byName = new Map<string, Volume>();
  for (const [position, volume] of volumes.entries()) {
    const itemPath = index(path, position);
    validateSource(volume, itemPath, errors);
    errors.checkName(child(itemPath, 'name'), volume.name, dns1123Label);
    if (byName.has(volume.name)) {
      errors.duplicate(
        child(itemPath, 'name'),
        volume.name,
        `another volume is already called "${volume.name}"`,
      );
    }
    byName.set(volume.name, volume);
  }
  return byName;
}

function validateSource(volume: Volume, path: string, errors: FieldErrors): void {
  const [first, ...others] = Object.keys(volume).filter((field) => field !== 'name');
  if (first === undefined) {
    errors.required(path, 'give the volume a source such as emptyDir');
    return;
  }
  for (const other of others) {
    errors.forbidden(child(path, other), `must be left out: a volume has one source, and ${first} is set`);
  }
  const { configMap, downwardAPI, emptyDir, hostPath, projected, secret } = volume;
  if (emptyDir !== undefined) validateEmptyDir(emptyDir, child(path, 'emptyDir'), errors);
  if (hostPath !== undefined) validateHostPath(hostPath, child(path, 'hostPath'), errors);
  if (configMap !== undefined) {
    validateObjectVolume(configMap, configMap.name, 'name', child(path, 'configMap'), errors);
  }
  if (secret !== undefined) {
    validateObjectVolume(secret, secret.secretName, 'secretName', child(path, 'secret'), errors);
  }
  if (downwardAPI !== undefined) {
    validateFileMode(downwardAPI, 'defaultMode', child(path, 'downwardAPI'), errors);
    validateDownwardItems(downwardAPI.items ?? [], child(path, 'downwardAPI'), errors);
  }
  if (projected !== undefined) validateProjected(projected, child(path, 'projected'), errors);
}

function validateEmptyDir(
  { medium, sizeLimit }: NonNullable<Volume['emptyDir']>,
  path: string,
  errors: FieldErrors,
): void {
  const limit = sizeLimit === undefined ? undefined : parseQuantity(sizeLimit);
  if (limit !== undefined && limit.nano < 0n) {
    errors.forbidden(child(path, 'sizeLimit'), `must not be negative: ${sizeLimit}`);
  }
  if (medium && medium !== 'Memory' && !isHugePages(medium)) {
    errors.notSupported(child(path, 'medium'), medium, ['', 'Memory', 'HugePages', 'HugePages-2Mi']);
  }
}

/** Of the page size that the containers use, or of one that is named. */
const isHugePages = (medium: string): boolean =>
  medium === 'HugePages' || parseQuantity(/^HugePages-(.*)$/.exec(medium)?.[1] ?? '') !== undefined;

const HOST_PATH_TYPES = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
];

function validateHostPath(hostPath: HostPathVolumeSource, path: string, errors: FieldErrors): void {
  if (hostPath.path === '') {
    errors.required(child(path, 'path'), 'give a path of the host');
    return;
  }
  errors.check(child(path, 'path'), hostPath.path, pathWithoutBacksteps);
  errors.checkOneOf(child(path, 'type'), hostPath.type, HOST_PATH_TYPES);
}

function validateObjectVolume(
  source: { defaultMode?: number; items?: KeyToPath[] },
  name: string | undefined,
  nameField: string,
  path: string,
  errors: FieldErrors,
): void {
  if (!name) errors.required(child(path, nameField), 'name the object to mount');
  validateFileMode(source, 'defaultMode', path, errors);
  validateItems(source.items ?? [], path, errors);
}

function validateItems(items: readonly KeyToPath[], path: string, errors: FieldErrors): void {
  for (const [position, item] of items.entries()) {
    const itemPath = index(child(path, 'items'), position);
    if (item.key === '') errors.required(child(itemPath, 'key'), 'name the key to mount');
    validateItemFile(item, itemPath, errors);
  }
}

function validateItemFile(item: { path: string; mode?: number }, path: string, errors: FieldErrors): void {
  if (item.path === '') errors.required(child(path, 'path'), 'give the file a path inside the volume');
  else errors.check(child(path, 'path'), item.path, volumeFilePath);
  validateFileMode(item, 'mode', path, errors);
}

function validateDownwardItems(
  items: readonly DownwardAPIVolumeFile[],
  path: string,
  errors: FieldErrors,
): void {
  for (const [position, item] of items.entries()) {
    const itemPath = index(child(path, 'items'), position);
    const { fieldRef, resourceFieldRef } = item;
    validateItemFile(item, itemPath, errors);
    if (fieldRef !== undefined) {
      validateFieldRef(fieldRef, volumeFieldPaths, child(itemPath, 'fieldRef'), errors);
      if (resourceFieldRef !== undefined) {
        errors.invalid(itemPath, item.path, 'must have one of fieldRef and resourceFieldRef, not both');
      }
    } else if (resourceFieldRef !== undefined) {
      validateResourceFieldRef(resourceFieldRef, true, child(itemPath, 'resourceFieldRef'), errors);
    } else errors.required(itemPath, 'give fieldRef or resourceFieldRef');
  }
}

function validateProjected(projected: ProjectedVolumeSource, path: string, errors: FieldErrors): void {
  validateFileMode(projected, 'defaultMode', path, errors);
  const owners = new Map<string, string>();
  for (const [position, source] of (projected.sources ?? []).entries()) {
    const sourcePath = index(child(path, 'sources'), position);
    validateProjection(source, sourcePath, errors);
    for (const file of projectedFiles(source)) {
      const owner = owners.get(file);
      if (owner !== undefined) {
        errors.invalid(sourcePath, file, `the file "${file}" is already projected by ${owner}`);
      }
      owners.set(file, sourcePath);
    }
  }
}

function validateProjection(source: VolumeProjection, path: string, errors: FieldErrors): void {
  const [first, ...others] = Object.keys(source);
  if (first === undefined) {
    errors.required(path, 'give a source such as configMap');
    return;
  }
  if (others.length > 0) {
    errors.forbidden(
      path,
      `must have one source, not ${[first, ...others].join(' and ')}: use several items`,
    );
  }
  for (const field of ['configMap', 'secret'] as const) {
    const projection = source[field];
    if (projection === undefined) continue;
    if (!projection.name) errors.required(child(child(path, field), 'name'), 'name the object to project');
    validateItems(projection.items ?? [], child(path, field), errors);
  }
  if (source.downwardAPI !== undefined) {
    validateDownwardItems(source.downwardAPI.items ?? [], child(path, 'downwardAPI'), errors);
  }
}

/** The paths that a source names itself; the keys of a whole object are not known here. */
function projectedFiles({ configMap, downwardAPI, secret }: VolumeProjection): string[] {
  const items: { path: string }[] = [
    ...(configMap?.items ?? []),
    ...(secret?.items ?? []),
    ...(downwardAPI?.items ?? []),
  ];
  return items.map((item) => item.path).filter((file) => file !== '');
}
