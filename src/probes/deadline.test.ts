import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { startDeadline } from './deadline.ts';
import { probeHttp } from './http.ts';

/** Holds up the whole event loop, as a long computation would. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const server = `
  const server = require('node:http').createServer((_, response) => response.end('alive'));
  server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)));`;

describe('the time of an attempt', () => {
  test('ends when it is over, and not after it was cleared', () => {
    vi.useFakeTimers();
    const onTimeout = vi.fn();
    startDeadline(100, onTimeout);
    const cleared = startDeadline(100, onTimeout);
    vi.advanceTimersByTime(99);
    expect(onTimeout).not.toHaveBeenCalled();
    cleared.clear();
    vi.advanceTimersByTime(1000);
    expect(onTimeout).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
  });

  test('ends also when the agent was held up and no answer comes', async () => {
    const onTimeout = vi.fn();
    startDeadline(50, onTimeout);
    standStill(200);
    await sleep(0);
    expect(onTimeout).not.toHaveBeenCalled();
    await expect.poll(() => onTimeout.mock.calls.length).toBe(1);
  });

  test('does not run out on a healthy container because the agent was held up', async () => {
    const healthy = spawn(process.execPath, ['-e', server], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(healthy.stdout, 'data')) as [Buffer];
      const target = { container: { name: 'app' }, podIp: '127.0.0.1' };
      const options = { timeoutMs: 1000, signal: new AbortController().signal };
      const outcome = probeHttp({ port: Number(line.toString()) }, target, options);
      standStill(2500);
      expect(await outcome).toEqual({ result: 'success', output: 'alive' });
    } finally {
      healthy.kill('SIGKILL');
    }
  });
});
