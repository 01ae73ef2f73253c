import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';

interface Datagram {
  text: string;
  pid: number;
}

const watchdogUs = 600_000;
let dir: string;
let systemd: ChildProcess;
let received: Datagram[];
let agent: ChildProcess;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-systemd-test-'));
  const socketPath = join(dir, 'notify');
  systemd = spawn('python3', [join(import.meta.dirname, 'notify_socket.py'), socketPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  received = [];
  const lines = createInterface({ input: systemd.stdout! });
  await once(lines, 'line', { signal: AbortSignal.timeout(20_000) });
  lines.on('line', (line) => received.push(JSON.parse(line)));
  agent = spawn(process.execPath, [join(import.meta.dirname, 'notifier.ts')], {
    stdio: 'inherit',
    env: { ...process.env, NOTIFY_SOCKET: socketPath, WATCHDOG_USEC: String(watchdogUs) },
  });
});

afterEach(async () => {
  agent.kill('SIGKILL');
  systemd.kill('SIGKILL');
  await rm(dir, { recursive: true });
});

test('systemd hears of the agent itself that it is ready, how it is, that it lives, and that it stops', async () => {
  const states = () => received.flatMap(({ text }) => text.trim().split('\n'));
  await expect.poll(states, { timeout: 20_000 }).toContain('WATCHDOG=1');
  expect(states().slice(0, 2)).toEqual(['READY=1', 'STATUS=3 pods run well']);
  // NotifyAccess=main takes only what comes from the unit's main process.
  expect(new Set(received.map(({ pid }) => pid))).toEqual(new Set([agent.pid]));

  agent.kill('SIGUSR1');
  await expect.poll(states, { timeout: 20_000 }).toContain('STOPPING=1');
  const signsOfLife = () => states().filter((state) => state === 'WATCHDOG=1').length;
  // One may have been under way when the health went bad.
  await sleep(2000);
  const before = signsOfLife();
  await sleep((watchdogUs / 1000) * 2);
  expect(signsOfLife()).toBe(before);
});
