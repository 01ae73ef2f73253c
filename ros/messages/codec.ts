/**
 * Reads and writes messages as CDR, the way ROS 2 has it on the wire: XCDR1, little endian when written here, either
 * byte order when read. Plain XCDR2 is read, too.
 *
 * What is decoded may come from anybody: a sample is read within its own bounds, and no length in it is believed
 * before as many bytes are there as so many elements need at least.
 */
import { CdrReader, CdrWriter, EncapsulationKind } from '@foxglove/cdr';
import type { FieldDefinition } from './definition.ts';
import { primitives } from './primitives.ts';

export interface MessageShape {
  readonly name: string;
  readonly fields: readonly MessageField[];
  /** Bytes that a value takes at least, padding not counted. */
  readonly minSize: number;
}

export interface MessageField {
  readonly name: string;
  readonly type: keyof typeof primitives | MessageShape;
  /** How many elements, when it is an array; `sequence`: as many as the sender likes, or `bound` at most. */
  readonly array?: number | 'sequence';
  readonly bound?: number;
  /** Of each string: how many bytes at most. */
  readonly stringBound?: number;
  readonly defaultValue?: FieldDefinition['defaultValue'];
}

/** Its message is a sentence that names the type and the field. */
export class CdrError extends Error {
  override readonly name = 'CdrError';
}

type Values = Record<string, unknown>;

export function minSizeOf(fields: readonly MessageField[]): number {
  // A message without fields is written as one byte.
  if (fields.length === 0) return 1;
  return fields.reduce((sum, field) => {
    if (field.array === 'sequence') return sum + 4;
    return sum + minElementSize(field) * (field.array ?? 1);
  }, 0);
}

export function defaultsOf(shape: MessageShape): Values {
  return Object.fromEntries(shape.fields.map((field) => [field.name, defaultOf(field)]));
}

export function encodeMessage(shape: MessageShape, message: Values): Uint8Array {
  const writer = new CdrWriter({ size: 256, kind: EncapsulationKind.CDR_LE });
  writeMessage(writer, shape, message);
  return writer.data;
}

export function decodeMessage(shape: MessageShape, cdr: Uint8Array): Values {
  // The reader checks against the memory that it is given, so that has to be the sample and nothing else.
  const isAlone = cdr.byteOffset === 0 && cdr.byteLength === cdr.buffer.byteLength;
  const sample = isAlone ? cdr : cdr.slice();
  const place: Place = { field: '' };
  try {
    return readMessage(readerOf(sample), shape, place);
  } catch (cause) {
    // The reader's own error is a RangeError about the view.
    const reason = cause instanceof CdrError ? cause.message : 'it ends too early';
    const where = place.field === '' ? '' : ` (field ${place.field})`;
    throw new CdrError(`A sample of ${cdr.byteLength} bytes is not a ${shape.name}: ${reason}${where}`, {
      cause,
    });
  }
}

function defaultOf(field: MessageField): unknown {
  if (field.array === undefined) return field.defaultValue ?? defaultElement(field);
  const values = field.defaultValue as unknown[] | undefined;
  const length = field.array === 'sequence' ? (values?.length ?? 0) : field.array;
  const elements = Array.from({ length }, (_, i) => values?.[i] ?? defaultElement(field));
  const { type } = field;
  return typeof type === 'string' ? primitives[type].toArray(elements) : elements;
}

function defaultElement({ type }: MessageField): unknown {
  return typeof type === 'string' ? primitives[type].defaultValue : defaultsOf(type);
}

function writeMessage(writer: CdrWriter, shape: MessageShape, message: Values): void {
  if (shape.fields.length === 0) writer.uint8(0);
  for (const field of shape.fields) {
    const value = message[field.name];
    if (field.array === undefined) writeValue(writer, shape, field, value);
    else writeArray(writer, shape, field, value);
  }
}

function writeValue(writer: CdrWriter, shape: MessageShape, field: MessageField, value: unknown): void {
  if (typeof field.type !== 'string') {
    if (typeof value !== 'object' || value === null) throw unfit(shape, field, value);
    writeMessage(writer, field.type, value as Values);
    return;
  }
  const primitive = primitives[field.type];
  if (!primitive.accepts(value) || isTooLong(field, value)) throw unfit(shape, field, value);
  primitive.write(writer, value);
}

