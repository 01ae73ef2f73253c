/**
 * Gives a tree the type that it should have, strictly: an unknown field, a wrong type or a missing required field
 * is an error with its path, and all errors are collected. Null counts as absent, as in the Kubernetes API.
 */
import { child, type FieldError, type FieldErrorReason, index, shown } from './errors.ts';
import { nearestName } from './nearest.ts';
import { parseQuantity } from './quantity.ts';
import { type Field, type FieldType, fieldsOf, objectTypeOf, type ScalarType, typeLabel } from './schema.ts';
import type { Position, Tree } from './tree.ts';

export interface LocatedFieldError extends FieldError {
  at: Position;
}

export interface DecodedTree {
  value: unknown;
  errors: LocatedFieldError[];
  /** Where each field path was written, for errors that are found later. */
  positions: Map<string, Position>;
}

export function decodeTree(typeName: string, tree: Tree, path = ''): DecodedTree {
  const decoder = new Decoder(typeName === 'Secret');
  const value = decoder.object(typeName, tree, path, []);
  const errors = [...decoder.errors, ...decoder.omitted(tree.at, path)];
  return { value, errors, positions: decoder.positions };
}

/** Nobody reads more, and a hostile text has as many as it has bytes. Unknown fields, which may be pardoned, apart. */
const maxErrors = 100;
/** To find out what was meant takes a look at every known field. */
const maxSuggestions = 20;

/** An object on the way down to the field at hand: where a misplaced field may belong instead. */
interface Ancestor {
  typeName: string;
  path: string;
}

class Decoder {
  readonly errors: LocatedFieldError[] = [];
  readonly positions = new Map<string, Position>();
  #unknownCount = 0;
  #brokenCount = 0;
  /** Values of a secret are not shown: errors go to logs and events. */
  readonly #isSecret: boolean;

  constructor(isSecret: boolean) {
    this.#isSecret = isSecret;
  }

  /** How many errors are not among those collected, as errors themselves. */
  omitted(at: Position, path: string): LocatedFieldError[] {
    const unknown = this.#unknownCount - maxErrors;
    const broken = this.#brokenCount - maxErrors;
    const more = (reason: FieldErrorReason, message: string): LocatedFieldError => ({
      at,
      path,
      reason,
      message,
    });
    return [
      ...(unknown > 0 ? [more('FieldUnknown', `and ${unknown} more unknown fields`)] : []),
      ...(broken > 0 ? [more('FieldValueTypeInvalid', `and ${broken} more errors`)] : []),
    ];
  }

