/**
 * The kinds of values that configuration fields have, and how each is read, strictly, from a file's tree or from the
 * text of a flag. Files and flags share one reader: a flag's text is first made the tree that a file would give.
 */

import type { Taint } from '../api/core.gen.ts';
import { parseQuantity } from '../api/quantity.ts';
import { nowhere, type Position, type Tree } from '../api/tree.ts';
import { parseDuration } from './duration.ts';

/** What a field of each kind holds once it is read. Durations are milliseconds. */
export interface KindValues {
  string: string;
  bool: boolean;
  int: number;
  float: number;
  duration: number;
  quantity: string;
  strings: string[];
  stringMap: Record<string, string>;
  /** As stringMap; in a flag a name alone has an empty value. */
  labels: Record<string, string>;
  boolMap: Record<string, boolean>;
  durationMap: Record<string, number>;
  quantityMap: Record<string, string>;
  /** A duration that may be a number of nanoseconds too, as Go writes one that has no text form. */
  durationOrNs: number;
  /** Eviction thresholds: a quantity or a percentage. */
  thresholdMap: Record<string, string>;
  taints: Taint[];
  /** Of what only fields that are not followed yet hold: kept as it is. */
  list: unknown[];
  listMap: Record<string, string[]>;
}

export type FieldKind = keyof KindValues;
export type FieldValue = KindValues[FieldKind];

/** A value that cannot be one of its kind. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  readonly at: Position;
  /** Below the field, e.g. `[memory]` or `[2]`. */
  readonly subPath: string;
  constructor(at: Position, message: string, subPath = '') {
    super(message);
    this.at = at;
    this.subPath = subPath;
  }
}

/** @throws ValueError */
export function readValue<K extends FieldKind>(kind: K, tree: Tree): KindValues[K] {
  return readers[kind](tree);
}

/** What a file would have had in place of the flag's text. */
export function flagTree(kind: FieldKind, text: string): Tree {
  const scalar = (value: string | number | boolean): Tree => ({ kind: 'scalar', at: nowhere, value });
  switch (kind) {
    case 'bool':
      return scalar(goBooleans.get(text) ?? text);
    case 'int':
    case 'float':
      return scalar(/^[-+]?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
    case 'strings':
    case 'list':
      return { kind: 'list', at: nowhere, items: split(text).map(scalar) };
    case 'taints':
      return { kind: 'list', at: nowhere, items: split(text).map(taintTree) };
    case 'boolMap':
      return mapTree(text, '=', (value) => scalar(goBooleans.get(value) ?? value));
    case 'thresholdMap':
      // The kubelet's flags write `memory.available<1Gi` for a threshold and `=` for what to reclaim.
      return mapTree(text, text.includes('<') ? '<' : '=', scalar);
    case 'labels':
      return mapTree(
        split(text)
          .map((label) => (label.includes('=') ? label : `${label}=`))
          .join(','),
        '=',
        scalar,
      );
    case 'stringMap':
    case 'durationMap':
    case 'quantityMap':
      return mapTree(text, '=', scalar);
    case 'listMap':
      return mapTree(text, ':', (value) => ({ kind: 'list', at: nowhere, items: [scalar(value)] }));
    default:
      return scalar(text);
  }
}

/** As a sentence goes on after "must be". */
const kindLabels: Readonly<Record<FieldKind, string>> = {
  string: 'a string',
  bool: 'true or false',
  int: 'a whole number',
  float: 'a number',
  duration: 'a duration such as 1m30s',
  durationOrNs: 'a duration such as 1m30s',
  quantity: 'a quantity such as 10Mi',
  strings: 'a list of strings',
  stringMap: 'a mapping of names to strings',
  labels: 'a mapping of names to strings',
  boolMap: 'a mapping of names to true or false',
  durationMap: 'a mapping of names to durations such as 1m30s',
  quantityMap: 'a mapping of resources to quantities such as 500m or 1Gi',
  thresholdMap: 'a mapping of signals to quantities or percentages such as 100Mi or 10%',
  taints: 'a list of taints',
  list: 'a list',
  listMap: 'a mapping of names to lists of strings',
};

/** strconv.ParseBool. */
const goBooleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false] as const),
]);

const split = (text: string): string[] => (text === '' ? [] : text.split(',').map((part) => part.trim()));

function mapTree(text: string, separator: string, toTree: (value: string) => Tree): Tree {
  const entries = split(text).map((pair) => {
    const at = pair.indexOf(separator);
    if (at < 0) throw new ValueError(nowhere, `'${pair}' has no '${separator}' between name and value`);
    return { key: pair.slice(0, at).trim(), at: nowhere, value: toTree(pair.slice(at + 1).trim()) };
  });
  return { kind: 'map', at: nowhere, entries };
}

/** `key=value:effect` or `key:effect`, as kubectl taint writes it. */
function taintTree(text: string): Tree {
  const [, key = '', value = '', effect = ''] = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(text) ?? [];
  if (key === '') throw new ValueError(nowhere, `'${text}' is no taint such as key=value:NoSchedule`);
  const entries = Object.entries({ key, value, effect }).map(([name, part]) => ({
    key: name,
    at: nowhere,
    value: { kind: 'scalar', at: nowhere, value: part } as const,
  }));
  return { kind: 'map', at: nowhere, entries };
}

