import { randomBytes } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { spdySession } from '../../../runtime/cri/spdy.ts';
import { type StreamHandler, serveSpdy } from './spdy-server.ts';

/** Our own client of the streaming servers of container engines, on a connection to this server. */
const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

async function connection(onStream: StreamHandler) {
  const server = createServer((socket) => void serveSpdy(socket, onStream).catch(() => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  open.push(socket);
  socket.on('close', () => server.close());
  return spdySession(socket, Buffer.alloc(0));
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
