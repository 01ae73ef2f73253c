/**
 * What the files of a volume are: keys of config maps and secrets, fields of the pod. Rules: core/v1
 * ConfigMapVolumeSource, SecretVolumeSource, DownwardAPIVolumeSource; messages as the kubelet's.
 */
import type { DownwardAPIVolumeFile, KeyToPath, Pod } from '../api/core.gen.ts';
import { podNamespace } from '../pods/identity.ts';
import { configMapFiles, notFound, secretFiles } from '../pods/objects.ts';
import { metadataField, resourceField } from '../pods/runtime-config/downward.ts';
import type { ResourceAmounts } from '../resources/amounts.ts';
import type { ObjectReader } from '../sources/source.ts';
import { MissingObjectError } from './volume.ts';
import type { PayloadFile } from './writer.ts';

export type PayloadKind = 'configmap' | 'secret';

export interface KeySource {
  kind: PayloadKind;
  name: string;
  items?: readonly KeyToPath[];
  optional?: boolean;
}

/** @throws MissingObjectError when the object, or a key that is named, is not there and not optional. */
export async function objectPayload(
  objects: ObjectReader,
  pod: Pod,
  source: KeySource,
  defaultMode: number,
  signal: AbortSignal,
): Promise<Map<string, PayloadFile>> {
  const data = await readObject(objects, podNamespace(pod), source, signal);
  if (data === undefined) {
    if (source.optional) return new Map();
    throw new MissingObjectError(notFound(source.kind, source.name));
  }
  if (source.items === undefined || source.items.length === 0) {
    return new Map([...data].map(([key, bytes]) => [key, { data: bytes, mode: defaultMode }]));
  }
  const files = new Map<string, PayloadFile>();
  for (const { key, path, mode } of source.items) {
    const bytes = data.get(key);
    if (bytes !== undefined) files.set(path, { data: bytes, mode: mode ?? defaultMode });
    else if (!source.optional) throw new MissingObjectError(missingKey(source.kind, key));
  }
  return files;
}

/** @throws Error for a field that a volume cannot show. */
export function downwardPayload(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[],
  allocatable: ResourceAmounts,
  defaultMode: number,
): Map<string, PayloadFile> {
  return new Map(
    items.map((item) => [
      item.path,
      { data: Buffer.from(downwardValue(pod, item, allocatable)), mode: item.mode ?? defaultMode },
    ]),
  );
}

async function readObject(
  objects: ObjectReader,
  namespace: string,
  source: KeySource,
  signal: AbortSignal,
): Promise<Map<string, Buffer> | undefined> {
  if (source.kind === 'configmap') {
    const configMap = await objects.configMap(namespace, source.name, signal);
    return configMap && configMapFiles(configMap);
  }
  const secret = await objects.secret(namespace, source.name, signal);
  return secret && secretFiles(secret);
}

const missingKey = (kind: PayloadKind, key: string): string =>
  kind === 'configmap'
    ? `configmap references non-existent config key: ${key}`
    : `references non-existent secret key: ${key}`;

function downwardValue(pod: Pod, item: DownwardAPIVolumeFile, allocatable: ResourceAmounts): string {
  if (item.fieldRef !== undefined) {
    const value = metadataField(pod, item.fieldRef.fieldPath);
    if (value === undefined) throw new Error(`unsupported fieldPath: ${item.fieldRef.fieldPath}`);
    return value;
  }
  if (item.resourceFieldRef === undefined) {
    throw new Error(`downwardAPI item ${item.path} has neither fieldRef nor resourceFieldRef`);
  }
  return resourceField(pod, undefined, item.resourceFieldRef, allocatable);
}
