import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import { openStore } from '../store/store.ts';
import { type ObjectStore, openObjectStore } from './object-store.ts';

const log = silentLogger();
const startMs = Date.parse('2026-01-01T00:00:00Z');
let dir: string;
let objects: ObjectStore;

const open = async (): Promise<ObjectStore> =>
  openObjectStore({
    store: await openStore(dir, log),
    nodeName: 'robot',
    manifestFile: (uid) => (uid === 'static-uid' ? '/etc/roslet/manifests/cam.yaml' : undefined),
    log,
    nowMs: () => startMs,
  });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-objects-'));
  objects = await open();
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const pod = (name = 'cam', over: Partial<Pod> = {}): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: { containers: [{ name: 'main', image: 'x:1' }], terminationGracePeriodSeconds: 30 },
  ...over,
});

const configMap = (data: Record<string, string>, over = {}) => ({
  metadata: { name: 'cfg', namespace: 'default' },
  data,
  ...over,
});

const versionOf = (object: { metadata?: { resourceVersion?: string } }): number =>
  Number(object.metadata?.resourceVersion);

describe('creating', () => {
  it('fills in what the API server fills in and drops what clients may not say', async () => {
    const created = await objects.create('pods', {
      ...pod(),
      metadata: {
        ...pod().metadata,
        uid: 'mine',
        deletionTimestamp: '2020-01-01T00:00:00Z',
        managedFields: [{}],
      },
      status: { phase: 'Running' },
    });
    expect(created).toMatchObject({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'cam', creationTimestamp: '2026-01-01T00:00:00Z', generation: 1 },
      spec: { nodeName: 'robot' },
      status: { phase: 'Pending' },
    });
    expect(created.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.metadata).not.toHaveProperty('deletionTimestamp');
    expect(created.metadata).not.toHaveProperty('managedFields');
  });

  it('makes names from generateName', async () => {
    const unnamed = { ...pod(), metadata: { namespace: 'default', generateName: 'run-' } };
    const names = [await objects.create('pods', unnamed), await objects.create('pods', unnamed)];
    for (const each of names) expect(each.metadata?.name).toMatch(/^run-[a-z0-9]{5}$/);
    expect(names[0]?.metadata?.name).not.toBe(names[1]?.metadata?.name);
  });

  it('refuses a second object of the name, and a pod for another node', async () => {
    await objects.create('pods', pod());
    await expect(objects.create('pods', pod())).rejects.toMatchObject({ reason: 'AlreadyExists', code: 409 });
    const elsewhere = pod('other', { spec: { containers: [], nodeName: 'cluster-1' } });
    await expect(objects.create('pods', elsewhere)).rejects.toThrow(
      /spec\.nodeName.*this machine is node "robot"/,
    );
  });

  it('keeps nothing of a dry run', async () => {
    await objects.create('pods', pod(), { dryRun: true });
    expect(objects.cache.list('pods')).toEqual([]);
    expect(objects.snapshot().pods).toEqual([]);
  });
});

describe('surviving a restart', () => {
  it('keeps objects, uids and deletions, and never repeats a resourceVersion', async () => {
    const created = await objects.create('pods', pod());
    await objects.create('configmaps', configMap({ a: '1' }));
    await objects.delete('pods', 'default', 'cam');
    const before = objects.cache.revision();

    objects = await open();
    const after = objects.cache.get('pods', 'default/cam');
    expect(after?.metadata?.uid).toBe(created.metadata?.uid);
    expect(after?.metadata?.deletionTimestamp).toBe('2026-01-01T00:00:30Z');
    expect(objects.snapshot().configMaps[0]?.data).toEqual({ a: '1' });
    expect(versionOf(after!)).toBeGreaterThan(before);
  });

  it('remembers that a pod has run to its end, and no other status', async () => {
    for (const [name, phase] of [
      ['done', 'Succeeded'],
      ['up', 'Running'],
    ] as const) {
      const created = await objects.create('pods', pod(name));
      objects.observePod({ type: 'changed', pod: { ...created, status: { phase } } });
    }
    // The end is written in turn with other requests: this one waits for it.
    await objects.create('configmaps', configMap({}));
    objects = await open();
    const phases = objects.snapshot().pods.map((each) => [each.metadata?.name, each.status?.phase]);
    expect(Object.fromEntries(phases)).toEqual({ done: 'Succeeded', up: undefined });
  });
});