  #add(error: LocatedFieldError): void {
    const count = error.reason === 'FieldUnknown' ? ++this.#unknownCount : ++this.#brokenCount;
    if (count <= maxErrors) this.errors.push(error);
  }

  object(typeName: string, tree: Tree, path: string, ancestors: readonly Ancestor[]): unknown {
    this.positions.set(path, tree.at);
    if (tree.kind !== 'map') return this.#wrongType(tree, path, `a ${typeName} (a mapping of fields)`);
    const fields = fieldsOf(typeName);
    const here = [...ancestors, { typeName, path }];
    const result: Record<string, unknown> = {};
    const meant = new Set<string>();
    for (const entry of tree.entries) {
      const field = fields.get(entry.key);
      if (field === undefined) meant.add(this.#unknownField(entry.key, entry.at, here));
      else if (!isNull(entry.value)) {
        const fieldPath = child(path, entry.key);
        const value = this.#value(field.type, entry.value, fieldPath, here);
        this.positions.set(fieldPath, entry.at);
        if (value !== undefined) result[entry.key] = value;
      }
    }
    for (const field of fields.values()) {
      // A field that is there under a misspelt name is not missing as well.
      if (field.isRequired && !meant.has(field.name)) this.#requireField(field, tree, path);
    }
    return result;
  }

  #requireField(field: Field, tree: Tree & { kind: 'map' }, path: string): void {
    const entry = tree.entries.find(({ key }) => key === field.name);
    if (entry !== undefined && !isNull(entry.value)) return;
    this.#add({
      at: entry?.at ?? tree.at,
      path: child(path, field.name),
      reason: 'FieldValueRequired',
      message: `is required: give ${typeLabel(field.type)}`,
      expected: typeLabel(field.type),
    });
  }

  #value(type: FieldType, tree: Tree, path: string, ancestors: readonly Ancestor[]): unknown {
    this.positions.set(path, tree.at);
    switch (type.kind) {
      case 'object':
        return this.object(type.typeName, tree, path, ancestors);
      case 'list':
        if (tree.kind !== 'list') return this.#wrongType(tree, path, typeLabel(type), listHint(tree));
        return tree.items.map((item, position) =>
          this.#value(type.of, item, index(path, position), ancestors),
        );
      case 'map': {
        if (tree.kind !== 'map') return this.#wrongType(tree, path, typeLabel(type));
        return Object.fromEntries(
          tree.entries.map(({ key, at, value }) => {
            const entryPath = index(path, key);
            // An empty entry of a map is an empty string to the API, not an absent one.
            const item = isNull(value) ? '' : this.#value(type.of, value, entryPath, ancestors);
            this.positions.set(entryPath, at);
            return [key, item];
          }),
        );
      }
      case 'scalar':
        return this.#scalar(type.scalar, tree, path);
    }
  }

  #scalar(type: ScalarType, tree: Tree, path: string): unknown {
    if (type === 'any') return plainValue(tree);
    const label = typeLabel({ kind: 'scalar', scalar: type });
    if (tree.kind !== 'scalar') return this.#wrongType(tree, path, label);
    const { value } = tree;
    switch (type) {
      case 'string':
        return typeof value === 'string'
          ? value
          : this.#wrongType(tree, path, label, quoteHint(tree, this.#isHidden(path)));
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#wrongType(tree, path, label, unquoteHint(tree));
      case 'number':
        return typeof value === 'number' && Number.isFinite(value)
          ? value
          : this.#wrongType(tree, path, label, unquoteHint(tree));
      case 'int':
      case 'int32':
        return this.#integer(type, tree, path, label);
      case 'intOrString':
        if (typeof value === 'string') return value;
        return this.#integer('int32', tree, path, label);
      case 'quantity': {
        const text = typeof value === 'number' ? String(value) : value;
        if (typeof text === 'string' && parseQuantity(text) !== undefined) return text;
        return this.#wrongType(tree, path, label, quantityHint(text));
      }
      case 'time':
        return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value))
          ? value
          : this.#wrongType(tree, path, label);
      case 'byte': {
        const text = typeof value === 'string' ? value.replace(/[\r\n]/g, '') : value;
        if (typeof text === 'string' && BASE64.test(text)) return text;
        return this.#wrongType(
          tree,
          path,
          label,
          '; plain text belongs into stringData (Secret) or data (ConfigMap)',
        );
      }
    }
  }

  #integer(type: 'int' | 'int32', tree: Tree & { kind: 'scalar' }, path: string, label: string): unknown {
    const { value } = tree;
    if (typeof value !== 'number') return this.#wrongType(tree, path, label, unquoteHint(tree));
    const limit = type === 'int32' ? 2 ** 31 : 2 ** 53;
    return Number.isInteger(value) && value >= -limit && value < limit
      ? value
      : this.#wrongType(tree, path, label);
  }

  #isHidden(path: string): boolean {
    return this.#isSecret && SECRET_VALUE.test(path);
  }

  #wrongType(tree: Tree, path: string, expected: string, hint = ''): undefined {
    const found = describe(tree, this.#isHidden(path));
    this.#add({
      at: tree.at,
      path,
      reason: 'FieldValueTypeInvalid',
      message: `must be ${expected}, not ${found}${hint}`,
      found,
      expected,
    });
  }

  /** Returns the name or path of the field that was probably meant; the list of all when that is not clear. */
  #unknownField(name: string, at: Position, here: readonly Ancestor[]): string {
    const { typeName, path } = here.at(-1)!;
    const suggestion = this.#unknownCount < maxSuggestions ? suggestField(name, here) : undefined;
    const expected = suggestion?.expected ?? [...fieldsOf(typeName).keys()].join(', ');
    this.#add({
      at,
      path: child(path, name),
      reason: 'FieldUnknown',
      message: `${typeName} has no field "${name}"${suggestion === undefined ? '' : `: ${suggestion.text}`}`,
      found: name,
      expected,
    });
    return expected;
  }
}

