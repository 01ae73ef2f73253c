/**
 * Type hashes (REP 2016): `RIHS01_` and the SHA-256 of the description of a type with all that it refers to, as JSON
 * with exactly `", "` and `": "` between tokens. Two peers whose hashes differ do not mean the same type.
 */
import { createHash } from 'node:crypto';
import {
  EMPTY_STRUCT_FIELD,
  type FieldDefinition,
  type MessageDefinition,
  type PrimitiveName,
  type ServiceDefinition,
} from './definition.ts';

/** Finds the definition of a type that another refers to. */
export type FindDefinition = (name: string) => MessageDefinition;

export function messageTypeHash(definition: MessageDefinition, find: FindDefinition): string {
  return hashOf(definition, find);
}

/** A service is described as a type with three members, the last one being what introspection publishes of each call. */
export function serviceTypeHash(
  { name, request, response }: ServiceDefinition,
  find: FindDefinition,
): string {
  const atMostOne = { kind: 'sequence', bound: 1 } as const;
  const event: MessageDefinition = {
    name: `${name}_Event`,
    constants: [],
    fields: [
      { name: 'info', type: { message: 'service_msgs/msg/ServiceEventInfo' } },
      { name: 'request', type: { message: request.name }, array: atMostOne },
      { name: 'response', type: { message: response.name }, array: atMostOne },
    ],
  };
  const service: MessageDefinition = {
    name,
    constants: [],
    fields: [
      { name: 'request_message', type: { message: request.name } },
      { name: 'response_message', type: { message: response.name } },
      { name: 'event_message', type: { message: event.name } },
    ],
  };
  const own = new Map([request, response, event].map((definition) => [definition.name, definition]));
  return hashOf(service, (wanted) => own.get(wanted) ?? find(wanted));
}

function hashOf(root: MessageDefinition, find: FindDefinition): string {
  const referenced = new Map<string, MessageDefinition>();
  const collect = ({ fields }: MessageDefinition): void => {
    for (const { type } of fields) {
      if (!('message' in type) || referenced.has(type.message)) continue;
      const definition = find(type.message);
      referenced.set(type.message, definition);
      collect(definition);
    }
  };
  collect(root);
  const names = [...referenced.keys()].sort();
  const description = {
    type_description: describe(root),
    referenced_type_descriptions: names.map((name) => describe(referenced.get(name)!)),
  };
  // Names hold no white space, so what JSON.stringify breaks into lines can be joined again the way that is wanted.
  const json = JSON.stringify(description, undefined, 1).replace(/,\n */g, ', ').replace(/\n */g, '');
  return `RIHS01_${createHash('sha256').update(json).digest('hex')}`;
}

function describe({ name, fields }: MessageDefinition): object {
  const members: FieldDefinition[] =
    fields.length > 0 ? fields : [{ name: EMPTY_STRUCT_FIELD, type: { primitive: 'uint8' } }];
  return {
    type_name: name,
    fields: members.map((field) => ({ name: field.name, type: describeType(field) })),
  };
}

const NESTED_TYPE = 1;
const TYPE_IDS: Record<PrimitiveName, number> = {
  int8: 2,
  uint8: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float32: 10,
  float64: 11,
  bool: 15,
  byte: 16,
  string: 17,
  wstring: 18,
};
/** Added to the id of string and wstring when their length is bounded, and to that of an element. */
const BOUNDED_STRING = 4;
const ARRAY = 48;
const BOUNDED_SEQUENCE = 96;
const UNBOUNDED_SEQUENCE = 144;

function describeType({ type, array }: FieldDefinition): object {
  let id: number;
  let stringCapacity = 0;
  let nestedName = '';
  if ('message' in type) {
    id = NESTED_TYPE;
    nestedName = type.message;
  } else {
    stringCapacity = type.stringBound ?? 0;
    id = TYPE_IDS[type.primitive] + (type.stringBound === undefined ? 0 : BOUNDED_STRING);
  }
  let capacity = 0;
  if (array?.kind === 'array') {
    id += ARRAY;
    capacity = array.length;
  } else if (array?.kind === 'sequence') {
    id += array.bound === undefined ? UNBOUNDED_SEQUENCE : BOUNDED_SEQUENCE;
    capacity = array.bound ?? 0;
  }
  return { type_id: id, capacity, string_capacity: stringCapacity, nested_type_name: nestedName };
}
