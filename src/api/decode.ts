/**
 * Strict decoding of manifests (YAML or JSON texts) into the objects of core/v1. Every error of a document is collected
 * and says where it is, what was found and what was expected; a document with an error gives no object, the others of
 * the text do. Request bodies are decoded by decode-value.ts.
 */
import type { ConfigMap, Pod, Secret } from './core.gen.ts';
import { decodeTree, type LocatedFieldError } from './decode-value.ts';
import { type FieldError, formatFieldError } from './errors.ts';
import { nearestName } from './nearest.ts';
import { entryOf, type Position, type Tree, textOf } from './tree.ts';
import { parseYaml } from './yaml.ts';

export interface ManifestError extends FieldError {
  file: string;
  line: number;
  column: number;
  /** Which document of the file, from 0. */
  document: number;
  /** Of the object meant, as far as they could be read. */
  kind?: string;
  namespace?: string;
  name?: string;
}

export type ManifestObject =
  | { kind: 'Pod'; object: Pod }
  | { kind: 'ConfigMap'; object: ConfigMap }
  | { kind: 'Secret'; object: Secret };

export type DecodedObject = ManifestObject & {
  file: string;
  document: number;
  line: number;
  column: number;
  /** Where the field of a path like `spec.containers[0].image` was written; the nearest parent when it was not. */
  locate(path: string): Position;
};

export interface DecodedManifest {
  objects: DecodedObject[];
  errors: ManifestError[];
}

export function decodeManifest(text: string, file: string): DecodedManifest {
  const result: DecodedManifest = { objects: [], errors: [] };
  if (Buffer.byteLength(text) > maxManifestBytes) {
    const message = `is larger than ${maxManifestBytes / 2 ** 20} MiB, the largest manifest that is read`;
    const error: LocatedFieldError = {
      at: { line: 1, column: 1 },
      path: '',
      reason: 'FieldValueTooLong',
      message,
    };
    result.errors.push(manifestError({ file, document: 0 }, error));
    return result;
  }
  for (const { index, tree, errors } of parseYaml(text.replace(/^\uFEFF/, ''))) {
    const source = { file, document: index };
    for (const { at, message } of errors) {
      result.errors.push(manifestError(source, { at, path: '', reason: 'FieldValueInvalid', message }));
    }
    if (tree !== undefined) decodeItem(tree, '', source, result);
  }
  return result;
}

/** `file:line:column: path: message`, as compilers write it. */
export const formatManifestError = (error: ManifestError): string =>
  `${error.file}:${error.line}:${error.column}: ${formatFieldError(error)}`;

/** The API server's own limit for a request body. */
const maxManifestBytes = 3 * 2 ** 20;

interface ManifestSource {
  file: string;
  document: number;
}

/** Object kinds that manifests may hold, and what becomes of the others that people try. */
const KINDS = ['Pod', 'ConfigMap', 'Secret'] as const;
const LIST_KINDS = new Map<string, string | undefined>([
  ['List', undefined],
  ['PodList', 'Pod'],
  ['ConfigMapList', 'ConfigMap'],
  ['SecretList', 'Secret'],
]);
const POD_TEMPLATE_KINDS = new Set([
  'Deployment',
  'DaemonSet',
  'ReplicaSet',
  'StatefulSet',
  'Job',
  'ReplicationController',
]);

function decodeItem(
  tree: Tree,
  path: string,
  source: ManifestSource,
  result: DecodedManifest,
  listedKind?: string,
): void {
  const problem = headerProblem(tree, path, listedKind);
  if (problem !== undefined) {
    const { at, field, message } = problem;
    const error: LocatedFieldError = {
      at,
      path: joinPath(path, field),
      reason: 'FieldValueInvalid',
      message,
    };
    result.errors.push(manifestError({ ...source, ...identityOf(tree) }, error));
    return;
  }
  const kind = textOf(entryOf(tree, 'kind')) ?? listedKind;
  const items = entryOf(tree, 'items');
  if (items?.kind === 'list' && LIST_KINDS.has(kind ?? '')) {
    items.items.forEach((item, position) => {
      decodeItem(item, `items[${position}]`, source, result, LIST_KINDS.get(kind ?? ''));
    });
  } else decodeKind(kind as (typeof KINDS)[number], tree, path, source, result);
}

