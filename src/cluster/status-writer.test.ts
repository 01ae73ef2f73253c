/** When the statuses of pods are told: against an API server that answers at once, in a time that the tests make pass. */
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ObjectMeta, Pod, PodStatus } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import { KubeClient } from './client.ts';
import type { ApiConnection, WireAnswer } from './connection.ts';
import { PodSource } from './pod-source.ts';
import { StatusWriter } from './status-writer.ts';

const log = silentLogger();
const deleted: ObjectMeta = {
  deletionTimestamp: '2026-01-01T00:00:00Z',
  deletionGracePeriodSeconds: 30,
};
let ending: AbortController;
let running: Promise<void>;

beforeEach(() => {
  vi.useFakeTimers({ fakeNodeBuiltins: true });
  ending = new AbortController();
});

afterEach(async () => {
  ending.abort();
  await running;
  vi.useRealTimers();
});

/** What is under way comes to its end, and no time passes. */
async function settled(): Promise<void> {
  for (let n = 0; n < 50; n += 1) await vi.advanceTimersByTimeAsync(0);
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settled();
}

/** One pod of the node, with who writes its status. */
async function served(metadata: ObjectMeta = {}) {
  const written: PodStatus[] = [];
  const seconds: number[] = [];
  let deletions = 0;
  let version = 1;
  let watch = new PassThrough();
  let beforeAnswer: () => Promise<void> = async () => undefined;
  let object: Pod = {
    metadata: { namespace: 'default', name: 'p', uid: 'u', ...metadata },
    spec: { containers: [] },
  };
  const next = (change: Partial<Pod>): Pod => {
    version += 1;
    const metadata = { ...object.metadata, ...change.metadata, resourceVersion: `${version}` };
    object = { ...object, ...change, metadata };
    return object;
  };
  const tell = async (type: string, ...objects: Pod[]) => {
    const lines = (objects.length === 0 ? [object] : objects).map((o) => JSON.stringify({ type, object: o }));
    watch.write(`${lines.join('\n')}\n`);
    await settled();
  };
  const connection: ApiConnection = {
    request: async ({ method, path, body }, signal) => {
      const answer = (value: object | Readable): WireAnswer => ({
        status: 200,
        headers: {},
        body: (value instanceof Readable
          ? value
          : Readable.from([Buffer.from(JSON.stringify(value))])) as unknown as WireAnswer['body'],
      });
      if (path.includes('watch=true')) {
        watch = new PassThrough();
        signal.addEventListener('abort', () => watch.destroy());
        return answer(watch);
      }
      if (method === 'GET') return answer({ metadata: { resourceVersion: `${version}` }, items: [object] });
      if (method === 'DELETE') {
        deletions += 1;
        await beforeAnswer();
        return answer(object);
      }
      const { status } = JSON.parse(String(body)) as Pod;
      written.push(status!);
      const changed = next({ status: { ...object.status, ...status } });
      await beforeAnswer();
      return answer(changed);
    },
    renew: () => undefined,
    onRegained: () => () => undefined,
    close: () => undefined,
  };
  const access = {
    server: new URL('https://127.0.0.1:1'),
    insecureSkipTlsVerify: false,
    credentials: async () => ({}),
    refused: () => undefined,
  };
  const client = new KubeClient(access, 'test', undefined, connection);
  const source = new PodSource({ client, nodeName: 'n', owns: () => true, onHealth: () => undefined, log });
  let changes = 0;
  source.onChange(() => {
    changes += 1;
  });
  const metrics = { observe: (_name: string, value: number) => void seconds.push(value) };
  const writer = new StatusWriter({ client, source, metrics, log }, ending.signal);
  running = source.run(ending.signal);
  await settled();
  expect(source.get('u')).toBeDefined();
  return {
    written,
    seconds,
    changes: () => changes,
    object: () => object,
    deletions: () => deletions,
    observe: async (status: PodStatus) => {
      writer.observe({ ...object, status });
      await settled();
    },
    finalize: async () => {
      writer.finalize('u');
      await settled();
    },
    /** By another, which the watch has not shown yet. */
    changeUnseen: (changed: ObjectMeta) => next({ metadata: changed }),
    change: async (changed: ObjectMeta) => {
      next({ metadata: changed });
      await tell('MODIFIED');
    },
    tell,
    beforeAnswer: (work: () => Promise<void>) => {
      beforeAnswer = work;
    },
  };
}

