/**
 * Reads interface definitions (.msg and .srv) as ROS 2 defines them: one field or constant a line, a service's request
 * and response divided by `---`. Parsing a line is @foxglove/rosmsg's; what it leaves out (which `uint8` was a `byte`,
 * which package a short name belongs to) is added here, because type hashes and lookups need it.
 */
import { parse } from '@foxglove/rosmsg';
import { messageOf } from '../../src/error-message.ts';

/** What a message without fields carries instead: IDL has no empty structs. */
export const EMPTY_STRUCT_FIELD = 'structure_needs_at_least_one_member';

export type PrimitiveName =
  | 'bool'
  | 'byte'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64'
  | 'string'
  | 'wstring';

export type FieldValue = boolean | number | bigint | string;

export type ArrayShape =
  | { kind: 'array'; length: number }
  /** `bound`: at most so many. */
  | { kind: 'sequence'; bound?: number };

export interface FieldDefinition {
  name: string;
  type: { primitive: PrimitiveName; stringBound?: number } | { message: string };
  array?: ArrayShape;
  defaultValue?: FieldValue | FieldValue[];
}

export interface ConstantDefinition {
  name: string;
  value: FieldValue;
}

export interface MessageDefinition {
  /** `package/msg/Name`, `package/srv/Name_Request` … */
  name: string;
  fields: FieldDefinition[];
  constants: ConstantDefinition[];
}

export interface ServiceDefinition {
  /** `package/srv/Name` */
  name: string;
  request: MessageDefinition;
  response: MessageDefinition;
}

/** @throws Error with a sentence that names the type when the text is not a message definition. */
export function parseMessage(name: string, text: string): MessageDefinition {
  try {
    return build(name, text);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new Error(`The definition of ${name} cannot be read: ${reason}`, { cause });
  }
}

export function parseService(name: string, text: string): ServiceDefinition {
  const [request, response, ...more] = text.split(/^---\s*$/m);
  if (request === undefined || response === undefined || more.length > 0) {
    throw new Error(`The definition of ${name} cannot be read: a service has one line of "---"`);
  }
  return {
    name,
    request: parseMessage(`${name}_Request`, request),
    response: parseMessage(`${name}_Response`, response),
  };
}

type ParsedLine = ReturnType<typeof parse>[number]['definitions'][number];

function build(name: string, text: string): MessageDefinition {
  const [packageName] = name.split('/');
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const definition: MessageDefinition = { name, fields: [], constants: [] };
  if (lines.length === 0) return definition;
  // One after the other: which line a field came from tells whether it was a byte.
  for (const line of lines) {
    const parsed = parse(line, { ros2: true, skipTypeFixup: true })[0]?.definitions[0];
    if (parsed === undefined) throw new Error(`Could not parse line: '${line}'`);
    if (parsed.isConstant) {
      definition.constants.push({ name: parsed.name, value: constantValue(parsed) });
    } else {
      definition.fields.push(field(parsed, line, packageName!));
    }
  }
  return definition;
}

function constantValue({ name, value }: ParsedLine): FieldValue {
  if (value === undefined || value === null) throw new Error(`Constant ${name} has no value`);
  return value;
}

function field(parsed: ParsedLine, line: string, packageName: string): FieldDefinition {
  const built: FieldDefinition = { name: parsed.name, type: fieldType(parsed, line, packageName) };
  if (parsed.isArray) {
    built.array =
      parsed.arrayLength === undefined
        ? { kind: 'sequence', ...(parsed.arrayUpperBound !== undefined && { bound: parsed.arrayUpperBound }) }
        : { kind: 'array', length: parsed.arrayLength };
  }
  if (parsed.defaultValue !== undefined)
    built.defaultValue = parsed.defaultValue as FieldValue | FieldValue[];
  return built;
}

function fieldType(parsed: ParsedLine, line: string, packageName: string): FieldDefinition['type'] {
  const { type, upperBound } = parsed;
  if (type === 'time') return { message: 'builtin_interfaces/msg/Time' };
  if (type === 'duration') return { message: 'builtin_interfaces/msg/Duration' };
  if (parsed.isComplex) return { message: qualified(type, packageName) };
  if (/^byte\b/.test(line)) return { primitive: 'byte' };
  return { primitive: type as PrimitiveName, ...(upperBound !== undefined && { stringBound: upperBound }) };
}

/** `Name`, `package/Name` and `package/msg/Name` are the same thing in a definition. */
function qualified(type: string, packageName: string): string {
  const parts = type.split('/');
  const name = parts.at(-1)!;
  return `${parts.length > 1 ? parts[0] : packageName}/msg/${name}`;
}
