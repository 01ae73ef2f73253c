/**
 * The file of --image-credential-provider-config (CredentialProviderConfig of kubelet.config.k8s.io), or a directory of
 * such files: which program is asked for the credentials of which images. As strict as the configuration itself; a
 * program that is not there is told before anything starts, as by the kubelet.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { entryOf, type Position, type Tree, textOf } from '../api/tree.ts';
import { parseYaml } from '../api/yaml.ts';
import type { ImageCredentialProvider } from '../images/credential-provider.ts';
import type { ConfigProblem } from './problems.ts';
import { type FieldKind, type KindValues, readValue, ValueError } from './values.ts';

/** Of both flags; none where they are not set. */
export async function readCredentialProviders(
  configPath: string | undefined,
  binDir: string | undefined,
  problems: ConfigProblem[],
): Promise<ImageCredentialProvider[]> {
  if (!configPath && !binDir) return [];
  if (!configPath || !binDir) {
    const [given, missing] = configPath ? [configFlag, binDirFlag] : [binDirFlag, configFlag];
    problems.push({ source: `--${given}`, path: '', message: `needs --${missing} beside it` });
    return [];
  }
  const providers: ImageCredentialProvider[] = [];
  try {
    for (const file of await filesOf(resolve(configPath))) {
      const text = await readFile(file, 'utf8');
      for (const provider of readFileText(text, file, resolve(binDir), problems)) {
        if (await isThere(provider, problems)) providers.push(provider);
      }
    }
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}`;
    problems.push({ source: `--${configFlag}`, path: '', message });
  }
  const names = providers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    problems.push({ source: `--${configFlag}`, path: '', message: `has two providers named '${twice}'` });
  }
  return providers;
}

const configFlag = 'image-credential-provider-config';
const binDirFlag = 'image-credential-provider-bin-dir';

/** Of a directory those that the kubelet reads, by the order of their names. */
async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(json|ya?ml)$/.test(name));
  if (names.length === 0) throw new Error(`${path} has no .json, .yaml or .yml file`);
  return names.sort().map((name) => join(path, name));
}

async function isThere({ program }: ImageCredentialProvider, problems: ConfigProblem[]): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return true;
  } catch (error) {
    const message = `has no program to run: ${(error as Error).message}`;
    problems.push({ source: `--${binDirFlag}`, path: '', message });
    return false;
  }
}

function readFileText(
  text: string,
  file: string,
  binDir: string,
  problems: ConfigProblem[],
): ImageCredentialProvider[] {
  const place = ({ line, column }: Position) => `${file}:${line}:${column}`;
  return parseYaml(text).flatMap(({ tree, errors }) => {
    for (const { at, message } of errors) problems.push({ source: place(at), path: '', message });
    if (!tree) return [];
    try {
      return readProviders(tree, binDir);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({ source: place(error.at), path: error.subPath, message: error.message });
      return [];
    }
  });
}

const configVersions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `kubelet.config.k8s.io/${version}`);
const providerVersions = ['v1', 'v1beta1', 'v1alpha1'].map(
  (version) => `credentialprovider.kubelet.k8s.io/${version}`,
);

function readProviders(root: Tree, binDir: string): ImageCredentialProvider[] {
  if (textOf(entryOf(root, 'kind')) !== 'CredentialProviderConfig') {
    throw new ValueError(root.at, 'must be CredentialProviderConfig', 'kind');
  }
  if (!configVersions.includes(textOf(entryOf(root, 'apiVersion')) ?? '')) {
    throw new ValueError(root.at, `must be one of ${configVersions.join(', ')}`, 'apiVersion');
  }
  checkFields(root, ['kind', 'apiVersion', 'providers'], '');
  const list = entryOf(root, 'providers');
  if (list?.kind !== 'list' || list.items.length === 0) {
    throw new ValueError(list?.at ?? root.at, 'must be a list of at least one', 'providers');
  }
  return list.items.map((tree, index) => readProvider(tree, `providers[${index}]`, binDir));
}

function readProvider(tree: Tree, path: string, binDir: string): ImageCredentialProvider {
  checkFields(tree, providerFields, `${path}.`);
  const token = entryOf(tree, 'tokenAttributes');
  if (token !== undefined) {
    const message = 'is not implemented: a provider is given no service account token; take it out';
    throw new ValueError(token.at, message, `${path}.tokenAttributes`);
  }
  const name = required(tree, path, 'name', 'string');
  if (!/^(?!\.\.?$)[^\s/]+$/.test(name)) {
    throw new ValueError(
      tree.at,
      `must be the name of a program in --${binDirFlag}, not '${name}'`,
      `${path}.name`,
    );
  }
  const matchImages = required(tree, path, 'matchImages', 'strings');
  if (matchImages.length === 0)
    throw new ValueError(tree.at, 'must name at least one', `${path}.matchImages`);
  const apiVersion = required(tree, path, 'apiVersion', 'string');
  if (!providerVersions.includes(apiVersion)) {
    throw new ValueError(
      tree.at,
      `must be one of ${providerVersions.join(', ')}, not '${apiVersion}'`,
      `${path}.apiVersion`,
    );
  }
  return {
    name,
    program: join(binDir, name),
    apiVersion,
    matchImages,
    defaultCacheMs: required(tree, path, 'defaultCacheDuration', 'duration'),
    args: optional(tree, path, 'args', 'strings') ?? [],
    env: readEnv(entryOf(tree, 'env'), `${path}.env`),
  };
}

const providerFields = [
  'name',
  'matchImages',
  'defaultCacheDuration',
  'apiVersion',
  'args',
  'env',
  'tokenAttributes',
];

function readEnv(tree: Tree | undefined, path: string): Record<string, string> {
  if (tree === undefined || isNull(tree)) return {};
  if (tree.kind !== 'list')
    throw new ValueError(tree.at, 'must be a list of variables with name and value', path);
  const pairs = tree.items.map((item, index) => {
    checkFields(item, ['name', 'value'], `${path}[${index}].`);
    const name = required(item, `${path}[${index}]`, 'name', 'string');
    return [name, optional(item, `${path}[${index}]`, 'value', 'string') ?? ''] as const;
  });
  return Object.fromEntries(pairs);
}

function checkFields(tree: Tree, known: readonly string[], prefix: string): void {
  if (tree.kind !== 'map')
    throw new ValueError(tree.at, 'must be a mapping of fields', prefix.replace(/\.$/, ''));
  const unknown = tree.entries.find(({ key }) => !known.includes(key));
  if (unknown) throw new ValueError(unknown.at, 'is not a known field', `${prefix}${unknown.key}`);
}

function required<K extends FieldKind>(tree: Tree, path: string, name: string, kind: K): KindValues[K] {
  const value = optional(tree, path, name, kind);
  if (value === undefined || value === '') throw new ValueError(tree.at, 'must be set', `${path}.${name}`);
  return value;
}

function optional<K extends FieldKind>(
  tree: Tree,
  path: string,
  name: string,
  kind: K,
): KindValues[K] | undefined {
  const field = entryOf(tree, name);
  if (field === undefined || isNull(field)) return undefined;
  try {
    return readValue(kind, field);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(error.at, error.message, `${path}.${name}${error.subPath}`);
  }
}

const isNull = (tree: Tree): boolean => tree.kind === 'scalar' && tree.value === null;
