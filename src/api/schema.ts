/** The generated field tables, parsed: what fields a type has, and where a field that a type lacks would belong. */
import { coreSchema } from './core.gen.ts';

export const scalarTypes = [
  'string',
  'boolean',
  'number',
  'int',
  'int32',
  'byte',
  'quantity',
  'time',
  'intOrString',
  'any',
] as const;
export type ScalarType = (typeof scalarTypes)[number];

export type FieldType =
  | { kind: 'scalar'; scalar: ScalarType }
  | { kind: 'object'; typeName: string }
  | { kind: 'list'; of: FieldType }
  | { kind: 'map'; of: FieldType };

export interface Field {
  name: string;
  type: FieldType;
  isRequired: boolean;
}

export type FieldTable = ReadonlyMap<string, Field>;

const tables = new Map<string, FieldTable>();

/** Fields of a type of `coreSchema`. Throws for a name that it does not have: a mistake in our code. */
export function fieldsOf(typeName: string): FieldTable {
  let table = tables.get(typeName);
  if (table === undefined) {
    const text = coreSchema[typeName];
    if (text === undefined) throw new Error(`coreSchema has no type ${typeName}`);
    table = new Map(text.split(',').map((entry) => [fieldName(entry), parseField(entry)]));
    tables.set(typeName, table);
  }
  return table;
}

/** The object type that a field holds, directly or in a list or map. */
export function objectTypeOf(type: FieldType): string | undefined {
  if (type.kind === 'object') return type.typeName;
  return type.kind === 'scalar' ? undefined : objectTypeOf(type.of);
}

/** How a type is called in messages. */
export function typeLabel(type: FieldType): string {
  switch (type.kind) {
    case 'list':
      return `a list of ${pluralLabel(type.of)}`;
    case 'map':
      return `a mapping of names to ${pluralLabel(type.of)}`;
    case 'object':
      return `a ${type.typeName} (a mapping of fields)`;
    case 'scalar':
      return scalarLabels[type.scalar];
  }
}

const scalarLabels: Record<ScalarType, string> = {
  string: 'a string',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  int32: 'a whole number of 32 bits',
  byte: 'base64 text',
  quantity: 'a quantity such as 500m, 2 or 64Mi',
  time: 'a time such as 2026-01-31T12:00:00Z',
  intOrString: 'a whole number or a string',
  any: 'any value',
};

function pluralLabel(type: FieldType): string {
  if (type.kind === 'object') return `${type.typeName} objects`;
  if (type.kind !== 'scalar') return 'values';
  return type.scalar === 'string' ? 'strings' : type.scalar === 'quantity' ? 'quantities' : 'values';
}

const fieldName = (entry: string): string => /^[^!:]+/.exec(entry)![0];

function parseField(entry: string): Field {
  const [left, code] = entry.split(':') as [string, string];
  return { name: fieldName(entry), isRequired: left.endsWith('!'), type: parseType(code) };
}

function parseType(code: string): FieldType {
  if (code.startsWith('[]')) return { kind: 'list', of: parseType(code.slice(2)) };
  if (code.startsWith('{}')) return { kind: 'map', of: parseType(code.slice(2)) };
  const scalar = scalarTypes.find((name) => name === code);
  return scalar === undefined ? { kind: 'object', typeName: code } : { kind: 'scalar', scalar };
}
