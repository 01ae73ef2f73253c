import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Runtime } from '../../../runtime/runtime.ts';
import { createMetrics } from '../../metrics/metrics.ts';
import { agentPaths } from '../../paths.ts';
import { VolumeError } from '../../volumes/volume.ts';
import { testActual, testPod, testSandbox } from '../testing.ts';
import { turns } from '../turns.ts';
import { type SandboxDeps, Sandboxes } from './sandboxes.ts';

const { signal } = new AbortController();
let root: string;
/** What was made sure of, in order. */
let done: string[];
/** Uids of pods. */
let made: string[];
/** What the volumes of a pod wait for, by its uid. */
let waits: Map<string, Promise<void>>;
let sandboxes: Sandboxes;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'roslet-sandboxes-'));
  done = [];
  made = [];
  waits = new Map();
  const deps: Pick<
    SandboxDeps,
    'turns' | 'handler' | 'paths' | 'events' | 'metrics' | 'dns' | 'ownerLabels'
  > & {
    runtime: Partial<Runtime>;
    cgroups: Partial<SandboxDeps['cgroups']>;
    volumes: Partial<SandboxDeps['volumes']>;
  } = {
    runtime: {
      runPodSandbox: async ({ metadata }) => {
        made.push(metadata.uid);
        return 'sb0';
      },
    },
    turns: turns(1),
    handler: () => ({ name: '', recursiveReadOnlyMounts: false, userNamespaces: false }),
    paths: agentPaths(root),
    cgroups: {
      ensurePod: async () => {
        done.push('cgroup');
        return '/kubepods/pod1';
      },
    },
    volumes: {
      setUp: async ({ metadata }) => {
        done.push('volumes');
        await waits.get(metadata?.uid ?? '');
      },
    },
    events: { event: () => undefined },
    metrics: createMetrics(),
    dns: () => ({
      host: { servers: [], searches: [], options: [] },
      clusterDns: [],
      clusterDomain: 'x',
    }),
    ownerLabels: { owner: 'us' },
  };
  sandboxes = new Sandboxes(deps as SandboxDeps);
});

afterEach(() => rm(root, { recursive: true }));

describe('what a pod needs of the machine', () => {
  const pod = testPod();
  const inSandbox = (attempt = 0) =>
    testActual([testSandbox({ metadata: { name: 'p', namespace: 'default', uid: 'uid-1', attempt } })]);
  const create = (attempt = 0) =>
    sandboxes.create(pod, { do: 'createSandbox', attempt, replaces: [] }, signal);

  it('is made sure of once for all steps of a start', async () => {
    await create();
    const config = await sandboxes.prepareContainers(pod, inSandbox(), signal);
    await sandboxes.prepareContainers(pod, inSandbox(), signal);
    expect(done).toEqual(['cgroup', 'volumes']);
    expect(config).toMatchObject({ cgroupParent: '/kubepods/pod1', labels: { owner: 'us' } });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['in another sandbox', () => sandboxes.prepareContainers(pod, inSandbox(1), signal)],
    ['for another version of the pod', () => sandboxes.prepareContainers(testPod(), inSandbox(), signal)],
    ['for a new sandbox', () => create()],
    [
      'when it may have changed',
      () => {
        sandboxes.changed(pod);
        return sandboxes.prepareContainers(pod, inSandbox(), signal);
      },
    ],
  ])('is made sure of anew %s', async (_, again) => {
    await create();
    done = [];
    await again();
    expect(done).toEqual(['cgroup', 'volumes']);
  });

  it('is nothing without a sandbox', async () => {
    expect(await sandboxes.prepareContainers(pod, testActual([]), signal)).toBeUndefined();
    expect(done).toEqual([]);
  });
});

it.each([
  [true, 122_000],
  [false, undefined],
])('waits up to the two minutes of the kubelet for what it is told of: %s', async (isTold, retryAtMostMs) => {
  const { reject, promise } = Promise.withResolvers<void>();
  waits.set('waits', promise);
  const pod = testPod({}, { uid: 'waits' });
  const creating = sandboxes.create(pod, { do: 'createSandbox', attempt: 0, replaces: [] }, signal);
  await vi.waitFor(() => expect(done).toContain('volumes'));
  reject(new VolumeError('v', 'not found', { isTold }));
  const failure = await creating;
  expect(failure?.retryAtMostMs).toBe(retryAtMostMs);
  expect(failure).toMatchObject({ reason: 'ContainerCreating', message: 'not found' });
});

it('volumes that wait hold up no sandbox of another pod for long', async () => {
  const { resolve, promise } = Promise.withResolvers<void>();
  waits.set('waits', promise);
  const uids = ['waits', 'other', 'another'];
  const creates = uids.map((uid) =>
    sandboxes.create(testPod({}, { uid }), { do: 'createSandbox', attempt: 0, replaces: [] }, signal),
  );
  await vi.waitFor(() => expect(made).toEqual(['other', 'another']));
  resolve();
  await Promise.all(creates);
  expect(made).toEqual(['other', 'another', 'waits']);
});
