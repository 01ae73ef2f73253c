/**
 * The environment of a container: envFrom first, then env in order, later entries overriding earlier ones; a value
 * may refer with `$(NAME)` to what was defined before it. Rules: core/v1 EnvVar, EnvFromSource.
 */
import type { ConfigMap, EnvVar, EnvVarSource, Pod, Secret } from '../../api/core.gen.ts';
import type { ObjectReader } from '../../sources/source.ts';
import { type AnyContainer, podNamespace } from '../identity.ts';
import { configMapFiles, notFound, secretFiles } from '../objects.ts';
import { type ConfigWarning, ContainerConfigError } from './config-error.ts';
import { type NodeContext, podField, resourceField } from './downward.ts';
import { expand } from './expansion.ts';

export interface EnvInput {
  pod: Pod;
  container: AnyContainer;
  /** Primary first. */
  podIps: readonly string[];
  /** Of the cluster: for what the container does not define itself. */
  serviceEnv?: ReadonlyMap<string, string>;
}

export interface EnvResult {
  /** In the order of definition. */
  envs: Map<string, string>;
  warnings: ConfigWarning[];
}

/** @throws ContainerConfigError when a value that is not optional cannot be had. */
export async function makeEnv(
  input: EnvInput,
  node: NodeContext,
  objects: ObjectReader,
  signal: AbortSignal,
): Promise<EnvResult> {
  const read = objectCache(objects, podNamespace(input.pod), signal);
  const envs = new Map<string, string>();
  const warnings: ConfigWarning[] = [];

  for (const from of input.container.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    if (ref === undefined) continue;
    const kind = from.configMapRef !== undefined ? 'configmap' : 'secret';
    const data = await read[kind](ref.name ?? '');
    if (data === undefined) {
      if (ref.optional) continue;
      throw new ContainerConfigError(notFound(kind, ref.name ?? ''));
    }
    const invalid: string[] = [];
    for (const [key, value] of data) {
      const name = `${from.prefix ?? ''}${key}`;
      if (isEnvName(name)) envs.set(name, checkedValue(name, value));
      else invalid.push(name);
    }
    if (invalid.length > 0) {
      warnings.push({
        reason: 'InvalidEnvironmentVariableNames',
        message:
          `Keys [${invalid.sort().join(', ')}] from the EnvFrom ${kind} ${podNamespace(input.pod)}/${ref.name} ` +
          'were skipped since they are considered invalid environment variable names.',
      });
    }
  }

  for (const variable of input.container.env ?? []) {
    const value = await variableValue(variable, envs, input, node, read);
    if (value !== undefined) envs.set(variable.name, checkedValue(variable.name, value));
  }
  for (const [name, value] of input.serviceEnv ?? []) if (!envs.has(name)) envs.set(name, value);
  return { envs, warnings };
}

/** Undefined: an optional source that is not there; the variable stays unset. */
async function variableValue(
  variable: EnvVar,
  envs: ReadonlyMap<string, string>,
  input: EnvInput,
  node: NodeContext,
  read: ObjectCache,
): Promise<string | undefined> {
  if (variable.value) return expand(variable.value, (name) => envs.get(name) ?? input.serviceEnv?.get(name));
  if (variable.valueFrom === undefined) return '';
  return sourceValue(variable.name, variable.valueFrom, input, node, read);
}

async function sourceValue(
  variableName: string,
  source: EnvVarSource,
  { pod, container, podIps }: EnvInput,
  node: NodeContext,
  read: ObjectCache,
): Promise<string | undefined> {
  if (source.fieldRef) return podField(pod, source.fieldRef, node, podIps);
  if (source.resourceFieldRef)
    return resourceField(pod, container, source.resourceFieldRef, node.allocatable);
  const ref = source.configMapKeyRef ?? source.secretKeyRef;
  if (ref === undefined) {
    throw new ContainerConfigError(
      `environment variable ${variableName}: its valueFrom names no source that roslet supports`,
    );
  }
  const kind = source.configMapKeyRef !== undefined ? 'configmap' : 'secret';
  const name = ref.name ?? '';
  const data = await read[kind](name);
  const value = data?.get(ref.key);
  if (value !== undefined) return value;
  if (ref.optional) return undefined;
  throw new ContainerConfigError(
    data === undefined
      ? notFound(kind, name)
      : `couldn't find key ${ref.key} in ${kind === 'configmap' ? 'ConfigMap' : 'Secret'} ${podNamespace(pod)}/${name}`,
  );
}

interface ObjectCache {
  configmap(name: string): Promise<Map<string, string> | undefined>;
  secret(name: string): Promise<Map<string, string> | undefined>;
}

/** Each object is read once, so that one environment never mixes two versions of it. */
function objectCache(objects: ObjectReader, namespace: string, signal: AbortSignal): ObjectCache {
  const configMaps = new Map<string, Promise<ConfigMap | undefined>>();
  const secrets = new Map<string, Promise<Secret | undefined>>();
  return {
    async configmap(name) {
      const found = await remembered(configMaps, name, () => objects.configMap(namespace, name, signal));
      return found && textOf(configMapFiles({ data: found.data }));
    },
    async secret(name) {
      const found = await remembered(secrets, name, () => objects.secret(namespace, name, signal));
      return found && textOf(secretFiles(found));
    },
  };
}

function remembered<T>(cache: Map<string, Promise<T>>, key: string, load: () => Promise<T>): Promise<T> {
  const value = cache.get(key) ?? load();
  cache.set(key, value);
  return value;
}

const textOf = (files: Map<string, Buffer>): Map<string, string> =>
  new Map([...files].map(([key, data]) => [key, data.toString('utf8')]));

/** What the API server takes as a name since 1.30: printable ASCII without `=`. */
const isEnvName = (name: string): boolean => /^[ -<>-~]+$/.test(name);

function checkedValue(name: string, value: string): string {
  if (value.includes('\0')) {
    throw new ContainerConfigError(
      `environment variable ${name} holds a NUL character, which no process can be given; mount the value as a file`,
    );
  }
  return value;
}
