import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { RuntimeError } from '../../runtime/runtime.ts';
import type { LifecycleHandler, Pod } from '../api/core.gen.ts';
import { HookError, type HookOptions, runHook } from './hooks.ts';

const pod: Pod = { metadata: { name: 'web', namespace: 'default', uid: 'u1' }, spec: { containers: [] } };

function run(handler: LifecycleHandler, options: Partial<HookOptions> = {}): Promise<void> {
  return runHook({
    handler,
    pod,
    container: { name: 'app' },
    podIp: '127.0.0.1',
    exec: () => Promise.reject(new Error('no command expected')),
    timeoutMs: 0,
    signal: new AbortController().signal,
    ...options,
  });
}

const answer = (exitCode: number, stdout = '') => ({
  exitCode,
  stdout: Buffer.from(stdout),
  stderr: Buffer.alloc(0),
});

describe('an exec hook', () => {
  test('runs the command with the time it has', async () => {
    const exec = vi.fn<HookOptions['exec']>(async () => answer(0));
    await run({ exec: { command: ['bye', '$(X)'] } }, { exec, timeoutMs: 3000 });
    expect(exec).toHaveBeenCalledWith(['bye', '$(X)'], 3000, expect.any(AbortSignal));
  });

  test('that fails says what ran where and what it printed', async () => {
    const failure = run({ exec: { command: ['sh', '-c', 'x'] } }, { exec: async () => answer(3, 'oh\nno') });
    await expect(failure).rejects.toThrow(HookError);
    await expect(failure).rejects.toThrow(
      'Exec lifecycle hook (["sh","-c","x"]) for Container "app" in Pod "web_default(u1)" failed - error: command \'sh -c x\' exited with 3, message: "oh\\nno"',
    );
  });

  test('that the runtime cuts short fails', async () => {
    const exec = () => Promise.reject(new RuntimeError('DeadlineExceeded', 'too slow'));
    await expect(run({ exec: { command: ['x'] } }, { exec })).rejects.toThrow(/failed - error: too slow$/);
  });
});

describe('an httpGet hook', () => {
  test.each([200, 500])('succeeds with any answer, such as %i', async (statusCode) => {
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      response.writeHead(statusCode).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await run(
      { httpGet: { port: 'web', path: '/bye' } },
      { container: { name: 'app', ports: [{ name: 'web', containerPort: port }] } },
    );
    expect(requests.map(({ url, headers }) => [url, headers['user-agent']])).toEqual([
      ['/bye', expect.stringMatching(/^kube-lifecycle\/1\.\d+$/)],
    ]);
    server.close();
  });

  test('fails when there is no answer', async () => {
    await expect(run({ httpGet: { port: 'web', path: '/bye' } })).rejects.toThrow(
      `HTTP lifecycle hook (/bye) for Container "app" in Pod "web_default(u1)" failed - error: container app has no port 'web'`,
    );
  });
});

describe('a sleep hook', () => {
  test('takes as long as it says', async () => {
    const startedMs = performance.now();
    await run({ sleep: { seconds: 0.05 } }, { timeoutMs: 60_000 });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(49);
  });

  test('that is longer than the time left fails then', async () => {
    await expect(run({ sleep: { seconds: 60 } }, { timeoutMs: 20 })).rejects.toThrow(
      'Sleep lifecycle hook (60) for Container "app" in Pod "web_default(u1)" failed - error: container terminated before sleep hook finished',
    );
  });

  test('may be longer than any timer', async () => {
    const stop = new AbortController();
    const hook = run({ sleep: { seconds: 3e6 } }, { timeoutMs: 4e9, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('the agent stops')), 50);
    await expect(hook).rejects.toThrow('the agent stops');
  });

  test('ends with the reason of the abort', async () => {
    const signal = AbortSignal.abort(new Error('the agent stops'));
    await expect(run({ sleep: { seconds: 60 } }, { signal })).rejects.toThrow('the agent stops');
  });
});

test('a tcpSocket hook fails and says what to use', async () => {
  await expect(run({ tcpSocket: { port: 80 } })).rejects.toThrow('use exec, httpGet or sleep');
});
