/**
 * `ros_discovery_info`: which nodes a participant has, and which endpoints are theirs
 * (rmw_dds_common/msg/ParticipantEntitiesInfo). A gid has 16 bytes since Iron and 24 before, of which 8 mean nothing;
 * the message does not say which, but only one of them fits its length.
 */
import type { EndpointGid, NodeName } from '../transport.ts';

export const discoveryInfoTopic = 'ros_discovery_info';
export const discoveryInfoType = 'rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_';

/** Bytes of a gid: what the distributions since Iron use, and what Humble and older do. */
export type GidSize = 16 | 24;

export interface NodeEntities extends NodeName {
  readers: EndpointGid[];
  writers: EndpointGid[];
}

export interface ParticipantEntities {
  /** Of the participant itself. */
  gid: EndpointGid;
  nodes: NodeEntities[];
}

export interface ReceivedEntities extends ParticipantEntities {
  gidSize: GidSize;
}

const guidBytes = 16;
const littleEndianCdr = Uint8Array.of(0, 1, 0, 0);
/** ROS 2's limits are below that; more is not a name. */
const maxNameBytes = 1024;

export function encodeEntities({ gid, nodes }: ParticipantEntities, gidSize: GidSize): Uint8Array {
  const writer = new CdrWriter();
  writer.gid(gid, gidSize);
  writer.uint32(nodes.length);
  for (const node of nodes) {
    writer.string(node.namespace);
    writer.string(node.name);
    for (const gids of [node.readers, node.writers]) {
      writer.uint32(gids.length);
      for (const endpoint of gids) writer.gid(endpoint, gidSize);
    }
  }
  return writer.bytes();
}

/** Undefined when it is neither form. */
export function decodeEntities(cdr: Uint8Array): ReceivedEntities | undefined {
  for (const gidSize of [16, 24] as const) {
    try {
      return { ...read(cdr, gidSize), gidSize };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return undefined;
}

/** @throws RangeError when the message is not of that form. */
function read(cdr: Uint8Array, gidSize: GidSize): ParticipantEntities {
  const reader = new CdrReader(cdr);
  const gid = reader.gid(gidSize);
  const nodes: NodeEntities[] = [];
  for (let count = reader.uint32(); count > 0; count--) {
    const namespace = reader.string();
    const name = reader.string();
    const gids = () => Array.from({ length: reader.count(gidSize) }, () => reader.gid(gidSize));
    nodes.push({ namespace, name, readers: gids(), writers: gids() });
  }
  reader.end();
  return { gid, nodes };
}

class CdrWriter {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  uint32(value: number): void {
    this.#push(new Uint8Array((4 - (this.#size % 4)) % 4));
    const chunk = new Uint8Array(4);
    new DataView(chunk.buffer).setUint32(0, value, true);
    this.#push(chunk);
  }

  string(value: string): void {
    const text = Buffer.from(`${value}\0`, 'utf8');
    this.uint32(text.length);
    this.#push(text);
  }

  gid(gid: EndpointGid, size: GidSize): void {
    const chunk = new Uint8Array(size);
    chunk.set(Buffer.from(gid, 'hex'));
    this.#push(chunk);
  }

  bytes(): Uint8Array {
    return Buffer.concat([littleEndianCdr, ...this.#chunks]);
  }
}

class CdrReader {
  readonly #payload: Buffer;
  readonly #isLittleEndian: boolean;
  #offset = 0;

  constructor(cdr: Uint8Array) {
    if (cdr.length < littleEndianCdr.length || cdr[0] !== 0 || cdr[1]! > 1)
      throw new RangeError('not plain CDR');
    this.#isLittleEndian = cdr[1] === 1;
    this.#payload = Buffer.from(cdr.buffer, cdr.byteOffset + 4, cdr.length - 4);
  }

  #take(size: number): Buffer {
    const end = this.#offset + size;
    if (end > this.#payload.length) throw new RangeError('too short');
    const chunk = this.#payload.subarray(this.#offset, end);
    this.#offset = end;
    return chunk;
  }

  uint32(): number {
    this.#offset += (4 - (this.#offset % 4)) % 4;
    const chunk = this.#take(4);
    return this.#isLittleEndian ? chunk.readUInt32LE() : chunk.readUInt32BE();
  }

  /** Of elements of that size: a count that the message cannot hold is refused before anything is made of it. */
  count(elementSize: number): number {
    const count = this.uint32();
    if (count * elementSize > this.#payload.length - this.#offset) throw new RangeError('too many');
    return count;
  }

  string(): string {
    const length = this.uint32();
    if (length < 1 || length > maxNameBytes) throw new RangeError('not a name');
    const chunk = this.#take(length);
    if (chunk.indexOf(0) !== length - 1) throw new RangeError('not one NUL at the end');
    return chunk.toString('utf8', 0, length - 1);
  }

  gid(size: GidSize): EndpointGid {
    return this.#take(size).toString('hex', 0, guidBytes);
  }

  /** The payload may be padded to a multiple of four. */
  end(): void {
    if (this.#payload.length - this.#offset > 3) throw new RangeError('too long');
  }
}
