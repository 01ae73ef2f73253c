/**
 * Writes ros/messages/gen/: for each interface package a module with a TypeScript interface, the constants and the
 * codec of each message and service, from their definitions in ros/interfaces/ (of other packages, as far as they are
 * used) and msgs/ (our own). `--check` fails when a committed file is out of date.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ConstantDefinition,
  type FieldDefinition,
  type FieldValue,
  type MessageDefinition,
  type PrimitiveName,
  parseMessage,
  parseService,
  type ServiceDefinition,
} from '../ros/messages/definition.ts';
import { messageTypeHash, serviceTypeHash } from '../ros/messages/type-hash.ts';

const root = join(import.meta.dirname, '..');
const OUT = join(root, 'ros', 'messages', 'gen');

const SCALARS: Record<PrimitiveName, string> = {
  bool: 'boolean',
  byte: 'number',
  int8: 'number',
  uint8: 'number',
  int16: 'number',
  uint16: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'bigint',
  uint64: 'bigint',
  float32: 'number',
  float64: 'number',
  string: 'string',
  wstring: 'never',
};
const ARRAYS: Partial<Record<PrimitiveName, string>> = {
  byte: 'Uint8Array',
  int8: 'Int8Array',
  uint8: 'Uint8Array',
  int16: 'Int16Array',
  uint16: 'Uint16Array',
  int32: 'Int32Array',
  uint32: 'Uint32Array',
  int64: 'BigInt64Array',
  uint64: 'BigUint64Array',
  float32: 'Float32Array',
  float64: 'Float64Array',
};

interface InterfacePackage {
  name: string;
  messages: MessageDefinition[];
  services: ServiceDefinition[];
}

const interfaces = join(root, 'ros', 'interfaces');
const packages: InterfacePackage[] = [
  ...readdirSync(interfaces).map((name) => readPackage(name, join(interfaces, name))),
  readPackage('roslet_msgs', join(root, 'msgs')),
].sort((a, b) => (a.name < b.name ? -1 : 1));
const definitions = new Map(
  packages.flatMap(({ messages }) => messages.map((message) => [message.name, message])),
);

const files = new Map(packages.map((entry) => [`${entry.name}.ts`, moduleText(entry)]));
files.set('index.ts', indexText());
if (process.argv.includes('--check')) check();
else write();

function readPackage(name: string, folder: string): InterfacePackage {
  const read = <T>(kind: 'msg' | 'srv', parse: (name: string, text: string) => T): T[] => {
    if (!existsSync(join(folder, kind))) return [];
    return readdirSync(join(folder, kind))
      .sort()
      .map((file) =>
        parse(
          `${name}/${kind}/${file.replace(/\.\w+$/, '')}`,
          readFileSync(join(folder, kind, file), 'utf8'),
        ),
      );
  };
  return { name, messages: read('msg', parseMessage), services: read('srv', parseService) };
}

function find(name: string): MessageDefinition {
  const definition = definitions.get(name);
  if (definition === undefined) throw new Error(`${name} is used but has no definition in ros/interfaces/`);
  return definition;
}

function moduleText({ name, messages, services }: InterfacePackage): string {
  const body = [
    ...inOrderOfUse(messages).map((message) => messageText(name, message)),
    ...services.map((service) => serviceText(name, service)),
  ].join('\n');
  const used = packages
    .map((other) => other.name)
    .filter((other) => other !== name && body.includes(`${other}.`));
  const imports = [
    ...used.map((other) => `import * as ${other} from './${other}.ts';`),
    `import { ${['RosMessage', ...(services.length > 0 ? ['RosService'] : [])].join(', ')} } from '../message.ts';`,
  ];
  return `// Written by scripts/generate-messages.ts from the definitions of ${name}: do not edit.
${imports.join('\n')}

${body}`;
}

/** A message comes after those that it is made of. */
function inOrderOfUse(messages: MessageDefinition[]): MessageDefinition[] {
  const ordered = new Set<MessageDefinition>();
  const add = (message: MessageDefinition): void => {
    if (ordered.has(message)) return;
    for (const { type } of message.fields) {
      const part = 'message' in type ? messages.find((other) => other.name === type.message) : undefined;
      if (part !== undefined) add(part);
    }
    ordered.add(message);
  };
  messages.forEach(add);
  return [...ordered];
}

function messageText(packageName: string, message: MessageDefinition): string {
  const name = identifier(message.name);
  const codec = codecText(packageName, message, name);
  return `${interfaceText(packageName, message)}
export const ${name} = ${withConstants(codec, message.constants)};
`;
}

