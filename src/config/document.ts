/**
 * Reads a configuration file: one or several YAML or JSON documents, each a KubeletConfiguration or a
 * RosletConfiguration. Strict: what is unknown, written twice or of the wrong type is a problem with its place.
 */
import { dirname, resolve } from 'node:path';
import { nearestName } from '../api/nearest.ts';
import { entryOf, type MapEntry, type Position, type Tree, textOf } from '../api/tree.ts';
import { parseYaml } from '../api/yaml.ts';
import { kubeletFields } from './kubelet-fields.ts';
import { laterFields, mootFields } from './later-fields.ts';
import type { ConfigProblem } from './problems.ts';
import { rosletFields } from './roslet-fields.ts';
import { type FieldTable, isZero, limitProblem, type Settings } from './settings.ts';
import { type FieldValue, readValue, ValueError } from './values.ts';

export interface ConfigDocument {
  kind: ConfigKind;
  settings: Settings;
}

export type ConfigKind = keyof typeof tables;

export const knownKubeletFields: FieldTable = { ...kubeletFields, ...laterFields, ...mootFields };

export function readConfigFile(
  text: string,
  file: string,
): { documents: ConfigDocument[]; problems: ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const documents: ConfigDocument[] = [];
  const place = ({ line, column }: Position) => `${file}:${line}:${column}`;
  for (const { tree, errors } of parseYaml(text)) {
    for (const { at, message } of errors) problems.push({ source: place(at), path: '', message });
    if (!tree) continue;
    const kind = documentKind(tree);
    if (kind instanceof ValueError) {
      problems.push({ source: place(kind.at), path: kind.subPath, message: kind.message });
      continue;
    }
    documents.push({ kind, settings: readSettings(tables[kind], tree, file, place, problems) });
  }
  return { documents, problems };
}

const tables = { KubeletConfiguration: knownKubeletFields, RosletConfiguration: rosletFields as FieldTable };

const apiVersions: Readonly<Record<ConfigKind, string>> = {
  KubeletConfiguration: 'kubelet.config.k8s.io/v1beta1',
  RosletConfiguration: 'roslet.dev/v1alpha1',
};

function documentKind(tree: Tree): ConfigKind | ValueError {
  const known = Object.keys(apiVersions) as ConfigKind[];
  const kindTree = entryOf(tree, 'kind');
  const kind = known.find((name) => name === textOf(kindTree));
  if (!kind) {
    return new ValueError(kindTree?.at ?? tree.at, `must be ${known.join(' or ')}`, 'kind');
  }
  const versionTree = entryOf(tree, 'apiVersion');
  if (textOf(versionTree) === apiVersions[kind]) return kind;
  return new ValueError(
    versionTree?.at ?? tree.at,
    `of a ${kind} must be ${apiVersions[kind]}`,
    'apiVersion',
  );
}

function readSettings(
  table: FieldTable,
  root: Tree,
  file: string,
  place: (at: Position) => string,
  problems: ConfigProblem[],
): Settings {
  const settings: Settings = new Map();

  function readEntries(entries: readonly MapEntry[], prefix: string): void {
    for (const { key, at, value } of entries) {
      const path = `${prefix}${key}`;
      const inner = fieldsBelow(table, `${path}.`);
      if (Object.hasOwn(table, path)) readField(path, at, value);
      else if (inner.length > 0 && value.kind === 'map') readEntries(value.entries, `${path}.`);
      else if (inner.length > 0 && isNull(value)) for (const field of inner) settings.set(field, null);
      else if (inner.length > 0)
        problems.push({ source: place(at), path, message: 'must be a mapping of fields' });
      else problems.push({ source: place(at), path, message: unknownField(table, key, prefix) });
    }
  }

  function readField(path: string, at: Position, tree: Tree): void {
    const source = place(at);
    if (isNull(tree)) {
      settings.set(path, null);
      return;
    }
    const spec = table[path]!;
    try {
      let value: FieldValue = readValue(spec.kind, tree);
      if (spec.isPath && typeof value === 'string' && value) value = resolve(dirname(file), value);
      const problem = spec.zeroIsValue || !isZero(value) ? limitProblem(spec, value) : undefined;
      if (problem) problems.push({ source: place(tree.at), path, message: problem });
      settings.set(path, { value, source });
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({ source: place(error.at), path: `${path}${error.subPath}`, message: error.message });
    }
  }

  if (root.kind === 'map') {
    readEntries(
      root.entries.filter(({ key }) => key !== 'apiVersion' && key !== 'kind'),
      '',
    );
  }
  return settings;
}

const isNull = (tree: Tree): boolean => tree.kind === 'scalar' && tree.value === null;

const fieldsBelow = (table: FieldTable, prefix: string): string[] =>
  Object.keys(table).filter((path) => path.startsWith(prefix));

function unknownField(table: FieldTable, key: string, prefix: string): string {
  const siblings = new Set(
    fieldsBelow(table, prefix).map((path) => path.slice(prefix.length).split('.')[0]!),
  );
  const elsewhere = Object.keys(table).find((path) => path.split('.').at(-1) === key);
  const meant = nearestName(key, siblings) ?? elsewhere;
  return meant ? `is not a known field; did you mean ${meant}?` : 'is not a known field';
}
