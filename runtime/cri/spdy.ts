/**
 * The client side of SPDY/3.1 as far as Kubernetes' streaming servers speak it (they are all built on one Go library):
 * streams are opened by the client, there is no flow control but the connection's own, and a reply carries no
 * headers of interest. Exactly there a complete implementation such as spdy-transport fails: it waits for window
 * updates that never come and refuses a reply without a status.
 */
import { Duplex } from 'node:stream';

export interface SpdySession {
  open(headers: Readonly<Record<string, string>>): Duplex;
  /** Ends the connection and all streams; what was received can still be read. */
  close(): void;
  /** Ends the connection; streams that are still open fail. */
  abort(reason: Error): void;
}

const version = 0x8003;
const frameHeaderBytes = 8;
const frame = { synStream: 1, rstStream: 3, ping: 6 } as const;
const flagFin = 1;
const cancelCode = 5;

export function spdySession(socket: Duplex, head: Buffer): SpdySession {
  const streams = new Map<number, Duplex>();
  /** The other side sends no more on these. */
  const finished = new Set<number>();
  /** Whose reader is behind. The connection waits for the slowest. */
  const full = new Set<Duplex>();
  let nextId = 1;
  let received: Buffer = Buffer.alloc(0);
  let closed = false;

  const end = (endStream: (id: number, stream: Duplex) => void) => {
    if (closed) return;
    closed = true;
    socket.destroy();
    for (const [id, stream] of streams) {
      if (!finished.has(id)) endStream(id, stream);
    }
    streams.clear();
  };
  const abort = (reason: Error) => end((_id, stream) => stream.destroy(reason));

  const finish = (id: number) => {
    finished.add(id);
    streams.get(id)?.push(null);
  };

  const onFrame = (header: Buffer, payload: Buffer) => {
    if ((header[0]! & 0x80) === 0) {
      const id = header.readUInt32BE(0);
      const stream = streams.get(id);
      if (!stream) return;
      if (payload.length > 0 && !stream.push(payload)) {
        full.add(stream);
        socket.pause();
      }
      if (header[4]! & flagFin) finish(id);
      return;
    }
    const type = header.readUInt16BE(2);
    if (type === frame.ping) socket.write(Buffer.concat([header, payload]));
    else if (type === frame.rstStream) {
      const id = payload.readUInt32BE(0);
      const code = payload.readUInt32BE(4);
      // The servers end every stream with CANCEL when they are through.
      if (code === cancelCode) finish(id);
      else streams.get(id)?.destroy(new Error(`the stream was reset (code ${code})`));
      streams.delete(id);
    }
  };

  const onData = (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    while (received.length >= frameHeaderBytes) {
      const length = frameHeaderBytes + received.readUIntBE(5, 3);
      if (received.length < length) break;
      const whole = received.subarray(0, length);
      received = received.subarray(length);
      onFrame(whole.subarray(0, frameHeaderBytes), whole.subarray(frameHeaderBytes));
    }
  };

  socket.on('data', onData);
  socket.on('error', abort);
  socket.on('close', () => abort(new Error('the streaming connection was closed')));
  if (head.length > 0) onData(head);

  return {
    open(headers) {
      const id = nextId;
      nextId += 2;
      socket.write(synStream(id, headers));
      const send = (data: Buffer, fin: boolean, done: (error?: Error | null) => void) => {
        // What is written to a command that has gone is lost, as with a pipe's reader that nobody asks.
        if (closed || !streams.has(id)) done();
        else writeAhead(socket, dataFrame(id, data, fin), done);
      };
      const stream = new Duplex({
        write: (chunk: Buffer, _encoding, done) => send(chunk, false, done),
        final: (done) => send(Buffer.alloc(0), true, done),
        read: () => {
          if (full.delete(stream) && full.size === 0) socket.resume();
        },
        destroy: (error, done) => {
          if (full.delete(stream) && full.size === 0) socket.resume();
          streams.delete(id);
          done(error);
        },
      });
      // Whoever reads sees the error then; an agent must not end because nobody reads yet.
      stream.on('error', () => {});
      streams.set(id, stream);
      return stream;
    },
    close: () => end(finish),
    abort,
  };
}

/** Not each frame waits for the one before it to be sent: only when the connection has enough of them. */
function writeAhead(socket: Duplex, frame: Buffer, done: (error?: Error | null) => void): void {
  let isDone = false;
  const finish = (error?: Error | null) => {
    if (!isDone) done(error);
    isDone = true;
  };
  if (socket.write(frame, finish)) finish();
}

function dataFrame(id: number, data: Buffer, fin: boolean): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32BE(id, 0);
  header.writeUInt8(fin ? flagFin : 0, 4);
  header.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([header, data]);
}

function synStream(id: number, headers: Readonly<Record<string, string>>): Buffer {
  const block = compressed(headerBlock(headers), id === 1);
  const body = Buffer.alloc(10);
  body.writeUInt32BE(id, 0);
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt16BE(version, 0);
  header.writeUInt16BE(frame.synStream, 2);
  header.writeUIntBE(body.length + block.length, 5, 3);
  return Buffer.concat([header, body, block]);
}

function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    return [uint32(bytes.length), bytes];
  };
  const entries = Object.entries(headers);
  return Buffer.concat([
    uint32(entries.length),
    ...entries.flatMap(([name, value]) => [...text(name), ...text(value)]),
  ]);
}

/**
 * All header blocks of a connection are one zlib stream. A stream of stored blocks is a valid one, and for a few short
 * headers as good as compressing them. The empty block at the end makes the reader give out what it has.
 */
function compressed(block: Buffer, first: boolean): Buffer {
  const start = Buffer.from(first ? [0x78, 0x01] : []);
  return Buffer.concat([start, storedBlock(block), storedBlock(Buffer.alloc(0))]);
}

function storedBlock(data: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(data.length, 1);
  header.writeUInt16LE(0xffff - data.length, 3);
  return Buffer.concat([header, data]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
