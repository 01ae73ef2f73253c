/**
 * The client's side of one HTTP/2 connection (RFC 9113), as far as gRPC needs it: requests whose body is there when they
 * are made. It does on a plain socket what node:http2 does with ten times the memory and twice the CPU; see
 * docs/decisions/0023. What the peer does wrong ends the connection and all that is under way on it.
 */
import type { Duplex } from 'node:stream';
import {
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCodes,
  flags,
  frame,
  frameReader,
  frameTypes,
  maxWindowBytes,
  ProtocolError,
  preface,
  settings,
  settingsPayload,
  uint32,
  unpadded,
} from './frames.ts';
import { decodeFields, type Fields } from './hpack.ts';

export interface StreamListener {
  /** What comes before the data, and again after it. */
  onFields(fields: Fields): void;
  onData(data: Buffer): void;
  /** Once, the last; with an error unless the peer ended the stream. */
  onEnd(error?: StreamError): void;
}

export class StreamError extends Error {
  /** By which the peer ended this stream; undefined when the connection ended. */
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.name = 'StreamError';
    this.code = code;
  }
}

export interface Http2Client {
  /** Whether a request can be made; not any more when the peer or `close` has said that it was the last. */
  readonly takesRequests: boolean;
  /** Resolves when the peer has spoken; not when it never does. */
  readonly ready: Promise<void>;
  /** The body has at least a byte. Returns how to take the request back; nothing more is heard of it then. */
  request(fields: Buffer, body: Buffer, listener: StreamListener): () => void;
  /** Ends the connection when what is under way is done. */
  close(): void;
}

interface Stream {
  /** 0 while the peer takes no more at once. */
  id: number;
  readonly fields: Buffer;
  readonly listener: StreamListener;
  unsent: Buffer;
  /** How much the peer takes. */
  window: number;
  /** Since we last told the peer that it may send as much again. */
  receivedBytes: number;
}