const withSandbox: PodStatus = { podIP: '10.0.0.2' };

it('what is told of a sandbox alone waits for what follows, and is told alone after a while', async () => {
  const { observe, written } = await served();
  await observe(withSandbox);
  await pass(2900);
  expect(written).toEqual([]);
  await pass(200);
  expect(written).toEqual([expect.objectContaining({ podIP: '10.0.0.2' })]);
  await pass(10_000);
  expect(written).toHaveLength(1);
});

it('what comes back of a write is no change of the pods, what others wrote before it is one', async () => {
  const { observe, changes, tell, change, changeUnseen, object } = await served();
  const before = changes();
  await observe({ phase: 'Running' });
  await tell('MODIFIED');
  expect(changes()).toBe(before);
  await change({ labels: { by: 'another' } });
  expect(changes()).toBe(before + 1);

  const byAnother = changeUnseen({ labels: { by: 'a third' } });
  await observe({ phase: 'Succeeded' });
  await tell('MODIFIED', byAnother, object());
  expect(changes()).toBe(before + 2);
  await tell('DELETED');
  expect(changes()).toBe(before + 3);
});

it('what somebody misses takes along what waits', async () => {
  const { observe, written } = await served();
  await observe(withSandbox);
  await observe({ ...withSandbox, phase: 'Running' });
  expect(written).toEqual([expect.objectContaining({ phase: 'Running', podIP: '10.0.0.2' })]);
  await pass(10_000);
  expect(written).toHaveLength(1);
});

it('what can wait less cuts the wait of the rest short', async () => {
  const { observe, change, written } = await served();
  await observe(withSandbox);
  await change(deleted);
  await observe({ ...withSandbox, phase: 'Running' });
  await pass(400);
  expect(written).toEqual([]);
  await pass(200);
  expect(written).toEqual([expect.objectContaining({ phase: 'Running', podIP: '10.0.0.2' })]);
});

it('what can wait less waits no longer than what waited before', async () => {
  const { observe, change, written } = await served();
  await observe(withSandbox);
  await pass(2900);
  await change(deleted);
  await observe({ ...withSandbox, phase: 'Running' });
  expect(written).toEqual([]);
  await pass(200);
  expect(written).toHaveLength(1);
});

it('the time that a status waits for another is none that it took to tell it', async () => {
  const { observe, seconds } = await served();
  await observe(withSandbox);
  await pass(3500);
  expect(seconds).toEqual([expect.closeTo(0, 1)]);
  await observe({ podIP: '10.0.0.3' });
  await pass(1000);
  await observe({ phase: 'Running' });
  expect(seconds).toEqual([expect.closeTo(0, 1), expect.closeTo(0, 1)]);
});

it('a pod that is let go has one timer, whatever the watch tells of it', async () => {
  const { finalize, change, deletions } = await served(deleted);
  const before = vi.getTimerCount();
  await finalize();
  for (const version of ['1', '2', '3']) await change({ labels: { version } });
  expect(deletions()).toBe(1);
  expect(vi.getTimerCount()).toBe(before + 1);
  await pass(1100);
  expect(deletions()).toBe(2);
});

it('a pod whose end the watch shows before its deletion is answered leaves nothing behind', async () => {
  const { finalize, tell, deletions, beforeAnswer } = await served(deleted);
  const before = vi.getTimerCount();
  beforeAnswer(() => tell('DELETED'));
  await finalize();
  await settled();
  expect(vi.getTimerCount()).toBe(before);
  // As of a backup.
  await tell('ADDED');
  await finalize();
  expect(deletions()).toBe(2);
});

it.each(['before', 'after'])(
  'an object that goes %s a write is answered is written to anew when it is back',
  async (when) => {
    const { observe, tell, object, written, beforeAnswer } = await served();
    const { status: _, ...restored } = object();
    const goes = () => tell('DELETED');
    if (when === 'before') beforeAnswer(goes);
    await observe({ phase: 'Running' });
    if (when === 'after') await goes();
    await settled();
    expect(written).toHaveLength(1);
    beforeAnswer(async () => undefined);
    // As of a backup.
    await tell('ADDED', { ...restored, metadata: object().metadata! });
    expect(written).toHaveLength(2);
  },
);
