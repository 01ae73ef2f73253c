/**
 * The server's end of a SPDY/3.1 connection as Kubernetes' clients speak it: the client opens all streams, and there is
 * no flow control but the connection's own. What a stream's reader does not take holds up the connection.
 */
import { Duplex } from 'node:stream';
import { constants, createInflate } from 'node:zlib';
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

/** Serves the connection until it ends; then all its streams end too. */
export async function serveSpdy(connection: Duplex, onStream: StreamHandler): Promise<void> {
  const streams = new Map<number, PeerStream>();
  const readHeaders = headerReader();
  let isFirstReply = true;

  async function open({ streamId, fin, headerBlock }: Frame & { type: 'synStream' }): Promise<void> {
    const headers = parseHeaders(await readHeaders(headerBlock));
    const stream = peerStream(connection, streamId, (isWhole) => {
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
    if (fin) stream.duplex.push(null);
  }

  async function take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'synStream':
        return await open(frame);
      case 'data': {
        const stream = streams.get(frame.streamId);
        if (frame.data.length > 0) await stream?.receive(frame.data);
        if (frame.fin) stream?.duplex.push(null);
        return;
      }
      case 'rstStream': {
        const stream = streams.get(frame.streamId);
        streams.delete(frame.streamId);
        stream?.duplex.destroy();
        return;
      }
      case 'ping':
        connection.write(pingFrame(frame.payload));
        return;
      case 'goAway':
      case 'ignored':
    }
  }

  try {
    for await (const frame of framesOf(connection)) await take(parseFrame(frame));
  } finally {
    connection.destroy();
    for (const { duplex } of streams.values()) duplex.destroy();
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
  /** Resolves when there is room for more. */
  receive(data: Buffer): Promise<void>;
}

function peerStream(connection: Duplex, streamId: number, onClose: (isWhole: boolean) => void): PeerStream {
  let wanted = (): void => undefined;
  const send = (data: Buffer, fin: boolean, done: (error?: Error | null) => void): void => {
    if (connection.destroyed) done();
    else connection.write(dataFrame(streamId, data, fin), done);
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
  return {
    duplex,
    receive: async (data) => {
      if (duplex.destroyed || duplex.push(data)) return;
      await new Promise<void>((resolve) => {
        wanted = resolve;
      });
    },
  };
}

/** All header blocks of a connection are one zlib stream. */
function headerReader(): (block: Buffer) => Promise<Buffer> {
  const inflate = createInflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
  return async (block) => {
    await new Promise<void>((resolve, reject) => {
      inflate.once('error', reject);
      inflate.write(block, () => {
        inflate.off('error', reject);
        resolve();
      });
    });
    return (inflate.read() as Buffer | null) ?? Buffer.alloc(0);
  };
}