function serviceText(
  packageName: string,
  { name, request, response, ...service }: ServiceDefinition,
): string {
  const definition = { name, request, response, ...service };
  const [requestType, responseType] = [identifier(request.name), identifier(response.name)];
  const codec = `new RosService<${requestType}, ${responseType}>(
  '${name}',
  '${serviceTypeHash(definition, find)}',
  ${codecText(packageName, request, requestType)},
  ${codecText(packageName, response, responseType)},
)`;
  return `${interfaceText(packageName, request)}
${interfaceText(packageName, response)}
export const ${identifier(name)} = ${withConstants(codec, [...request.constants, ...response.constants])};
`;
}

/** `lifecycle_msgs/srv/GetState_Request`: GetStateRequest. */
function identifier(typeName: string): string {
  return typeName.split('/').at(-1)!.replace('_', '');
}

function interfaceText(packageName: string, { name, fields }: MessageDefinition): string {
  if (fields.length === 0) return `export type ${identifier(name)} = Record<never, never>;`;
  const lines = fields.map((field) => `  ${field.name}: ${typeText(packageName, field)};`);
  return `export interface ${identifier(name)} {\n${lines.join('\n')}\n}`;
}

function typeText(packageName: string, { type, array }: FieldDefinition): string {
  const element = 'message' in type ? reference(packageName, type.message) : SCALARS[type.primitive];
  if (array === undefined) return element;
  return ('message' in type ? undefined : ARRAYS[type.primitive]) ?? `${element}[]`;
}

/** How a module names a message of its own or another package: as a type and as a value alike. */
function reference(packageName: string, typeName: string): string {
  const [owner] = typeName.split('/');
  return owner === packageName ? identifier(typeName) : `${owner}.${identifier(typeName)}`;
}

function codecText(packageName: string, message: MessageDefinition, typeName: string): string {
  const fields = message.fields.map((field) => `  ${fieldText(packageName, field)},\n`).join('');
  return `new RosMessage<${typeName}>('${message.name}', '${messageTypeHash(message, find)}', [${fields && `\n${fields}`}])`;
}

function fieldText(packageName: string, { name, type, array, defaultValue }: FieldDefinition): string {
  const parts = [`name: '${name}'`];
  if ('message' in type) parts.push(`type: ${reference(packageName, type.message)}`);
  else {
    parts.push(`type: '${type.primitive}'`);
    if (type.stringBound !== undefined) parts.push(`stringBound: ${type.stringBound}`);
  }
  if (array !== undefined) parts.push(`array: ${array.kind === 'array' ? array.length : "'sequence'"}`);
  if (array?.kind === 'sequence' && array.bound !== undefined) parts.push(`bound: ${array.bound}`);
  if (defaultValue !== undefined) parts.push(`defaultValue: ${literal(defaultValue)}`);
  return `{ ${parts.join(', ')} }`;
}

function literal(value: FieldValue | FieldValue[]): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(value);
}

function withConstants(codec: string, constants: ConstantDefinition[]): string {
  if (constants.length === 0) return codec;
  const lines = constants.map(({ name, value }) => `  ${name}: ${literal(value)},\n`);
  return `Object.assign(${codec}, {\n${lines.join('')}} as const)`;
}

function indexText(): string {
  const names = packages.map(({ name }) => name);
  const messages = packages.flatMap((entry) => entry.messages.map((message) => reference('', message.name)));
  const services = packages.flatMap((entry) => entry.services.map((service) => reference('', service.name)));
  return `// Written by scripts/generate-messages.ts: do not edit.
${names.map((name) => `import * as ${name} from './${name}.ts';`).join('\n')}
import type { RosMessage, RosService } from '../message.ts';

/** All types that roslet knows by itself. */
export const messages: readonly RosMessage<object>[] = [
${messages.map((name) => `  ${name},\n`).join('')}];

export const services: readonly RosService<object, object>[] = [
${services.map((name) => `  ${name},\n`).join('')}];
`;
}

function check(): void {
  const stale = [...files].filter(([file, text]) => {
    const path = join(OUT, file);
    return !existsSync(path) || readFileSync(path, 'utf8') !== text;
  });
  const leftover = readdirSync(OUT).filter((file) => !files.has(file));
  if (stale.length === 0 && leftover.length === 0) return;
  const which = [...stale.map(([file]) => file), ...leftover].join(', ');
  console.error(`ros/messages/gen is out of date (${which}): run node scripts/generate-messages.ts`);
  process.exit(1);
}

function write(): void {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const [file, text] of files) writeFileSync(join(OUT, file), text);
}