/** On a socket that is connected or about to be. */
export function http2Client(socket: Duplex): Http2Client {
  const streams = new Map<number, Stream>();
  const waiting = new Set<Stream>();
  const ready = Promise.withResolvers<void>();
  const peer = {
    window: defaultWindowBytes,
    frameBytes: defaultMaxFrameBytes,
    streams: Number.POSITIVE_INFINITY,
  };
  let window = defaultWindowBytes;
  let receivedBytes = 0;
  let nextId = 1;
  let takesRequests = true;
  let isOver = false;
  /** A block of fields that goes on in the next frame. */
  let partial: { streamId: number; flags: number; block: Buffer } | undefined;

  const write = (...frames: Buffer[]) => {
    if (!isOver) socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  };

  /** As much of the body as the peer takes now. */
  function nextData(stream: Stream): Buffer[] {
    const frames: Buffer[] = [];
    while (stream.unsent.length > 0) {
      const bytes = Math.min(stream.unsent.length, peer.frameBytes, window, stream.window);
      if (bytes <= 0) break;
      const isLast = bytes === stream.unsent.length;
      const payload = stream.unsent.subarray(0, bytes);
      frames.push(...frame(frameTypes.data, isLast ? flags.endStream : 0, stream.id, payload));
      stream.unsent = stream.unsent.subarray(bytes);
      stream.window -= bytes;
      window -= bytes;
    }
    return frames;
  }

  function sendMore(stream: Stream): void {
    const frames = nextData(stream);
    if (frames.length > 0) write(...frames);
  }

  function open(stream: Stream): void {
    stream.id = nextId;
    nextId += 2;
    if (nextId > maxStreamId) takesRequests = false;
    stream.window = peer.window;
    streams.set(stream.id, stream);
    const head = frame(frameTypes.headers, flags.endHeaders, stream.id, stream.fields);
    write(...head, ...nextData(stream));
  }

  function openWaiting(): void {
    for (const stream of waiting) {
      if (streams.size >= peer.streams) break;
      waiting.delete(stream);
      if (nextId <= maxStreamId) open(stream);
      else stream.listener.onEnd(new StreamError('the connection has no numbers left for calls'));
    }
  }

  function remove(stream: Stream): void {
    streams.delete(stream.id);
    waiting.delete(stream);
    openWaiting();
    if (!takesRequests && streams.size === 0) socket.destroy();
  }

  function finish(stream: Stream, error?: StreamError): void {
    // An answer that does not wait for the whole request.
    if (error === undefined && stream.unsent.length > 0) reset(stream);
    remove(stream);
    stream.listener.onEnd(error);
  }

  const reset = (stream: Stream) =>
    write(...frame(frameTypes.rstStream, 0, stream.id, uint32(errorCodes.cancel)));

  function end(error: StreamError): void {
    if (isOver) return;
    isOver = true;
    takesRequests = false;
    const lost = [...streams.values(), ...waiting];
    streams.clear();
    waiting.clear();
    socket.destroy();
    for (const { listener } of lost) listener.onEnd(error);
  }

  function onFields(streamId: number, frameFlags: number, block: Buffer): void {
    const fields = fieldsOf(block);
    const stream = known(streamId);
    if (stream === undefined) return;
    stream.listener.onFields(fields);
    if (frameFlags & flags.endStream && streams.has(streamId)) finish(stream);
  }

  function onPartialFields(streamId: number, frameFlags: number, block: Buffer): void {
    if (block.length > maxFieldsBytes) throw new ProtocolError('too many header fields');
    const isWhole = (frameFlags & flags.endHeaders) !== 0;
    partial = isWhole ? undefined : { streamId, flags: frameFlags, block };
    if (isWhole) onFields(streamId, frameFlags, block);
  }

  function onData(streamId: number, frameFlags: number, payload: Buffer): void {
    receivedBytes = returned(0, receivedBytes + payload.length);
    const stream = known(streamId);
    if (stream === undefined) return;
    stream.receivedBytes = returned(streamId, stream.receivedBytes + payload.length);
    stream.listener.onData(unpadded(frameFlags, payload));
    if (frameFlags & flags.endStream && streams.has(streamId)) finish(stream);
  }

  /** Tells the peer that it may send as much again, when it has sent much. */
  function returned(streamId: number, bytes: number): number {
    if (bytes < maxWindowBytes / 2) return bytes;
    write(...frame(frameTypes.windowUpdate, 0, streamId, uint32(bytes)));
    return 0;
  }

  /** Undefined for one that we have taken back. */
  function known(streamId: number): Stream | undefined {
    if (streamId === 0 || streamId >= nextId || streamId % 2 === 0)
      throw new ProtocolError(`a frame of stream ${streamId}, which there is not`);
    return streams.get(streamId);
  }

  function onReset(streamId: number, code: number): void {
    const stream = known(streamId);
    if (stream) finish(stream, new StreamError(`the other side ended the call (code ${code})`, code));
  }

  function onSettings(payload: Buffer): void {
    if (payload.length % 6 !== 0) throw new ProtocolError('broken settings', errorCodes.frameSizeError);
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case settings.maxConcurrentStreams:
          peer.streams = value;
          break;
        case settings.maxFrameSize:
          if (value < defaultMaxFrameBytes || value >= 2 ** 24)
            throw new ProtocolError('a limit of frames that there is not');
          peer.frameBytes = value;
          break;
        case settings.initialWindowSize:
          if (value > maxWindowBytes)
            throw new ProtocolError('a window that is too large', errorCodes.flowControlError);
          for (const stream of streams.values()) stream.window += value - peer.window;
          peer.window = value;
      }
    }
    write(...frame(frameTypes.settings, flags.ack, 0, empty));
    for (const stream of streams.values()) sendMore(stream);
    openWaiting();
    ready.resolve();
  }

  function onWindowUpdate(streamId: number, payload: Buffer): void {
    const bytes = number(payload, 0) & 0x7fffffff;
    if (streamId === 0) {
      window += bytes;
      for (const stream of streams.values()) sendMore(stream);
      return;
    }
    const stream = known(streamId);
    if (stream === undefined) return;
    stream.window += bytes;
    sendMore(stream);
  }

  /** What the peer has not begun, it will not. */
  function onGoAway(payload: Buffer): void {
    takesRequests = false;
    const last = number(payload, 0) & 0x7fffffff;
    const text = payload.toString('utf8', 8);
    const error = new StreamError(
      `the connection was ended by the other side (${text || `code ${number(payload, 4)}`})`,
    );
    const lost = [...waiting, ...[...streams.values()].filter(({ id }) => id > last)];
    waiting.clear();
    for (const stream of lost) finish(stream, error);
    if (streams.size === 0) socket.destroy();
  }

  function onFrame(type: number, frameFlags: number, streamId: number, payload: Buffer): void {
    const isContinued = partial === undefined || partial.streamId === streamId;
    if ((partial !== undefined) !== (type === frameTypes.continuation) || !isContinued)
      throw new ProtocolError('header fields that are not continued as they should be');
    switch (type) {
      case frameTypes.data:
        onData(streamId, frameFlags, payload);
        break;
      case frameTypes.headers:
        onPartialFields(streamId, frameFlags, unpadded(frameFlags, payload));
        break;
      case frameTypes.continuation: {
        const { flags: begun = 0, block = empty } = partial ?? {};
        onPartialFields(streamId, frameFlags | begun, Buffer.concat([block, payload]));
        break;
      }
      case frameTypes.rstStream:
        onReset(streamId, number(payload, 0));
        break;
      case frameTypes.settings:
        if (!(frameFlags & flags.ack)) onSettings(payload);
        break;
      case frameTypes.ping:
        if (!(frameFlags & flags.ack)) write(...frame(frameTypes.ping, flags.ack, 0, payload));
        break;
      case frameTypes.goAway:
        onGoAway(payload);
        break;
      case frameTypes.windowUpdate:
        onWindowUpdate(streamId, payload);
        break;
      case frameTypes.pushPromise:
        throw new ProtocolError('an answer that nobody asked for');
    }
  }

  const read = frameReader(onFrame);
  socket.on('data', (chunk: Buffer) => {
    if (isOver) return;
    try {
      read(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      write(...frame(frameTypes.goAway, 0, 0, Buffer.concat([uint32(0), uint32(error.code)])));
      end(new StreamError(`what answers does not speak HTTP/2 as it should: ${error.message}`));
    }
  });
  socket.on('error', (error) => end(new StreamError(error.message)));
  socket.on('close', () => end(new StreamError('the connection ended')));
  write(
    preface,
    ...frame(frameTypes.settings, 0, 0, ourSettings),
    ...frame(frameTypes.windowUpdate, 0, 0, uint32(maxWindowBytes - defaultWindowBytes)),
  );

  return {
    get takesRequests() {
      return takesRequests;
    },
    ready: ready.promise,

    request(fields, body, listener) {
      if (!takesRequests) {
        queueMicrotask(() => listener.onEnd(new StreamError('the connection has ended')));
        return () => {};
      }
      const stream: Stream = { id: 0, fields, listener, unsent: body, window: 0, receivedBytes: 0 };
      if (streams.size < peer.streams) open(stream);
      else waiting.add(stream);
      return () => {
        if (streams.has(stream.id)) reset(stream);
        else if (!waiting.has(stream)) return;
        remove(stream);
      };
    },

    close() {
      takesRequests = false;
      if (streams.size === 0) socket.destroy();
    },
  };
}

const empty = Buffer.alloc(0);

/** No compression of fields that has a memory, no pushes, and data as fast as it comes: gRPC limits its messages. */
const ourSettings = settingsPayload([
  [settings.headerTableSize, 0],
  [settings.enablePush, 0],
  [settings.initialWindowSize, maxWindowBytes],
]);

const maxStreamId = 2 ** 31 - 1;
const maxFieldsBytes = 64 * 1024;

function fieldsOf(block: Buffer): Fields {
  try {
    return decodeFields(block);
  } catch (error) {
    throw new ProtocolError(String(error), errorCodes.compressionError);
  }
}

function number(payload: Buffer, at: number): number {
  if (payload.length < at + 4)
    throw new ProtocolError('a frame that is too short', errorCodes.frameSizeError);
  return payload.readUInt32BE(at);
}