interface HeaderProblem {
  at: Position;
  field: string;
  message: string;
}

/** What is wrong with apiVersion, kind and the place of the object. Items of a typed list need not repeat both. */
function headerProblem(tree: Tree, path: string, listedKind: string | undefined): HeaderProblem | undefined {
  const wrong = (field: string, message: string): HeaderProblem => ({
    at: entryOf(tree, field)?.at ?? tree.at,
    field,
    message,
  });
  if (tree.kind !== 'map') return wrong('', 'must be an object with apiVersion, kind and metadata');
  const kind = textOf(entryOf(tree, 'kind')) ?? listedKind ?? '';
  const apiVersion = textOf(entryOf(tree, 'apiVersion')) ?? (listedKind === undefined ? '' : 'v1');
  if (kind === '') return wrong('kind', 'is required: one of Pod, ConfigMap, Secret, List');
  if (apiVersion === '') return wrong('apiVersion', 'is required: v1');
  const isList = LIST_KINDS.has(kind);
  if (apiVersion !== 'v1' || !(isList || KINDS.some((name) => name === kind))) {
    return wrong('kind', refusedKind(apiVersion, kind));
  }
  if (listedKind !== undefined && kind !== listedKind) {
    return wrong('kind', `must be ${listedKind} in a ${listedKind}List`);
  }
  if (!isList) return undefined;
  if (path !== '') return wrong('kind', 'a list may not hold lists');
  return entryOf(tree, 'items')?.kind === 'list' ? undefined : wrong('items', 'must be a list of objects');
}

function decodeKind(
  kind: (typeof KINDS)[number],
  tree: Tree,
  path: string,
  source: ManifestSource,
  result: DecodedManifest,
): void {
  const { value, errors, positions } = decodeTree(kind, tree, path);
  if (errors.length > 0) {
    const identity = identityOf(tree);
    result.errors.push(...errors.map((error) => manifestError({ ...source, kind, ...identity }, error)));
    return;
  }
  // Without errors the decoder has checked every field against the kind's table.
  const object = { apiVersion: 'v1', kind, ...(value as object) } as unknown;
  const locate = (field: string): Position => nearestPosition(positions, joinPath(path, field));
  result.objects.push({ kind, object, ...source, ...tree.at, locate } as DecodedObject);
}

function refusedKind(apiVersion: string, kind: string): string {
  const what = `${kind} (${apiVersion})`;
  if (POD_TEMPLATE_KINDS.has(kind)) {
    return `${what} needs a controller of a Kubernetes cluster; write its spec.template as a Pod instead`;
  }
  const nearest = nearestName(kind, [...KINDS, ...LIST_KINDS.keys()]);
  if (nearest === kind) return `${what} is not known: ${kind} is of apiVersion v1`;
  const hint = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  return `${what} cannot be run from a manifest: only Pod, ConfigMap and Secret (v1) and lists of them can${hint}`;
}

interface Identity {
  kind?: string;
  namespace?: string;
  name?: string;
}

function identityOf(tree: Tree): Identity {
  const metadata = entryOf(tree, 'metadata');
  const kind = textOf(entryOf(tree, 'kind'));
  const namespace = textOf(entryOf(metadata, 'namespace'));
  const name = textOf(entryOf(metadata, 'name'));
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
}

function manifestError(source: ManifestSource & Identity, error: LocatedFieldError): ManifestError {
  const { at, ...field } = error;
  return { ...source, line: at.line, column: at.column, ...field };
}

/** The position of a path or, when that was not written, of the nearest field above it. */
function nearestPosition(positions: ReadonlyMap<string, Position>, path: string): Position {
  let current = path;
  while (true) {
    const position = positions.get(current);
    if (position !== undefined || current === '') return position ?? { line: 1, column: 1 };
    current = current.slice(0, Math.max(current.lastIndexOf('.'), current.lastIndexOf('['), 0));
  }
}

const joinPath = (prefix: string, path: string): string =>
  prefix === '' || path === '' ? prefix + path : `${prefix}.${path}`;
