import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { spdySession } from '../../../runtime/cri/spdy.ts';
import type { UpgradeExchange } from '../http.ts';
import type { Channels } from './channels.ts';
import { acceptSpdyChannels } from './spdy-channels.ts';

it('the channels take what is sent to a client that goes, and to one that has gone', async () => {
  const server = createServer();
  const accepted = Promise.withResolvers<Channels>();
  server.on('upgrade', (req, socket, head) => {
    const { signal } = new AbortController();
    const exchange = { req, socket, head, signal } as unknown as UpgradeExchange;
    acceptSpdyChannels(exchange, ['error'], 0).then(accepted.resolve, accepted.reject);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const headers = {
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
  };
  const client = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, headers }).end();
  const [, socket, head] = (await once(client, 'upgrade')) as [unknown, Socket, Buffer];
  spdySession(socket, head).open({ streamtype: 'error' });
  const channels = await accepted.promise;
  const sent = channels.send('error', Buffer.alloc(1024 * 1024));
  socket.destroy();
  await sent;
  await expect.poll(() => channels.closed.aborted).toBe(true);
  await channels.send('error', 'nobody reads this');
  server.close();
});
