/** containerd away, killed, restarted, hung: what a caller sees, and that it comes back by itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { criRuntime } from '../../runtime/cri/index.ts';
import type { Runtime, RuntimeEvent } from '../../runtime/runtime.ts';
import { silentLogger } from '../../src/log.ts';
import { relayPath, startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { containerdLines } from '../peers/containerd-binaries.ts';
import { containerConfig, sandboxConfig } from './configs.ts';

describe.each(containerdLines)('without containerd %s', (line) => {
  let containerd: TestContainerd;
  let runtime: Runtime;
  const closing = new AbortController();

  beforeAll(async () => {
    containerd = await startContainerd(line);
    runtime = await connect();
  });
  afterAll(async () => {
    closing.abort();
    await containerd?.stop();
  });

  const connect = (requestTimeoutMs?: number) =>
    criRuntime({
      endpoint: containerd.endpoint,
      relayPath,
      log: silentLogger(),
      requestTimeoutMs,
      signal: closing.signal,
    });

  async function startContainer(
    name: string,
    script: string,
  ): Promise<{ sandbox: string; container: string }> {
    const config = sandboxConfig(containerd, name);
    const sandbox = await runtime.runPodSandbox(config, '');
    const container = await runtime.createContainer(sandbox, containerConfig('main', script), config);
    await runtime.startContainer(container);
    return { sandbox, container };
  }

  const stateOf = async (container: string) => (await runtime.containerStatus(container)).state;

  test('calls fail as Unavailable while it is away and work when it is back', async () => {
    // Whoever has never answered is asked for its name before anything else.
    await runtime.version();
    await containerd.kill9();
    await expect(runtime.version()).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(runtime.listContainers()).rejects.toThrow(
      `The container runtime at ${containerd.endpoint} does not answer ListContainers`,
    );
    await containerd.restart();
    await expect.poll(() => runtime.version().then(() => 'answers', String)).toBe('answers');
    expect((await runtime.status()).conditions).toContainEqual(
      expect.objectContaining({ type: 'RuntimeReady', status: true }),
    );
  });

  test('a runtime made while it is away works when it is there', async () => {
    await containerd.kill9();
    const early = await connect();
    await expect(early.version()).rejects.toMatchObject({ code: 'Unavailable' });
    await containerd.restart();
    await expect
      .poll(() => early.version().then((version) => version.runtimeName, String))
      .toBe('containerd');
    expect(early.name).toBe('containerd');
  });

  test('containers run on without it; what they wrote and how they ended is there afterwards', async () => {
    const done = await startContainer('done', 'echo before; exit 7');
    const going = await startContainer('going', 'i=0; while :; do echo $((i++)); sleep 0.05; done');
    await expect.poll(() => stateOf(done.container)).toBe('CONTAINER_EXITED');
    const startedAtMs = (await runtime.containerStatus(going.container)).startedAtMs;
    await containerd.kill9();
    const log = join(containerd.root, 'logs', 'going', 'main.log');
    const written = readFileSync(log).length;
    await containerd.restart();

    await expect.poll(() => runtime.version().then(() => 'answers', String)).toBe('answers');
    expect(await runtime.containerStatus(done.container)).toMatchObject({
      state: 'CONTAINER_EXITED',
      exitCode: 7,
      podSandboxId: done.sandbox,
    });
    expect(readFileSync(join(containerd.root, 'logs', 'done', 'main.log'), 'utf8')).toMatch(
      / stdout F before\n$/,
    );
    expect(await runtime.containerStatus(going.container)).toMatchObject({
      state: 'CONTAINER_RUNNING',
      startedAtMs,
    });
    await expect.poll(() => readFileSync(log).length).toBeGreaterThan(written);
    await runtime.removePodSandbox(done.sandbox);
    await runtime.removePodSandbox(going.sandbox);
  });

  test('events end with a resync on return, and tell of what happens then', async () => {
    const { sandbox, container } = await startContainer('watched', 'sleep 1000');
    const stop = new AbortController();
    const events: RuntimeEvent[] = [];
    const reading = (async () => {
      for await (const event of runtime.events(stop.signal)) events.push(event);
    })();
    const resync = { type: 'resync', podSandboxId: '', containerId: '' };
    await expect.poll(() => events).toContainEqual(resync);

    await containerd.kill9();
    await sleep(100);
    events.length = 0;
    await containerd.restart();
    await expect.poll(() => events).toContainEqual(resync);
    await runtime.stopContainer(container, 0);
    await expect
      .poll(() => events)
      .toContainEqual({ type: 'stopped', podSandboxId: sandbox, containerId: container });
    stop.abort();
    await reading;
    await runtime.removePodSandbox(sandbox);
  });

  test('when it hangs, calls end by their time limit or by the caller', async () => {
    const hasty = await connect(300);
    await hasty.version();
    await containerd.freeze();
    try {
      await expect(hasty.listContainers()).rejects.toMatchObject({
        code: 'DeadlineExceeded',
        message: expect.stringContaining('did not answer ListContainers'),
      });
      const giveUp = new AbortController();
      const call = runtime.listContainers(undefined, giveUp.signal);
      giveUp.abort();
      await expect(call).rejects.toMatchObject({ code: 'Cancelled' });
    } finally {
      containerd.thaw();
    }
    await expect(hasty.listContainers()).resolves.toBeDefined();
  });
});
