import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { silentLogger } from './log.ts';
import { type PodUsageOptions, podUsages } from './pod-usage.ts';
import { diskUsageReader } from './volumes/disk-usage-reader.ts';

let dir = '';
afterEach(() => rm(dir, { recursive: true, force: true }));

const worker = (name: string) => ({
  uid: name,
  pod: { metadata: { name }, spec: { volumes: [{ name: 'data', emptyDir: {} }] } },
  record: {},
  actual: { containers: [] },
});

/** Only what is asked of the agent here; the disk is the real one. */
const options = {
  agent: { workers: () => [worker('a'), worker('b')] },
  cgroups: { podStats: async () => ({ memoryWorkingSetBytes: 7 }) },
  volumes: {
    source: ({ metadata }: { metadata: { name: string } }) => ({
      hostPath: metadata.name === 'a' ? `/${'x'.repeat(300)}` : import.meta.filename,
    }),
  },
  disk: diskUsageReader(Date.now),
  log: silentLogger(),
} as unknown as PodUsageOptions;

it('a pod whose files cannot be measured is still among those that can be evicted', async () => {
  const usages = await podUsages(options, new AbortController().signal, () => true, { disk: true });
  expect(usages.map(({ pod, usage }) => ({ name: pod.metadata?.name, ...usage }))).toMatchObject([
    { name: 'a', isDiskUnknown: true, memoryWorkingSetBytes: 7 },
    {
      name: 'b',
      isDiskUnknown: false,
      volumes: new Map([['data', { bytes: expect.any(Number), inodes: 1 }]]),
    },
  ]);
});

it('what a claim holds is not the ephemeral storage of the pod', async () => {
  const claim = { name: 'bags', persistentVolumeClaim: { claimName: 'bags' } };
  const pod = { metadata: { name: 'a' }, spec: { volumes: [claim, { name: 'data', emptyDir: {} }] } };
  const own = { ...worker('a'), pod };
  const agent = { workers: () => [own] } as unknown as PodUsageOptions['agent'];
  const source = () => ({ hostPath: import.meta.filename });
  const volumes = { source } as unknown as PodUsageOptions['volumes'];
  const given = { ...options, agent, volumes };
  const signal = new AbortController().signal;
  const [usage] = await podUsages(given, signal, () => true, { disk: true });
  expect([...(usage?.usage.volumes.keys() ?? [])]).toEqual(['data']);
});

it('logs that were rotated away count, and a runtime that does not answer hides nothing', async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-usage-'));
  await writeFile(join(dir, '0.log'), 'x');
  await writeFile(join(dir, '0.log.20260101'), Buffer.alloc(1024 * 1024));
  const container = {
    id: 'c',
    metadata: { name: 'main' },
    state: 'CONTAINER_RUNNING',
    logPath: join(dir, '0.log'),
  };
  const runtime = { containerStats: () => Promise.reject(new Error('the runtime is gone')) };
  const own = { ...worker('a'), runtime, actual: { containers: [container] } };
  const agent = { workers: () => [own] } as unknown as PodUsageOptions['agent'];
  const signal = new AbortController().signal;
  const [usage] = await podUsages({ ...options, agent }, signal, () => true, { disk: true });
  expect(usage?.usage.memoryWorkingSetBytes).toBe(7);
  expect(usage?.usage.containers.get('main')?.logs?.bytes).toBeGreaterThan(1024 * 1024);
});
