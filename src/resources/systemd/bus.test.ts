import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemdBus } from './bus.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-bus-'));
});
afterEach(() => rm(dir, { recursive: true }));

it('ends a connection that nobody lets in when it is closed', async () => {
  const path = join(dir, 'bus');
  const server = createServer().listen(path);
  await once(server, 'listening');
  try {
    const came = once(server, 'connection');
    const bus = systemdBus([{ path, hasBroker: false }]);
    const called = bus.call({
      destination: 'org.freedesktop.systemd1',
      path: '/org/freedesktop/systemd1',
      interface: 'org.freedesktop.systemd1.Manager',
      member: 'Reload',
      signature: '',
      write: () => undefined,
    });
    const failed = expect(called).rejects.toThrow('closed');
    const [socket] = (await came) as [Socket];
    await once(socket, 'data');
    const gone = once(socket, 'close');
    bus.close();
    await failed;
    socket.resume();
    await gone;
  } finally {
    server.close();
  }
});
