import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { UpgradeExchange } from '../http.ts';
import { acceptChannels, type Channels } from './channels.ts';

let server: Server;
let client: WebSocket;
let channels: Channels;
let stop: AbortController;

beforeEach(() => connect('v5.channel.k8s.io'));

async function connect(protocol: string): Promise<void> {
  // The process is real, only the time between pings is not waited for.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  stop = new AbortController();
  server = createServer();
  const accepted = Promise.withResolvers<Channels>();
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => undefined);
    const exchange = { req, socket, head, signal: stop.signal } as unknown as UpgradeExchange;
    acceptChannels(exchange, 0).then(accepted.resolve, accepted.reject);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, protocol);
  await once(client, 'open');
  channels = await accepted.promise;
}
afterEach(disconnect);

function disconnect(): void {
  vi.useRealTimers();
  client.terminate();
  stop.abort();
  server.close();
}

const message = (channel: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([channel]), payload]);

describe('the channels of a WebSocket', () => {
  it('notice that the client is gone while nobody reads its input', async () => {
    const stdin = channels.readable('stdin');
    for (let sent = 0; sent < 64; sent += 1) client.send(message(0, Buffer.alloc(64 * 1024)));
    await once(stdin, 'readable');
    client.terminate();
    while (!channels.closed.aborted) {
      vi.advanceTimersByTime(60_000);
      await new Promise(setImmediate);
    }
  });

  it('take what is sent to a client that has gone', async () => {
    client.terminate();
    await expect.poll(() => channels.closed.aborted).toBe(true);
    await channels.send('error', 'nobody reads this');
  });

  it('are not held up by data that nobody asked for', async () => {
    const stdin = channels.readable('stdin');
    client.send(message(7, Buffer.alloc(1024 * 1024)));
    client.send(message(0, Buffer.from('hello')));
    client.send(Buffer.from([255, 9]));
    client.send(Buffer.from([255, 0]));
    expect(Buffer.concat(await stdin.toArray()).toString()).toBe('hello');
  });

  it('tell an error in plain text, and nothing of a success, to a client of the first protocol', async () => {
    disconnect();
    await connect('channel.k8s.io');
    const messages: string[] = [];
    client.on('message', (data) => messages.push(String(data)));
    await channels.send('error', JSON.stringify({ status: 'Success' }));
    await channels.send('stdout', 'out');
    await channels.send('error', JSON.stringify({ status: 'Failure', message: 'command terminated' }));
    channels.close();
    await once(client, 'close');
    expect(messages).toEqual(['\u0001out', '\u0003command terminated']);
  });
});
