/**
 * How each primitive type of a definition is read from and written to CDR, alone and in arrays. Alignment and byte
 * order are @foxglove/cdr's; strings are done here, as its writer counts UTF-16 units where CDR counts UTF-8 bytes.
 */
import type { CdrReader, CdrWriter } from '@foxglove/cdr';
import type { PrimitiveName } from './definition.ts';

export interface Primitive {
  /** Bytes that a value takes at least. */
  readonly minSize: number;
  readonly defaultValue: boolean | number | bigint | string;
  accepts(value: unknown): boolean;
  /** Only given values that were accepted. */
  write(writer: CdrWriter, value: unknown): void;
  read(reader: CdrReader): unknown;
  /** Of accepted elements. */
  toArray(elements: unknown[]): ArrayLike<unknown>;
  acceptsArray(value: unknown): value is ArrayLike<unknown>;
  writeArray(writer: CdrWriter, value: ArrayLike<unknown>): void;
  /** `count` elements of the least size are known to be there. */
  readArray(reader: CdrReader, count: number): ArrayLike<unknown>;
}

const uint8: Primitive = {
  ...integer(
    1,
    0,
    0xff,
    (reader) => reader.uint8(),
    (writer, value) => writer.uint8(value),
  ),
  ...typedArray(
    Uint8Array,
    (reader, count) => reader.uint8Array(count),
    (writer, value) => writer.uint8Array(value),
  ),
};

/** wstring is missing: implementations do not agree on how wide its characters are. */
export const primitives: Readonly<Record<Exclude<PrimitiveName, 'wstring'>, Primitive>> = {
  bool: {
    minSize: 1,
    defaultValue: false,
    ...list(
      (value) => typeof value === 'boolean',
      (writer, value) => writer.uint8(value === true ? 1 : 0),
      (reader) => reader.uint8() !== 0,
    ),
  },
  byte: uint8,
  uint8,
  int8: {
    ...integer(
      1,
      -0x80,
      0x7f,
      (reader) => reader.int8(),
      (writer, value) => writer.int8(value),
    ),
    ...typedArray(
      Int8Array,
      (reader, count) => reader.int8Array(count),
      (writer, value) => writer.int8Array(value),
    ),
  },
  uint16: {
    ...integer(
      2,
      0,
      0xffff,
      (reader) => reader.uint16(),
      (writer, value) => writer.uint16(value),
    ),
    ...typedArray(
      Uint16Array,
      (reader, count) => reader.uint16Array(count),
      (writer, value) => writer.uint16Array(value),
    ),
  },
  int16: {
    ...integer(
      2,
      -0x8000,
      0x7fff,
      (reader) => reader.int16(),
      (writer, value) => writer.int16(value),
    ),
    ...typedArray(
      Int16Array,
      (reader, count) => reader.int16Array(count),
      (writer, value) => writer.int16Array(value),
    ),
  },
  uint32: {
    ...integer(
      4,
      0,
      0xffffffff,
      (reader) => reader.uint32(),
      (writer, value) => writer.uint32(value),
    ),
    ...typedArray(
      Uint32Array,
      (reader, count) => reader.uint32Array(count),
      (writer, value) => writer.uint32Array(value),
    ),
  },
  int32: {
    ...integer(
      4,
      -0x80000000,
      0x7fffffff,
      (reader) => reader.int32(),
      (writer, value) => writer.int32(value),
    ),
    ...typedArray(
      Int32Array,
      (reader, count) => reader.int32Array(count),
      (writer, value) => writer.int32Array(value),
    ),
  },
  uint64: {
    minSize: 8,
    defaultValue: 0n,
    accepts: (value) => typeof value === 'bigint' && value === BigInt.asUintN(64, value),
    read: (reader) => reader.uint64(),
    write: (writer, value) => void writer.uint64(value as bigint),
    ...typedArray(
      BigUint64Array,
      (reader, count) => reader.uint64Array(count),
      (writer, value) => writer.uint64Array(value),
    ),
  },
  int64: {
    minSize: 8,
    defaultValue: 0n,
    accepts: (value) => typeof value === 'bigint' && value === BigInt.asIntN(64, value),
    read: (reader) => reader.int64(),
    write: (writer, value) => void writer.int64(value as bigint),
    ...typedArray(
      BigInt64Array,
      (reader, count) => reader.int64Array(count),
      (writer, value) => writer.int64Array(value),
    ),
  },
  float32: {
    minSize: 4,
    defaultValue: 0,
    accepts: (value) => typeof value === 'number',
    read: (reader) => reader.float32(),
    write: (writer, value) => void writer.float32(value as number),
    ...typedArray(
      Float32Array,
      (reader, count) => reader.float32Array(count),
      (writer, value) => writer.float32Array(value),
    ),
  },
  float64: {
    minSize: 8,
    defaultValue: 0,
    accepts: (value) => typeof value === 'number',
    read: (reader) => reader.float64(),
    write: (writer, value) => void writer.float64(value as number),
    ...typedArray(
      Float64Array,
      (reader, count) => reader.float64Array(count),
      (writer, value) => writer.float64Array(value),
    ),
  },
  string: {
    minSize: 4,
    defaultValue: '',
    ...list((value) => typeof value === 'string', writeString, readString),
  },
};

function integer(
  minSize: number,
  min: number,
  max: number,
  read: (reader: CdrReader) => number,
  write: (writer: CdrWriter, value: number) => void,
): Omit<Primitive, keyof ArrayCodec> {
  return {
    minSize,
    defaultValue: 0,
    accepts: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    read,
    write: (writer, value) => write(writer, value as number),
  };
}

type ArrayCodec = Pick<Primitive, 'toArray' | 'acceptsArray' | 'writeArray' | 'readArray'>;

interface TypedArray extends ArrayLike<unknown> {
  slice(): TypedArray;
}

/** Arrays are copied out of the sample, so that a value never depends on who owns the sample's memory. */
function typedArray<T extends TypedArray>(
  type: { new (elements: Iterable<never>): T },
  read: (reader: CdrReader, count: number) => T,
  write: (writer: CdrWriter, value: T) => void,
): ArrayCodec {
  return {
    toArray: (elements) => new type(elements as never[]),
    acceptsArray: (value): value is T => value instanceof type,
    readArray: (reader, count) => read(reader, count).slice(),
    writeArray: (writer, value) => write(writer, value as T),
  };
}

/** Types whose arrays are plain JavaScript arrays. */
function list(
  accepts: (value: unknown) => boolean,
  write: (writer: CdrWriter, value: unknown) => void,
  read: (reader: CdrReader) => unknown,
): Omit<Primitive, 'minSize' | 'defaultValue'> {
  return {
    accepts,
    read,
    write,
    toArray: (elements) => elements,
    acceptsArray: (value): value is unknown[] => Array.isArray(value) && value.every(accepts),
    readArray: (reader, count) => Array.from({ length: count }, () => read(reader)),
    writeArray: (writer, value) => {
      for (let i = 0; i < value.length; i++) write(writer, value[i]);
    },
  };
}

const encoder = new TextEncoder();

function writeString(writer: CdrWriter, value: unknown): void {
  const bytes = encoder.encode(value as string);
  writer.uint32(bytes.length + 1);
  writer.uint8Array(bytes);
  writer.uint8(0);
}

function readString(reader: CdrReader): string {
  const length = reader.uint32();
  if (length > reader.byteLength - reader.decodedBytes)
    throw new RangeError('a string goes on behind the end');
  return reader.string(length);
}
