/**
 * The server's end of a SPDY/3.1 connection as Kubernetes' clients speak it: the client opens all streams, and there is
 * no flow control but the connection's own. What a stream's reader does not take holds up the connection.
 */
import { Duplex } from 'node:stream';
import { constants, createInflate } from 'node:zlib';
import { type IdleLimit, idleLimit } from './idle.ts';
import { spdyDictionary } from './spdy-dictionary.ts';
import {
  dataFrame,
  type Frame,
  frameHeaderBytes,
  frameLength,
  parseFrame,
  parseHeaders,
  pingFrame,
  replyFrame,
  resetFrame,
} from './spdy-frames.ts';

/** A stream that the client opened. Return false to refuse it. */
export type StreamHandler = (headers: Readonly<Record<string, string>>, stream: Duplex) => boolean;

const maxFrameBytes = 16 * 1024 * 1024;
const maxHeaderBytes = 64 * 1024;
/** kubectl opens two for each connection that it forwards. */
const maxStreams = 2000;

/** While a reader is behind nothing is read, also not that the client is gone: only writing to it tells. */
const pingMs = 10_000;
/** Even, as the server's are. */
const pingPayload = Buffer.from([0, 0, 0, 2]);

/**
 * Serves the connection until it ends; then all its streams end too.
 * @param idleMs a connection that carries no data for so long is ended; 0: never
 */
export async function serveSpdy(connection: Duplex, onStream: StreamHandler, idleMs: number): Promise<void> {
  const idle = idleLimit(idleMs, () => connection.destroy());
  const streams = new Map<number, PeerStream>();
  const readHeaders = headerReader();
  let isFirstReply = true;

  async function open({ streamId, fin, headerBlock }: Frame & { type: 'synStream' }): Promise<void> {
    // Read also when the stream is refused: all header blocks are one compressed stream.
    const headers = parseHeaders(await readHeaders(headerBlock));
    if (streams.has(streamId)) throw new RangeError(`SPDY stream ${streamId} is opened twice`);
    if (streams.size >= maxStreams) {
      connection.write(resetFrame(streamId));
      return;
    }
    const stream = peerStream(connection, streamId, idle, (isWhole) => {
      const isOurs = streams.delete(streamId);
      // The other end waits for what will not come.
      if (isOurs && !isWhole && !connection.destroyed) connection.write(resetFrame(streamId));
    });
    streams.set(streamId, stream);
    if (!onStream(headers, stream.duplex)) {
      stream.duplex.destroy();
      return;
    }
    connection.write(replyFrame(streamId, isFirstReply));
    isFirstReply = false;
    if (fin) stream.end();
  }

  async function take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'synStream':
        return await open(frame);
      case 'data': {
        const stream = streams.get(frame.streamId);
        if (frame.data.length > 0) await stream?.receive(frame.data);
        if (frame.fin) stream?.end();
        return;
      }
      case 'rstStream': {
        const stream = streams.get(frame.streamId);
        streams.delete(frame.streamId);
        stream?.duplex.destroy();
        return;
      }
      case 'ping':
        // The client's have odd numbers; an even one is its answer to ours.
        if (frame.payload.readUInt32BE(0) % 2 === 1) connection.write(pingFrame(frame.payload));
        return;
      case 'goAway':
      case 'ignored':
    }
  }

  const endStreams = (): void => {
    for (const { duplex } of [...streams.values()]) duplex.destroy();
  };
  // Also ends the wait for a reader that is behind.
  connection.once('close', endStreams);
  const pings = setInterval(() => connection.write(pingFrame(pingPayload)), pingMs);
  try {
    for await (const frame of framesOf(connection)) await take(parseFrame(frame));
  } finally {
    clearInterval(pings);
    idle.stop();
    connection.destroy();
    endStreams();
  }
}

/** Chunks are put together when a frame is whole, not before: large frames come in many. */
async function* framesOf(connection: Duplex): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let received = 0;
  let needed = frameHeaderBytes;
  for await (const chunk of connection) {
    chunks.push(chunk as Buffer);
    received += (chunk as Buffer).length;
    while (received >= needed) {
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      const length = frameLength(bytes) ?? frameHeaderBytes;
      if (length > maxFrameBytes) throw new RangeError(`a SPDY frame of ${length} bytes`);
      chunks = [bytes];
      needed = length;
      if (received < length) break;
      yield bytes.subarray(0, length);
      chunks = [bytes.subarray(length)];
      received -= length;
      needed = frameHeaderBytes;
    }
  }
}

interface PeerStream {
  duplex: Duplex;
  /** Resolves when there is room for more. What comes behind the end is not taken. */
  receive(data: Buffer): Promise<void>;
  /** The client sends no more. */
  end(): void;
}

function peerStream(
  connection: Duplex,
  streamId: number,
  idle: IdleLimit,
  onClose: (isWhole: boolean) => void,
): PeerStream {
  let wanted = (): void => undefined;
  let hasEnded = false;
  const send = (data: Buffer, fin: boolean, done: (error?: Error | null) => void): void => {
    idle.touch();
    if (connection.destroyed) done();
    else writeAhead(connection, dataFrame(streamId, data, fin), done);
  };
  const duplex = new Duplex({
    read: () => wanted(),
    write: (chunk: Buffer, _encoding, done) => send(chunk, false, done),
    final: (done) => send(Buffer.alloc(0), true, done),
    destroy: (error, done) => {
      wanted();
      onClose(duplex.readableEnded && duplex.writableFinished);
      done(error);
    },
  });
  // Whoever uses the stream learns by its end what became of it; without a listener an error would end the agent.
  duplex.on('error', () => undefined);
  return {
    duplex,
    receive: async (data) => {
      idle.touch();
      if (hasEnded || duplex.destroyed || duplex.push(data)) return;
      await new Promise<void>((resolve) => {
        wanted = resolve;
      });
    },
    end: () => {
      hasEnded = true;
      duplex.push(null);
    },
  };
}

/** Not each frame waits for the one before it to be sent: only when the connection has enough of them. */
function writeAhead(connection: Duplex, frame: Buffer, done: (error?: Error | null) => void): void {
  let isDone = false;
  const finish = (error?: Error | null): void => {
    if (!isDone) done(error);
    isDone = true;
  };
  if (connection.write(frame, finish)) finish();
}

/** All header blocks of a connection are one zlib stream. */
function headerReader(): (block: Buffer) => Promise<Buffer> {
  const inflate = createInflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
  return (block) =>
    new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let length = 0;
      // Taken as it comes: inflate stops where nobody reads. A small block may hold very much.
      const take = (part: Buffer): void => {
        parts.push(part);
        length += part.length;
        if (length <= maxHeaderBytes) return;
        reject(new RangeError(`the headers of a SPDY stream have more than ${maxHeaderBytes} bytes`));
        inflate.destroy();
      };
      inflate.on('data', take);
      inflate.once('error', reject);
      inflate.write(block, (err) => {
        if (err) return;
        inflate.off('data', take);
        inflate.off('error', reject);
        resolve(Buffer.concat(parts));
      });
    });
}
