/**
 * What an agent has begun is done also when it does not live to see it: the relay (runtime/cri/native/relay.c) between
 * the agent and real containerds. A containerd that is stopped for a moment makes sure that the caller is gone before
 * it is answered.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { criRuntime } from '../../runtime/cri/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Logger, silentLogger } from '../../src/log.ts';
import { relayPath, startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { containerdLines } from '../peers/containerd-binaries.ts';
import { containerConfig, sandboxConfig } from './configs.ts';

interface Caller {
  runtime: Runtime;
  /** As when the agent ends: nothing is taken back, the connection is simply gone. */
  end(): void;
}

describe.each(containerdLines)('calls to containerd %s', (line) => {
  let containerd: TestContainerd;
  /** Only looks, so it needs no relay. */
  let observer: Caller;
  const callers: Caller[] = [];

  beforeAll(async () => {
    containerd = await startContainerd(line);
    await mkdir(join(containerd.root, 'starts'));
    observer = await newCaller();
  });
  afterEach(async () => {
    for (const caller of callers.splice(1)) caller.end();
    await expect.poll(relays, patience).toEqual([]);
  });
  afterAll(async () => {
    for (const caller of callers) caller.end();
    await containerd?.stop();
  });

  async function newCaller(
    options: { requestTimeoutMs?: number; relayPath?: string; log?: Logger } = {},
  ): Promise<Caller> {
    const life = new AbortController();
    const runtime = await criRuntime({
      endpoint: containerd.endpoint,
      relayPath,
      log: silentLogger(),
      signal: life.signal,
      ...options,
    });
    const caller = { runtime, end: () => life.abort() };
    callers.push(caller);
    return caller;
  }

  const relays = () => containerd.relays();

  /** Has the caller go while its call lies unread before a containerd that is stopped. */
  async function leaveDuring(call: Promise<unknown>, caller: Caller): Promise<void> {
    const lost = expect(call).rejects.toThrow();
    await sleep(sentMs);
    caller.end();
    await lost;
  }

  const container = (name: string, script = 'sleep 1000') =>
    containerConfig('main', `echo started >> /starts/${name}; ${script}`, {
      mounts: [
        {
          containerPath: '/starts',
          hostPath: join(containerd.root, 'starts'),
          readonly: false,
          recursiveReadOnly: false,
          selinuxRelabel: false,
          propagation: 'PRIVATE',
        },
      ],
    });
  const started = (name: string) => readFileSync(join(containerd.root, 'starts', name), 'utf8');
  const stateOf = async (id: string) => (await observer.runtime.containerStatus(id)).state;
  const sandboxes = async (name: string) =>
    (await observer.runtime.listPodSandbox()).filter((sandbox) => sandbox.metadata.name === name);

  test('a pod comes to be step by step although each caller goes before it is answered', async () => {
    const name = 'step';
    const config = sandboxConfig(containerd, name);
    const step = async (call: (runtime: Runtime) => Promise<unknown>) => {
      const caller = await newCaller();
      await caller.runtime.runPodSandbox(sandboxConfig(containerd, 'warm'), '').catch(() => undefined);
      await containerd.freeze();
      try {
        await leaveDuring(call(caller.runtime), caller);
      } finally {
        containerd.thaw();
      }
    };
    await step((runtime) => runtime.runPodSandbox(config, ''));
    await expect.poll(() => sandboxes(name), patience).toHaveLength(1);
    const [sandbox] = await sandboxes(name);
    expect(await observer.runtime.podSandboxStatus(sandbox!.id)).toMatchObject({
      state: 'SANDBOX_READY',
      ips: [expect.any(String)],
    });

    await step((runtime) => runtime.createContainer(sandbox!.id, container(name), config));
    const containers = () => observer.runtime.listContainers({ podSandboxId: sandbox!.id });
    await expect.poll(containers, patience).toMatchObject([{ state: 'CONTAINER_CREATED' }]);
    const [made] = await containers();

    await step((runtime) => runtime.startContainer(made!.id));
    await expect.poll(() => stateOf(made!.id), patience).toBe('CONTAINER_RUNNING');
    await expect.poll(() => started(name), patience).toBe('started\n');
    await expect.poll(relays, patience).toEqual([]);
    expect(await stateOf(made!.id)).toBe('CONTAINER_RUNNING');

    // Who comes later is told that it is done, and does it no second time.
    const { runtime } = await newCaller();
    const again = { code: 'AlreadyExists' };
    await expect(runtime.runPodSandbox(config, '')).rejects.toMatchObject(again);
    const twin = runtime.createContainer(sandbox!.id, container(name), config);
    await expect(twin).rejects.toMatchObject(again);
    await expect(runtime.startContainer(made!.id)).rejects.toMatchObject(again);
    expect(started(name)).toBe('started\n');
  });

  test('a start that its caller takes back is taken back', async () => {
    const { runtime } = await newCaller();
    const config = sandboxConfig(containerd, 'back');
    const sandbox = await runtime.runPodSandbox(config, '');
    const id = await runtime.createContainer(sandbox, container('back'), config);
    const giveUp = new AbortController();
    await containerd.freeze();
    try {
      const call = expect(runtime.startContainer(id, giveUp.signal)).rejects.toMatchObject({
        code: 'Cancelled',
      });
      await sleep(sentMs);
      giveUp.abort();
      await call;
      await sleep(sentMs);
    } finally {
      containerd.thaw();
    }
    // Not before containerd is through with it.
    await expect
      .poll(() => runtime.removePodSandbox(sandbox).then(() => 'removed', String), patience)
      .toBe('removed');
    expect(await sandboxes('back')).toEqual([]);
    expect(() => started('back')).toThrow('ENOENT');
  });

  test('a relay goes with its caller, at once or when a runtime that hangs has had its time', async () => {
    const idle = await newCaller();
    await idle.runtime.runPodSandbox(sandboxConfig(containerd, 'idle'), '');
    expect(relays()).toHaveLength(1);
    idle.end();
    await expect.poll(relays, patience).toEqual([]);

    const hasty = await newCaller({ requestTimeoutMs: 2000 });
    await hasty.runtime.runPodSandbox(sandboxConfig(containerd, 'hasty'), '');
    await containerd.freeze();
    try {
      const call = hasty.runtime.runPodSandbox(sandboxConfig(containerd, 'hung'), '');
      await leaveDuring(call, hasty);
      expect(relays()).toHaveLength(1);
      await expect.poll(relays, patience).toEqual([]);
    } finally {
      containerd.thaw();
    }
  });

  test('starts go on after either end of the relay went away', async () => {
    const { runtime } = await newCaller();
    const run = (name: string) => () =>
      runtime.runPodSandbox(sandboxConfig(containerd, name), '').catch(String);
    await runtime.runPodSandbox(sandboxConfig(containerd, 'first'), '');
    const [relay] = relays();
    process.kill(relay!, 'SIGKILL');
    await expect.poll(run('second'), patience).toMatch(madeId);
    expect(relays()).toHaveLength(1);
    expect(relays()).not.toContain(relay);

    await containerd.freeze();
    const call = runtime.runPodSandbox(sandboxConfig(containerd, 'lost'), '');
    const lost = expect(call).rejects.toMatchObject({ code: 'Unavailable' });
    await sleep(sentMs);
    await containerd.kill9();
    await lost;
    await expect(runtime.runPodSandbox(sandboxConfig(containerd, 'third'), '')).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining(`The container runtime at ${containerd.endpoint} does not answer`),
    });
    await containerd.restart();
    await expect.poll(run('third'), patience).toMatch(madeId);
    expect(await sandboxes('third')).toMatchObject([{ state: 'SANDBOX_READY' }]);
  });

  test('without a relay starts go the direct way, and that is said once', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'info' }, { write: (text: string) => void lines.push(text) });
    const { runtime } = await newCaller({ relayPath: '/nowhere/roslet-cri-relay', log });
    const config = sandboxConfig(containerd, 'direct');
    const sandbox = await runtime.runPodSandbox(config, '');
    const id = await runtime.createContainer(sandbox, container('direct'), config);
    await runtime.startContainer(id);
    expect(await stateOf(id)).toBe('CONTAINER_RUNNING');
    expect(lines.map((text) => JSON.parse(text))).toMatchObject([
      { relayPath: '/nowhere/roslet-cri-relay', err: { code: 'ENOENT' } },
    ]);
  });

  test('a deadline and the words of a failure are those of the direct way', async () => {
    const { runtime } = await newCaller({ requestTimeoutMs: 500 });
    await expect(runtime.startContainer('nobody')).rejects.toMatchObject({ code: 'NotFound' });
    const gone = runtime.createContainer('nobody', container('x'), sandboxConfig(containerd, 'x'));
    await expect(gone).rejects.toThrow(/sandbox.*not found/);
    const late = await newCaller({ requestTimeoutMs: 500 });
    await containerd.freeze();
    try {
      for (const caller of [runtime, late.runtime]) {
        await expect(caller.startContainer('nobody')).rejects.toMatchObject({
          code: 'DeadlineExceeded',
          message: expect.stringContaining('did not answer StartContainer in time'),
        });
      }
    } finally {
      containerd.thaw();
    }
  });
});

/** For a call to lie in containerd's socket. */
const sentMs = 500;
const madeId = /^[0-9a-f]{64}$/;
const patience = { timeout: 30_000 };