const SECRET_VALUE = /(^|\.)(data|stringData)\[/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

interface Suggestion {
  text: string;
  /** Name or path of the field that was probably meant. */
  expected: string;
}

function suggestField(name: string, here: readonly Ancestor[]): Suggestion | undefined {
  const { typeName, path } = here.at(-1)!;
  const fields = fieldsOf(typeName);
  const otherCase = [...fields.keys()].find((known) => known.toLowerCase() === name.toLowerCase());
  if (otherCase !== undefined) {
    return { text: `did you mean "${otherCase}"? Upper and lower case matter`, expected: otherCase };
  }
  const above = here.slice(0, -1).findLast((ancestor) => fieldsOf(ancestor.typeName).has(name));
  if (above !== undefined) {
    const levels = here.length - 1 - here.indexOf(above);
    const place = above.path === '' ? 'the top of the document' : above.path;
    return {
      text: `it is ${levels === 1 ? 'one level' : `${levels} levels`} too deep and belongs into ${place}`,
      expected: child(above.path, name),
    };
  }
  for (const field of fields.values()) {
    const inner = objectTypeOf(field.type);
    if (inner === undefined || !fieldsOf(inner).has(name)) continue;
    const place = `${child(path, field.name)}${field.type.kind === 'object' ? '' : '[]'}`;
    return { text: `it is one level too high and belongs into ${place}`, expected: child(place, name) };
  }
  const nearest = nearestName(name, fields.keys());
  return nearest === undefined ? undefined : { text: `did you mean "${nearest}"?`, expected: nearest };
}

const isNull = (tree: Tree): boolean => tree.kind === 'scalar' && tree.value === null;

function describe(tree: Tree, isHidden: boolean): string {
  if (tree.kind !== 'scalar') return tree.kind === 'map' ? 'a mapping' : 'a list';
  const { value } = tree;
  if (value === null) return 'nothing';
  return isHidden ? `a ${typeof value} (hidden)` : `the ${typeof value} ${shown(value)}`;
}

/** An unquoted scalar that YAML took for a number or boolean: what to write instead. */
function quoteHint(tree: Tree & { kind: 'scalar' }, isHidden: boolean): string {
  if (tree.value === null) return '';
  return isHidden ? '; put it in quotes' : `; put it in quotes: "${tree.source ?? String(tree.value)}"`;
}

function unquoteHint({ value }: Tree & { kind: 'scalar' }): string {
  const isReadable = typeof value === 'string' && /^(true|false|-?\d+(\.\d+)?)$/.test(value);
  return isReadable ? `; write it without quotes: ${value}` : '';
}

const listHint = (tree: Tree): string => (tree.kind === 'list' ? '' : '; start each item with "- "');

const quantityHint = (text: unknown): string =>
  typeof text === 'string' && /\d\s*(K|kb|kib|mb|mib|gb|gib)$/i.test(text)
    ? '; the suffixes are k, M, G (powers of 1000) and Ki, Mi, Gi (powers of 1024)'
    : '';

function plainValue(tree: Tree): unknown {
  if (tree.kind === 'list') return tree.items.map(plainValue);
  if (tree.kind === 'map')
    return Object.fromEntries(tree.entries.map(({ key, value }) => [key, plainValue(value)]));
  return tree.value;
}