describe('updating', () => {
  it('refuses an object that was read before another change of it', async () => {
    const read = await objects.create('configmaps', configMap({ a: '1' }));
    await objects.update('configmaps', 'default', 'cfg', () => configMap({ a: '2' }));
    const stale = objects.update('configmaps', 'default', 'cfg', () => ({ ...read, data: { a: '3' } }));
    await expect(stale).rejects.toMatchObject({ reason: 'Conflict', code: 409 });
  });

  it('leaves the resourceVersion of what does not change', async () => {
    const created = await objects.create('pods', pod());
    const same = await objects.update('pods', 'default', 'cam', () => pod());
    expect(same.metadata?.resourceVersion).toBe(created.metadata?.resourceVersion);
  });

  it('takes another image as a new generation, other changes of a pod not at all', async () => {
    await objects.create('pods', pod());
    const image = (name: string): Pod =>
      pod('cam', { spec: { ...pod().spec, containers: [{ name: 'main', image: name }] } });
    const changed = await objects.update('pods', 'default', 'cam', () => image('x:2'));
    expect(changed.metadata?.generation).toBe(2);
    const renamed = pod('cam', { spec: { containers: [{ name: 'other', image: 'x:2' }] } });
    await expect(objects.update('pods', 'default', 'cam', () => renamed)).rejects.toThrow(
      /pod updates may not change/,
    );
  });

  it('does not touch the data of an immutable config map', async () => {
    await objects.create('configmaps', configMap({ a: '1' }, { immutable: true }));
    const change = objects.update('configmaps', 'default', 'cfg', () =>
      configMap({ a: '2' }, { immutable: true }),
    );
    await expect(change).rejects.toThrow(/data: Forbidden: field is immutable/);
    const labelled = await objects.update('configmaps', 'default', 'cfg', (present) => ({
      ...present,
      metadata: { ...present.metadata, labels: { a: 'b' } },
    }));
    expect(labelled.metadata?.labels).toEqual({ a: 'b' });
  });

  it('lets no update be lost among those that run at the same time', async () => {
    await objects.create('configmaps', configMap({ n: '0' }));
    const increment = () =>
      objects.update('configmaps', 'default', 'cfg', ({ data }) =>
        configMap({ n: String(Number(data?.n) + 1) }),
      );
    await Promise.all(Array.from({ length: 20 }, increment));
    expect(objects.cache.get('configmaps', 'default/cfg')?.data).toEqual({ n: '20' });
  });
});

describe('deleting', () => {
  it('marks a pod, shortens its time on demand only, and lets it go when the agent has ended it', async () => {
    const created = await objects.create('pods', pod());
    await objects.delete('pods', 'default', 'cam', { gracePeriodSeconds: 10 });
    await objects.delete('pods', 'default', 'cam', { gracePeriodSeconds: 20 });
    expect(objects.snapshot().pods[0]?.metadata?.deletionGracePeriodSeconds).toBe(10);
    await objects.delete('pods', 'default', 'cam', { gracePeriodSeconds: 5 });
    expect(objects.snapshot().pods[0]?.metadata).toMatchObject({
      deletionGracePeriodSeconds: 5,
      deletionTimestamp: '2026-01-01T00:00:05Z',
    });
    await objects.finalizeDeletion(created.metadata?.uid ?? '');
    expect(objects.snapshot().pods).toEqual([]);
    expect(objects.cache.get('pods', 'default/cam')).toBeUndefined();
  });

  it('does not let go of a pod that nobody deleted', async () => {
    const created = await objects.create('pods', pod());
    await objects.finalizeDeletion(created.metadata?.uid ?? '');
    expect(objects.snapshot().pods).toHaveLength(1);
  });

  it.each([
    ['by force', {}, { gracePeriodSeconds: 0 }],
    ['when it has ended by itself', { phase: 'Succeeded' }, {}],
  ])('drops a pod at once %s', async (_name, status, options) => {
    const created = await objects.create('pods', pod());
    objects.observePod({ type: 'changed', pod: { ...created, status } });
    expect((await objects.delete('pods', 'default', 'cam', options)).gone).toBe(true);
    expect(objects.snapshot().pods).toEqual([]);
  });

  it('waits for finalizers', async () => {
    const created = await objects.create('pods', {
      ...pod(),
      metadata: { ...pod().metadata, finalizers: ['a/b'] },
    });
    await objects.delete('pods', 'default', 'cam');
    await objects.finalizeDeletion(created.metadata?.uid ?? '');
    expect(objects.cache.get('pods', 'default/cam')).toBeDefined();
    await objects.update('pods', 'default', 'cam', (present) => ({
      ...present,
      metadata: { ...present.metadata, finalizers: [] },
    }));
    expect(objects.cache.get('pods', 'default/cam')).toBeUndefined();
  });

  it('checks the preconditions', async () => {
    await objects.create('pods', pod());
    const wrong = objects.delete('pods', 'default', 'cam', { preconditions: { uid: 'other' } });
    await expect(wrong).rejects.toMatchObject({ reason: 'Conflict' });
  });
});

