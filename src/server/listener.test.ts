import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import { ApiError } from './errors.ts';
import { serveRoutes } from './listener.ts';

const closing = new AbortController();
let server: Server;
const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  server.close();
});

async function serve(maxUpgrades: number): Promise<void> {
  server = serveRoutes({
    routes: [
      {
        methods: ['POST'],
        path: '/exec',
        handle: () => undefined,
        upgrade: async ({ socket }) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
          socket.resume().on('end', () => socket.destroy());
        },
      },
    ],
    closing: closing.signal,
    isUp: Promise.resolve(),
    log: silentLogger(),
    maxUpgrades,
    admit: ({ req }) => {
      if (req.headers.authorization === undefined) throw new ApiError('Unauthorized', 'Unauthorized');
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

/** Asks for the upgrade, and never hangs up. Resolves with the status. */
async function exec(headers = ''): Promise<string> {
  const port = (server.address() as AddressInfo).port;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(client);
  client.write(
    `POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${headers}\r\n`,
  );
  const [answer] = (await once(client, 'data')) as [Buffer];
  return answer.toString().split(' ')[1]!;
}

const connections = (): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((err, count) => (err ? reject(err) : resolve(count)));
  });

it('who is refused takes no place among the streams', async () => {
  await serve(2);
  for (let n = 0; n < 3; n += 1) expect(await exec()).toBe('401');
  expect(await exec('Authorization: yes\r\n')).toBe('101');
  expect(await exec('Authorization: yes\r\n')).toBe('101');
  expect(await exec('Authorization: yes\r\n')).toBe('429');
  clients[3]?.destroy();
  await expect.poll(() => exec('Authorization: yes\r\n')).toBe('101');
});

it('a client that is refused an upgrade and does not hang up is hung up on', async () => {
  await serve(2);
  for (let n = 0; n < 3; n += 1) expect(await exec()).toBe('401');
  await expect.poll(() => connections()).toBe(0);
});
