/** Frames of SPDY/3.1 as far as Kubernetes' clients use them: what is on the wire, no connection. */

export const frameHeaderBytes = 8;

export type Frame =
  | { type: 'data'; streamId: number; fin: boolean; data: Buffer }
  /** `headerBlock` is still compressed, in the connection's own zlib stream. */
  | { type: 'synStream'; streamId: number; fin: boolean; headerBlock: Buffer }
  | { type: 'rstStream'; streamId: number }
  | { type: 'ping'; payload: Buffer }
  | { type: 'goAway' }
  /** Settings, window updates and the like: there is no flow control between Kubernetes' peers. */
  | { type: 'ignored' };

const version = 0x8003;
const finFlag = 1;
const control = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;

/** Length of the frame that begins the bytes; undefined when that cannot be told yet. */
export function frameLength(bytes: Buffer): number | undefined {
  return bytes.length < frameHeaderBytes ? undefined : frameHeaderBytes + bytes.readUIntBE(5, 3);
}

/** @throws RangeError when it is cut short */
export function parseFrame(frame: Buffer): Frame {
  const fin = (frame.readUInt8(4) & finFlag) !== 0;
  const payload = frame.subarray(frameHeaderBytes);
  if ((frame.readUInt8(0) & 0x80) === 0) {
    return { type: 'data', streamId: frame.readUInt32BE(0), fin, data: payload };
  }
  switch (frame.readUInt16BE(2)) {
    case control.synStream:
      return { type: 'synStream', streamId: streamIdOf(payload), fin, headerBlock: payload.subarray(10) };
    case control.rstStream:
      return { type: 'rstStream', streamId: streamIdOf(payload) };
    case control.ping:
      return { type: 'ping', payload };
    case control.goAway:
      return { type: 'goAway' };
    default:
      return { type: 'ignored' };
  }
}

/** Headers of a SYN_STREAM, decompressed. @throws RangeError when they are cut short */
export function parseHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  let offset = 4;
  const text = (): string => {
    const start = offset + 4;
    const end = start + block.readUInt32BE(offset);
    if (end > block.length) throw new RangeError('a header ends beyond its block');
    offset = end;
    return block.toString('utf8', start, end);
  };
  for (let left = block.readUInt32BE(0); left > 0; left -= 1) {
    const name = text();
    headers[name.toLowerCase()] = text();
  }
  return headers;
}

export function dataFrame(streamId: number, data: Buffer, fin: boolean): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt8(fin ? finFlag : 0, 4);
  header.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([header, data]);
}

/** Accepts a stream, without headers. `isFirst`: on this connection, whose replies are one zlib stream. */
export function replyFrame(streamId: number, isFirst: boolean): Buffer {
  const noHeaders = Buffer.alloc(4);
  const zlibHeader = Buffer.from(isFirst ? [0x78, 0x01] : []);
  // Stored blocks; the empty one makes the reader give out what it has.
  const block = Buffer.concat([zlibHeader, storedBlock(noHeaders), storedBlock(Buffer.alloc(0))]);
  return controlFrame(control.synReply, Buffer.concat([uint32(streamId), block]));
}

/** Ends a stream in both directions at once; code 5 says that it is cancelled. */
export const resetFrame = (streamId: number): Buffer =>
  controlFrame(control.rstStream, Buffer.concat([uint32(streamId), uint32(5)]));

export const pingFrame = (payload: Buffer): Buffer => controlFrame(control.ping, payload);

function controlFrame(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt16BE(version, 0);
  header.writeUInt16BE(type, 2);
  header.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([header, payload]);
}

function storedBlock(data: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(data.length, 1);
  header.writeUInt16LE(0xffff - data.length, 3);
  return Buffer.concat([header, data]);
}

const streamIdOf = (payload: Buffer): number => payload.readUInt32BE(0) & 0x7fffffff;

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
