/** containerd away, killed, restarted, hung: what a caller sees, and that it comes back by itself. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
  let dir: string;
  const closing = new AbortController();

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-runc-'));
    const otherRunc = join(dir, 'slow-to-delete');
    const script = '#!/bin/sh\ncase " $* " in *" delete "*) sleep 1 ;; esac\nexec runc "$@"\n';
    await writeFile(otherRunc, script, { mode: 0o755 });
    containerd = await startContainerd(line, { otherRunc });
    runtime = await connect();
  });
  afterAll(async () => {
    closing.abort();
    await containerd?.stop();
    await rm(dir, { recursive: true });
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
    handler = '',
  ): Promise<{ sandbox: string; container: string }> {
    const config = sandboxConfig(containerd, name);
    const sandbox = await runtime.runPodSandbox(config, handler);
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

  // With containerd 2 `stopped` comes by CRI's events, when it has noted the end: too late to meet that moment here.
  if (line !== '2.x')
    test('how a container ended is known, also when containerd is killed while it notes that', async () => {
      const stop = new AbortController();
      let resyncs = 0;
      let ended = '';
      const reading = (async () => {
        for await (const { type, containerId } of runtime.events(stop.signal)) {
          if (type === 'resync') resyncs += 1;
          if (type === 'stopped') ended = containerId;
        }
      })();
      const ends: unknown[] = [];
      // It tells the end, has the task deleted, which takes a while here, and notes the end then.
      const waitsMs = [0, 20, 50, 100, 200];
      for (const waitMs of waitsMs) {
        await expect.poll(() => resyncs, { timeout: 10_000 }).toBeGreaterThan(ends.length);
        const script = 'sleep 0.3; exit 7';
        const { sandbox, container } = await startContainer(`noted-${waitMs}`, script, 'other');
        while (ended !== container) await sleep(1);
        await sleep(waitMs);
        await containerd.kill9();
        await containerd.restart();
        await expect.poll(() => runtime.version().then(() => 'answers', String)).toBe('answers');
        // What it is not sure of after a restart is to be stopped, by CRI.
        if ((await stateOf(container)) === 'CONTAINER_UNKNOWN') await runtime.stopContainer(container, 0);
        await expect.poll(() => stateOf(container), { timeout: 10_000 }).toBe('CONTAINER_EXITED');
        const { exitCode, reason } = await runtime.containerStatus(container);
        ends.push({ waitMs, exitCode, reason });
        await runtime.removePodSandbox(sandbox);
      }
      expect(ends).toEqual(waitsMs.map((waitMs) => ({ waitMs, exitCode: 7, reason: 'Error' })));
      stop.abort();
      await reading;
    }, 120_000);

  if (line !== '2.x')
    test('how a container ended is known, also to an agent that is busy until containerd is killed', async () => {
      const stop = new AbortController();
      const subscribed = Promise.withResolvers<void>();
      const reading = (async () => {
        for await (const { type } of runtime.events(stop.signal)) if (type === 'resync') subscribed.resolve();
      })();
      await subscribed.promise;
      const pid = Number(readFileSync(join(containerd.root, 'pid'), 'utf8'));
      const { sandbox, container } = await startContainer('unread', 'sleep 0.3; exit 7');
      const isTaken = (log: string) => log.includes('shim disconnected') && log.includes(container);
      // Nothing is read from here on. It has told the end long before, and is yet to note it.
      const givenUpMs = Date.now() + 10_000;
      while (!containerd.log().split('\n').some(isTaken) && Date.now() < givenUpMs);
      process.kill(pid, 'SIGKILL');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      await expect(runtime.containerStatus(container)).rejects.toMatchObject({ code: 'Unavailable' });
      await containerd.restart();
      await expect.poll(() => runtime.version().then(() => 'answers', String)).toBe('answers');
      if ((await stateOf(container)) === 'CONTAINER_UNKNOWN') await runtime.stopContainer(container, 0);
      await expect.poll(() => stateOf(container), { timeout: 10_000 }).toBe('CONTAINER_EXITED');
      expect(await runtime.containerStatus(container)).toMatchObject({ exitCode: 7, reason: 'Error' });
      await runtime.removePodSandbox(sandbox);
      stop.abort();
      await reading;
    }, 60_000);

  test('a container that containerd was just making when it was killed never ran', async () => {
    const config = sandboxConfig(containerd, 'made');
    const sandbox = await runtime.runPodSandbox(config, '');
    const container = await runtime.createContainer(sandbox, containerConfig('main', 'exit 0'), config);
    await containerd.kill9();
    // The last that it writes.
    const kept = `root/io.containerd.grpc.v1.cri/containers/${container}/status`;
    await rm(join(containerd.root, kept));
    await containerd.restart();
    await expect.poll(() => runtime.version().then(() => 'answers', String)).toBe('answers');
    expect(await stateOf(container)).toBe('CONTAINER_UNKNOWN');
    await runtime.stopContainer(container, 0);
    expect(await stateOf(container)).toBe('CONTAINER_CREATED');
    await runtime.removePodSandbox(sandbox);
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