function writeArray(writer: CdrWriter, shape: MessageShape, field: MessageField, value: unknown): void {
  const primitive = typeof field.type === 'string' ? primitives[field.type] : undefined;
  if (primitive === undefined ? !Array.isArray(value) : !primitive.acceptsArray(value)) {
    throw unfit(shape, field, value);
  }
  const array = value as ArrayLike<unknown>;
  const fits =
    typeof field.array === 'number'
      ? array.length === field.array
      : array.length <= (field.bound ?? Infinity);
  if (!fits) throw unfit(shape, field, value);
  if (field.array === 'sequence') writer.sequenceLength(array.length);
  if (primitive !== undefined && field.stringBound === undefined) {
    primitive.writeArray(writer, array);
    return;
  }
  for (let i = 0; i < array.length; i++) writeValue(writer, shape, field, array[i]);
}

/** Bounds of strings count bytes. */
function isTooLong({ stringBound }: MessageField, value: unknown): boolean {
  return stringBound !== undefined && Buffer.byteLength(value as string) > stringBound;
}

function unfit(shape: MessageShape, field: MessageField, value: unknown): CdrError {
  const element = typeof field.type === 'string' ? field.type : field.type.name;
  const string = field.stringBound === undefined ? '' : `<=${field.stringBound}`;
  const bound = field.bound === undefined ? '' : `<=${field.bound}`;
  const array = field.array === undefined ? '' : `[${field.array === 'sequence' ? bound : field.array}]`;
  return new CdrError(
    `Field ${field.name} of ${shape.name} has to be ${element}${string}${array} and cannot be ${inShort(value)}`,
  );
}

function inShort(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value !== 'object' || value === null) return String(value);
  const length = (value as Partial<ArrayLike<unknown>>).length;
  return `${value.constructor?.name ?? 'an object'}${length === undefined ? '' : ` of ${length}`}`;
}

/** What is being read, for the error. */
interface Place {
  field: string;
}

const PLAIN_KINDS: ReadonlySet<number> = new Set([
  EncapsulationKind.CDR_BE,
  EncapsulationKind.CDR_LE,
  EncapsulationKind.RTPS_CDR2_BE,
  EncapsulationKind.RTPS_CDR2_LE,
]);

function readerOf(sample: Uint8Array): CdrReader {
  if (sample.byteLength < 4) throw new CdrError('it has no header');
  if (sample[0] !== 0 || !PLAIN_KINDS.has(sample[1]!)) {
    const kind = Buffer.from(sample.subarray(0, 2)).toString('hex');
    throw new CdrError(`its encoding ${kind} is none that ROS 2 uses`);
  }
  return new CdrReader(sample);
}

function readMessage(reader: CdrReader, shape: MessageShape, place: Place): Values {
  const message: Values = {};
  if (shape.fields.length === 0) reader.uint8();
  for (const field of shape.fields) {
    place.field = field.name;
    message[field.name] =
      field.array === undefined ? readValue(reader, field, place) : readArray(reader, field, place);
  }
  return message;
}

function readValue(reader: CdrReader, { type }: MessageField, place: Place): unknown {
  return typeof type === 'string' ? primitives[type].read(reader) : readMessage(reader, type, place);
}

function readArray(reader: CdrReader, field: MessageField, place: Place): unknown {
  const count = field.array === 'sequence' ? reader.sequenceLength() : field.array!;
  if (count > (field.bound ?? Infinity)) throw new CdrError(`${count} elements are more than ${field.bound}`);
  if (count * minElementSize(field) > reader.byteLength - reader.decodedBytes) {
    throw new CdrError(`${count} elements do not fit into it`);
  }
  const { type } = field;
  if (typeof type === 'string') return primitives[type].readArray(reader, count);
  return Array.from({ length: count }, () => readMessage(reader, type, place));
}

function minElementSize({ type }: MessageField): number {
  return typeof type === 'string' ? primitives[type].minSize : type.minSize;
}
