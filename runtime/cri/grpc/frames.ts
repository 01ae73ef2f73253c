/** Where frames of HTTP/2 begin and end (RFC 9113, section 4), and the numbers in them. */

export const frameTypes = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** An acknowledgement has the bit of END_STREAM. */
export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const settings = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
} as const;

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  flowControlError: 3,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
} as const;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** What both ends begin with; the largest payload that a peer may send us stays this. */
export const defaultMaxFrameBytes = 16_384;
export const defaultWindowBytes = 65_535;
export const maxWindowBytes = 2 ** 31 - 1;

/** The peer does not keep to the protocol: the connection cannot go on. */
export class ProtocolError extends Error {
  readonly code: number;

  constructor(message: string, code: number = errorCodes.protocolError) {
    super(message);
    this.name = 'ProtocolError';
    this.code = code;
  }
}

const headBytes = 9;

/** Returns what takes the bytes as they come. It throws ProtocolError for a frame that is too long. */
export function frameReader(
  onFrame: (type: number, flags: number, streamId: number, payload: Buffer) => void,
): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUIntBE(at, 3);
      if (length > defaultMaxFrameBytes)
        throw new ProtocolError(`a frame of ${length} bytes`, errorCodes.frameSizeError);
      const end = at + headBytes + length;
      if (end > bytes.length) break;
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      onFrame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes.subarray(at + headBytes, end));
      at = end;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
  };
}

/** The frame in two parts, the payload as it is. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer): [Buffer, Buffer] {
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return [head, payload];
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export function settingsPayload(values: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(values.length * 6);
  values.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return payload;
}

/** The payload without its padding and priority. */
export function unpadded(frameFlags: number, payload: Buffer): Buffer {
  const padding = frameFlags & flags.padded ? (payload[0] ?? payload.length) : 0;
  const begin = (frameFlags & flags.padded ? 1 : 0) + (frameFlags & flags.priority ? 5 : 0);
  if (begin + padding > payload.length) throw new ProtocolError('padding that is longer than its frame');
  return payload.subarray(begin, payload.length - padding);
}
