import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, deflateSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { spdySession } from '../../../runtime/cri/spdy.ts';
import { spdyDictionary } from './spdy-dictionary.ts';
import { dataFrame } from './spdy-frames.ts';
import { type StreamHandler, serveSpdy } from './spdy-server.ts';

/** Our own client of the streaming servers of container engines, on a connection to this server. */
const open: Socket[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const socket of open.splice(0)) socket.destroy();
});

async function connection(onStream: StreamHandler) {
  return spdySession(await connectTo(onStream), Buffer.alloc(0));
}

async function connectTo(onStream: StreamHandler): Promise<Socket> {
  const server = createServer((socket) => void serveSpdy(socket, onStream, 0).catch(() => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  open.push(socket);
  socket.on('close', () => server.close());
  return socket;
}

const echo: StreamHandler = (_headers, stream) => {
  stream.pipe(stream);
  return true;
};

async function exchange(stream: Duplex, data: Buffer): Promise<Buffer> {
  stream.end(data);
  return await buffer(stream);
}

describe('serveSpdy', () => {
  it('hands over the headers of each stream', async () => {
    const seen: unknown[] = [];
    const session = await connection((headers, stream) => {
      seen.push(headers);
      return echo(headers, stream);
    });
    await exchange(session.open({ streamType: 'error', port: '80' }), Buffer.alloc(0));
    await exchange(session.open({ streamType: 'data', port: '80' }), Buffer.alloc(0));
    expect(seen).toEqual([
      { streamtype: 'error', port: '80' },
      { streamtype: 'data', port: '80' },
    ]);
  });

  it('carries many streams at once, each whole and in order', async () => {
    const session = await connection(echo);
    const sent = Array.from({ length: 60 }, (_, index) => randomBytes(index * 1500));
    const received = await Promise.all(
      sent.map((data) => exchange(session.open({ streamtype: 'data' }), data)),
    );
    for (const [index, data] of received.entries()) expect(data.equals(sent[index]!)).toBe(true);
  });

  it('does not read more than the other end takes', async () => {
    let taken: Duplex | undefined;
    const session = await connection((_headers, stream) => {
      taken = stream;
      return true;
    });
    const stream = session.open({ streamtype: 'data' });
    const data = randomBytes(8 * 1024 * 1024);
    stream.end(data);
    await new Promise((resolve) => stream.once('prefinish', resolve).once('drain', resolve));
    expect(taken?.readableLength ?? 0).toBeLessThan(1024 * 1024);
    expect((await buffer(taken!)).equals(data)).toBe(true);
    taken?.end();
    expect(await buffer(stream)).toHaveLength(0);
  });

  it('ends its streams when the client goes while their reader is behind', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const taken = Promise.withResolvers<Duplex>();
    const session = await connection((_headers, stream) => {
      taken.resolve(stream);
      return true;
    });
    const sent = session.open({ streamtype: 'data' });
    const stream = await taken.promise;
    // Many frames: what comes behind the first is not read.
    for (let frame = 0; frame < 128; frame += 1) sent.write(randomBytes(64 * 1024));
    await once(stream, 'readable');
    open.at(-1)?.destroy();
    while (!stream.destroyed) {
      vi.advanceTimersByTime(60_000);
      await new Promise(setImmediate);
    }
  });

  it('takes nothing behind the end of a stream', async () => {
    const taken = Promise.withResolvers<Duplex>();
    const socket = await connectTo((_headers, stream) => {
      taken.resolve(stream);
      return true;
    });
    const noHeaders = deflateSync(Buffer.alloc(4), {
      dictionary: spdyDictionary,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    const finished = Buffer.from([
      0x80,
      3,
      0,
      1,
      1,
      0,
      0,
      10 + noHeaders.length,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
    ]);
    socket.write(Buffer.concat([finished, noHeaders, dataFrame(1, Buffer.from('x'), true)]));
    const stream = await taken.promise;
    expect(await buffer(stream)).toHaveLength(0);
    // Still joined to the client.
    expect(stream.destroyed).toBe(false);
    expect((await once(socket, 'data')).length).toBe(1);
  });

  it('survives that the client goes while nobody looks at a stream that is behind', async () => {
    const taken = Promise.withResolvers<Duplex>();
    const session = await connection((_headers, stream) => {
      taken.resolve(stream);
      return true;
    });
    // Both directions are full: what fails first is a write.
    const sent = session.open({ streamtype: 'error' });
    const stream = await taken.promise;
    for (let frame = 0; frame < 128; frame += 1) sent.write(randomBytes(64 * 1024));
    await once(stream, 'readable');
    open.at(-1)?.pause();
    // More than the connection has room for.
    for (let n = 0; n < 4; n += 1) stream.write(Buffer.alloc(8 * 1024 * 1024));
    stream.end();
    open.at(-1)?.resetAndDestroy();
    await new Promise<void>((resolve) => stream.on('close', resolve));
    expect(stream.writableFinished).toBe(false);
  });

  it('answers the pings of the client, and does not answer an answer', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const session = await connection(echo);
    expect((await exchange(session.open({}), Buffer.from('x'))).toString()).toBe('x');
    const socket = open.at(-1)!;
    const seen: number[] = [];
    socket.on('data', (frame: Buffer) => {
      if (frame.readUInt16BE(2) === 6) seen.push(frame.readUInt32BE(8));
    });
    vi.advanceTimersByTime(10_000);
    socket.write(Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 7]));
    await once(socket, 'data');
    expect((await exchange(session.open({}), Buffer.from('y'))).toString()).toBe('y');
    expect(seen.filter((id) => id === 2)).toHaveLength(1);
    expect(seen.filter((id) => id === 7)).toHaveLength(1);
  });

  it('reads headers that do not fit into one piece, and ends a connection whose headers have no end', async () => {
    const session = await connection((headers, stream) => {
      stream.end(String(headers.long?.length));
      return true;
    });
    const long = session.open({ long: 'x'.repeat(40_000) });
    expect((await buffer(long)).toString()).toBe('40000');

    const pair = Buffer.alloc(4 + 4 + 1 + 4 + 10_000_000);
    pair.writeUInt32BE(1, 0);
    pair.writeUInt32BE(1, 4);
    pair.writeUInt32BE(10_000_000, 9);
    const block = deflateSync(pair, { dictionary: spdyDictionary, finishFlush: constants.Z_SYNC_FLUSH });
    const header = Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    header.writeUIntBE(block.length + 10, 5, 3);
    const socket = await connectTo(echo);
    socket.write(Buffer.concat([header, block]));
    // Ended by the server: from here the connection stays open.
    expect(await buffer(socket)).toHaveLength(0);
  });

  it('refuses more streams than anybody needs', async () => {
    let accepted = 0;
    const session = await connection(() => {
      accepted += 1;
      return true;
    });
    for (let index = 0; index < 2000; index += 1) session.open({});
    expect(await buffer(session.open({}))).toHaveLength(0);
    expect(accepted).toBe(2000);
  });

  it('ends a refused or broken stream at the other end too, without hurting the others', async () => {
    const session = await connection((headers, stream) => {
      if (headers.streamtype === 'broken') setImmediate(() => stream.destroy());
      return headers.streamtype !== 'odd' && echo(headers, stream);
    });
    for (const streamtype of ['odd', 'broken']) {
      expect(await buffer(session.open({ streamtype }))).toHaveLength(0);
    }
    expect((await exchange(session.open({ streamtype: 'data' }), Buffer.from('y'))).toString()).toBe('y');
  });
});
