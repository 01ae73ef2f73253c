import { expect, it } from 'vitest';
import { silentLogger } from './log.ts';
import { type PodUsageOptions, podUsages } from './pod-usage.ts';
import { diskUsageReader } from './server/stats/disk-usage.ts';

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
  const usages = await podUsages(options, new AbortController().signal, () => true);
  expect(usages.map(({ pod, usage }) => ({ name: pod.metadata?.name, ...usage }))).toMatchObject([
    { name: 'a', isDiskUnknown: true, memoryWorkingSetBytes: 7 },
    {
      name: 'b',
      isDiskUnknown: false,
      volumes: new Map([['data', { bytes: expect.any(Number), inodes: 1 }]]),
    },
  ]);
});
