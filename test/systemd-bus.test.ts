/** What the agent says to systemd, over a real bus by the reference implementation, which checks each message. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Bus, systemdBus } from '../src/resources/systemd/bus.ts';
import { infinity } from '../src/resources/systemd/message.ts';
import { systemdSlices } from '../src/resources/systemd/units.ts';
import { until } from './agent.ts';

let dir: string;
let socket: string;
let daemon: ChildProcess;
const buses: Bus[] = [];

const start = async () => {
  await rm(socket, { force: true });
  daemon = spawn('dbus-daemon', ['--nofork', `--config-file=${join(dir, 'bus.conf')}`], { stdio: 'inherit' });
  await until('the bus is there', () => existsSync(socket));
};
const stop = async () => {
  const ended = once(daemon, 'exit');
  daemon.kill('SIGKILL');
  await ended;
};
const bus = (...paths: string[]) => {
  const made = systemdBus(paths.map((path) => ({ path, hasBroker: true })));
  buses.push(made);
  return made;
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-bus-'));
  socket = join(dir, 'socket');
  await writeFile(
    join(dir, 'bus.conf'),
    `<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>`,
  );
  await start();
});
afterEach(() => {
  for (const made of buses.splice(0)) made.close();
});
afterAll(async () => {
  await stop();
  await rm(dir, { recursive: true });
});

/** The bus ends the connection of who sends what it cannot read, and says this of what it can. */
const nobodyThere = { name: 'BusError', code: 'org.freedesktop.DBus.Error.ServiceUnknown' };

it('is well formed, whatever the limits', async () => {
  const slices = systemdSlices(bus(socket));
  const properties = [
    ['Description', 'a pod – ü'],
    ['DefaultDependencies', false],
    ['CPUWeight', 79n],
    ['MemoryMax', infinity],
  ] as const;
  for (const length of [0, 1, 2, 3, 4]) {
    await expect(slices.start('x.slice', properties.slice(0, length))).rejects.toMatchObject(nobodyThere);
    await expect(slices.set('roslet-kubepods.slice', properties.slice(-length))).rejects.toMatchObject(
      nobodyThere,
    );
  }
  await expect(slices.stop('roslet-kubepods.slice')).rejects.toMatchObject(nobodyThere);
});

it('is answered each by its own, of many at once', async () => {
  const slices = systemdSlices(bus(socket));
  const asked = Array.from({ length: 200 }, (_, i) => slices.set(`a-${i}.slice`, [['CPUWeight', BigInt(i)]]));
  for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected');
});

it('goes over a new connection when the old one was ended', async () => {
  const slices = systemdSlices(bus(socket));
  await expect(slices.set('x.slice', [])).rejects.toMatchObject(nobodyThere);
  await stop();
  await start();
  await expect(slices.set('x.slice', [])).rejects.toMatchObject(nobodyThere);
});

it('goes the second way where there is no first', async () => {
  const slices = systemdSlices(bus(join(dir, 'nowhere'), socket));
  await expect(slices.set('x.slice', [])).rejects.toMatchObject(nobodyThere);
});

it('says so when there is nobody, or somebody else', async () => {
  const nowhere = systemdSlices(bus(join(dir, 'nowhere')));
  await expect(nowhere.set('x.slice', [])).rejects.toThrow(/^systemd cannot be reached: .*ENOENT.*nowhere/);
  const path = join(dir, 'other');
  const other = createServer((client) => client.end('REJECTED KERBEROS\r\n')).listen(path);
  await once(other, 'listening');
  await expect(systemdSlices(bus(path)).set('x.slice', [])).rejects.toThrow('does not let us in: REJECTED');
  other.close();
});
