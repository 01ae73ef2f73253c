/**
 * Message types that roslet does not know by itself, from the definitions that ROS 2 packages install:
 * `share/PACKAGE/msg/NAME.msg` below each prefix of AMENT_PREFIX_PATH. The name of a type comes from the network, so it
 * has to look like one before it becomes a path.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MessageField } from './codec.ts';
import { type FieldDefinition, type MessageDefinition, parseMessage } from './definition.ts';
import { messages } from './gen/index.ts';
import { RosMessage } from './message.ts';
import { messageTypeHash } from './type-hash.ts';

/** Its message is a sentence with the fix. */
export class UnknownTypeError extends Error {
  override readonly name = 'UnknownTypeError';
}

/**
 * @param prefixes those of AMENT_PREFIX_PATH; the first one that has the type counts
 * @throws UnknownTypeError when there is no such type or it cannot be decoded
 */
export async function findMessageType(
  name: string,
  prefixes: readonly string[],
): Promise<RosMessage<object>> {
  const own = messages.find((message) => message.name === name);
  if (own !== undefined) return own;
  const definitions = new Map<string, MessageDefinition>();
  await load(name, prefixes, definitions, []);
  return bind(name, definitions, new Map());
}

const TYPE_NAME = /^([a-z][a-z0-9_]*)\/msg\/([A-Z][A-Za-z0-9]*)$/;

/** `users`: the types through which it came to this one. */
async function load(
  name: string,
  prefixes: readonly string[],
  definitions: Map<string, MessageDefinition>,
  users: readonly string[],
): Promise<void> {
  if (users.includes(name)) throw new UnknownTypeError(`${name} is part of itself (${users.join(', ')})`);
  if (definitions.has(name)) return;
  const definition = parse(name, await readDefinition(name, prefixes, users));
  definitions.set(name, definition);
  for (const { name: field, type } of definition.fields) {
    if ('message' in type) await load(type.message, prefixes, definitions, [...users, name]);
    else if (type.primitive === 'wstring') {
      throw new UnknownTypeError(
        `${name} cannot be decoded: its field ${field} is a wstring, which differs between vendors`,
      );
    }
  }
}

async function readDefinition(
  name: string,
  prefixes: readonly string[],
  users: readonly string[],
): Promise<string> {
  const [, packageName, shortName] = TYPE_NAME.exec(name) ?? [];
  if (packageName === undefined || shortName === undefined) {
    throw new UnknownTypeError(
      `${JSON.stringify(name)} is not the name of a message type such as std_msgs/msg/String`,
    );
  }
  const needed = users.length === 0 ? '' : `, which ${users.at(-1)} is made of`;
  for (const prefix of prefixes) {
    const path = join(prefix, 'share', packageName, 'msg', shortName);
    const text = await readFile(`${path}.msg`, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
    if (await stat(`${path}.idl`).catch(() => undefined)) {
      throw new UnknownTypeError(
        `${name}${needed} is defined by ${path}.idl alone, and roslet reads .msg files`,
      );
    }
  }
  const where =
    prefixes.length === 0 ? 'AMENT_PREFIX_PATH is empty' : `it is not below ${prefixes.join(', ')}`;
  throw new UnknownTypeError(
    `There is no definition of ${name}${needed}: ${where}. Source the workspace that has the package ${packageName}.`,
  );
}

function parse(name: string, text: string): MessageDefinition {
  try {
    return parseMessage(name, text);
  } catch (cause) {
    throw new UnknownTypeError((cause as Error).message, { cause });
  }
}

function bind(
  name: string,
  definitions: ReadonlyMap<string, MessageDefinition>,
  bound: Map<string, RosMessage<object>>,
): RosMessage<object> {
  const known = bound.get(name);
  if (known !== undefined) return known;
  const definition = definitions.get(name)!;
  const fields = definition.fields.map((field) => bindField(field, (part) => bind(part, definitions, bound)));
  const hash = messageTypeHash(definition, (part) => definitions.get(part)!);
  const message = new RosMessage<object>(name, hash, fields);
  bound.set(name, message);
  return message;
}

function bindField(field: FieldDefinition, find: (name: string) => RosMessage<object>): MessageField {
  const { type, array } = field;
  return {
    name: field.name,
    type:
      'message' in type ? find(type.message) : (type.primitive as Exclude<typeof type.primitive, 'wstring'>),
    ...(array !== undefined && { array: array.kind === 'array' ? array.length : 'sequence' }),
    ...(array?.kind === 'sequence' && { bound: array.bound }),
    ...('stringBound' in type && { stringBound: type.stringBound }),
    ...(field.defaultValue !== undefined && { defaultValue: field.defaultValue }),
  };
}