describe('what the agent sees', () => {
  const staticPod = (phase: string): Pod => ({
    metadata: {
      name: 'cam-robot',
      namespace: 'default',
      uid: 'static-uid',
      annotations: { [configSourceAnnotation]: 'file' },
    },
    spec: { containers: [] },
    status: { phase },
  });

  it('shows static pods, names the manifest that has to be removed, and takes none for its own', async () => {
    objects.observePod({ type: 'changed', pod: staticPod('Running') });
    expect(objects.cache.get('pods', 'default/cam-robot')?.status?.phase).toBe('Running');
    expect(objects.snapshot().pods).toEqual([]);
    const deletion = objects.delete('pods', 'default', 'cam-robot');
    await expect(deletion).rejects.toThrow(
      /static pod: to remove it, remove \/etc\/roslet\/manifests\/cam\.yaml/,
    );
    objects.observePod({ type: 'gone', pod: staticPod('Running') });
    expect(objects.cache.list('pods')).toEqual([]);
  });

  it('does not bring back a pod that is no longer wanted', async () => {
    const created = await objects.create('pods', pod());
    await objects.delete('pods', 'default', 'cam', { gracePeriodSeconds: 0 });
    objects.observePod({ type: 'changed', pod: { ...created, status: { phase: 'Running' } } });
    expect(objects.cache.list('pods')).toEqual([]);
  });

  it('does not give the status of an earlier pod to a new one of the name', async () => {
    const first = await objects.create('pods', pod());
    await objects.delete('pods', 'default', 'cam', { gracePeriodSeconds: 0 });
    await objects.create('pods', pod());
    objects.observePod({ type: 'changed', pod: { ...first, status: { phase: 'Failed' } } });
    expect(objects.cache.get('pods', 'default/cam')?.status?.phase).toBe('Pending');
  });

  it('keeps the newest events only', () => {
    for (let index = 0; index < 1100; index += 1) {
      objects.observeEvent({ metadata: { name: `e${index}`, namespace: 'default' }, involvedObject: {} });
    }
    expect(objects.cache.list('events')).toHaveLength(1000);
    expect(objects.cache.get('events', 'default/e99')).toBeUndefined();
    expect(objects.cache.get('events', 'default/e100')).toBeDefined();
  });
});

describe('watching', () => {
  it('tells everything after a resourceVersion, in order', async () => {
    const created = await objects.create('pods', pod());
    const from = objects.cache.revision();
    objects.observePod({ type: 'changed', pod: { ...created, status: { phase: 'Running' } } });
    const seen: string[] = [];
    const end = objects.cache.watch('pods', from, ({ type, object }) =>
      seen.push(`${type} ${object.status?.phase}`),
    );
    await objects.delete('pods', 'default', 'cam', { gracePeriodSeconds: 0 });
    end();
    await objects.create('pods', pod());
    expect(seen).toEqual(['MODIFIED Running', 'DELETED Running']);
  });

  it('refuses to begin in a past that it does not know', async () => {
    await objects.create('pods', pod());
    const known = objects.cache.revision();
    objects = await open();
    for (const revision of [known, objects.cache.revision() + 1]) {
      expect(() => objects.cache.watch('pods', revision, () => undefined)).toThrow(
        /too old resource version/,
      );
    }
  });

  it('tells the agent of each change of what is wanted, naming config maps and secrets', async () => {
    const changes: unknown[] = [];
    objects.onChange((ref) => changes.push(ref));
    await objects.create('pods', pod());
    await objects.create('configmaps', configMap({}));
    expect(changes).toEqual([undefined, { kind: 'ConfigMap', namespace: 'default', name: 'cfg' }]);
  });
});