const readers: { readonly [K in FieldKind]: (tree: Tree) => KindValues[K] } = {
  string: (tree) => readString(tree, 'string'),
  bool: (tree) => {
    if (tree.kind === 'scalar' && typeof tree.value === 'boolean') return tree.value;
    throw wrongKind('bool', tree);
  },
  int: (tree) => {
    if (tree.kind === 'scalar' && Number.isSafeInteger(tree.value)) return Number(tree.value);
    throw wrongKind('int', tree);
  },
  float: (tree) => {
    if (tree.kind === 'scalar' && Number.isFinite(tree.value)) return Number(tree.value);
    throw wrongKind('float', tree);
  },
  duration: readDuration,
  durationOrNs: (tree) =>
    tree.kind === 'scalar' && typeof tree.value === 'number' && tree.value >= 0
      ? tree.value / 1e6
      : readDuration(tree),
  quantity: readQuantity,
  strings: (tree) =>
    readList(tree, 'strings').map((item, i) => below(`[${i}]`, () => readString(item, 'string'))),
  stringMap: (tree) => readMap(tree, 'stringMap', (value) => readString(value, 'string')),
  labels: (tree) => readers.stringMap(tree),
  boolMap: (tree) => readMap(tree, 'boolMap', (value) => readers.bool(value)),
  durationMap: (tree) => readMap(tree, 'durationMap', readDuration),
  quantityMap: (tree) => readMap(tree, 'quantityMap', readQuantity),
  thresholdMap: (tree) => readMap(tree, 'thresholdMap', readThreshold),
  taints: (tree) => readList(tree, 'taints').map((item, i) => below(`[${i}]`, () => readTaint(item))),
  list: (tree) => readList(tree, 'list').map(plain),
  listMap: (tree) => readMap(tree, 'listMap', (value) => readers.strings(value)),
};

function readString(tree: Tree, kind: FieldKind): string {
  if (tree.kind === 'scalar' && typeof tree.value === 'string') return tree.value;
  throw wrongKind(kind, tree);
}

function readDuration(tree: Tree): number {
  const isZero = tree.kind === 'scalar' && tree.value === 0;
  const ms = isZero ? 0 : parseDuration(readString(tree, 'duration'));
  if (ms === undefined) throw wrongKind('duration', tree);
  if (ms < 0) throw new ValueError(tree.at, 'must not be negative');
  return ms;
}

function readQuantity(tree: Tree): string {
  const text = scalarText(tree);
  if (text === undefined || !parseQuantity(text)) throw wrongKind('quantity', tree);
  return text;
}

function readTaint(tree: Tree): Taint {
  const {
    key = '',
    value,
    effect = '',
    ...rest
  } = readMap(tree, 'taints', (part) => readString(part, 'string'));
  const [unknown] = Object.keys(rest).filter((name) => name !== 'timeAdded');
  if (unknown !== undefined) throw new ValueError(tree.at, 'is not a field of a taint', `.${unknown}`);
  if (key === '') throw new ValueError(tree.at, 'must be set', '.key');
  if (!taintEffects.includes(effect))
    throw new ValueError(tree.at, `must be one of ${taintEffects.join(', ')}, not '${effect}'`, '.effect');
  return { key, ...(value ? { value } : {}), effect };
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function readThreshold(tree: Tree): string {
  const text = scalarText(tree);
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text ?? '')?.[1];
  if (percent !== undefined) {
    if (Number(percent) <= 100) return text!;
    throw new ValueError(tree.at, 'must not be more than 100%');
  }
  const quantity = parseQuantity(text ?? '');
  if (!quantity) throw new ValueError(tree.at, 'must be a quantity or a percentage, such as 100Mi or 10%');
  if (quantity.nano < 0n) throw new ValueError(tree.at, 'must not be negative');
  return text!;
}

/** YAML takes `cpu: 1` for a number; the field means the quantity "1". */
function scalarText(tree: Tree): string | undefined {
  if (tree.kind !== 'scalar') return undefined;
  if (typeof tree.value === 'number') return String(tree.value);
  return typeof tree.value === 'string' ? tree.value : undefined;
}

function readList(tree: Tree, kind: FieldKind): Tree[] {
  if (tree.kind === 'list') return tree.items;
  throw wrongKind(kind, tree);
}

function readMap<V>(tree: Tree, kind: FieldKind, read: (value: Tree) => V): Record<string, V> {
  if (tree.kind !== 'map') throw wrongKind(kind, tree);
  return Object.fromEntries(
    tree.entries.map(({ key, value }) => [key, below(`[${key}]`, () => read(value))]),
  );
}

/** Adds where in the field the error is. */
function below<T>(subPath: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(error.at, error.message, `${subPath}${error.subPath}`);
  }
}

function plain(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plain);
  return Object.fromEntries(tree.entries.map(({ key, value }) => [key, plain(value)]));
}

const wrongKind = (kind: FieldKind, tree: Tree): ValueError =>
  new ValueError(tree.at, `must be ${kindLabels[kind]}, not ${describe(tree)}`);

function describe(tree: Tree): string {
  if (tree.kind === 'map') return 'a mapping';
  if (tree.kind === 'list') return 'a list';
  return tree.value === null ? 'nothing' : `the ${typeof tree.value} ${JSON.stringify(tree.value)}`;
}
