import { describe, expect, it } from 'vitest';
import type { PodSpec } from '../api/core.gen.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import type { PodUsage } from './eviction-rank.ts';
import { storageLimitEvictions } from './storage-limits.ts';

const check = (spec: Partial<PodSpec>, usage: Partial<PodUsage>, annotations = {}) =>
  storageLimitEvictions([
    {
      pod: { metadata: { name: 'p', annotations }, spec: { containers: [{ name: 'main' }], ...spec } },
      usage: { containers: new Map(), volumes: new Map(), ...usage },
    },
  ]).map(({ message, gracePeriodSeconds }) => ({ message, gracePeriodSeconds }));

const files = (bytes: number) => ({ bytes, inodes: 1 });
const scratch = (sizeLimit?: string): Partial<PodSpec> => ({
  volumes: [{ name: 'scratch', emptyDir: { sizeLimit } }],
});
const limited = (...limits: (string | undefined)[]): Partial<PodSpec> => ({
  containers: limits.map((limit, index) => ({
    name: `c${index}`,
    ...(limit !== undefined && { resources: { limits: { 'ephemeral-storage': limit } } }),
  })),
});

describe('storageLimitEvictions', () => {
  it('holds an emptyDir to its limit', () => {
    const volumes = new Map([['scratch', files(1025)]]);
    expect(check(scratch('1Ki'), { volumes })).toEqual([
      { message: 'Usage of EmptyDir volume "scratch" exceeds the limit "1Ki". ', gracePeriodSeconds: 1 },
    ]);
    expect(check(scratch('2Ki'), { volumes })).toEqual([]);
    expect(check(scratch(), { volumes })).toEqual([]);
    expect(check(scratch('0'), { volumes })).toEqual([]);
  });
  it('holds a container to its limit, writable layer and logs together', () => {
    const containers = new Map([['c0', { rootfs: files(600), logs: files(500) }]]);
    expect(check(limited('1000', undefined), { containers })[0]?.message).toBe(
      'Container c0 exceeded its local ephemeral storage limit "1000". ',
    );
    expect(check(limited('1100', undefined), { containers })).toEqual([]);
  });
  it('holds the pod to the sum of its containers, volumes included', () => {
    const usage = {
      volumes: new Map([['scratch', files(1500)]]),
      containers: new Map([['c0', { logs: files(600) }]]),
    };
    expect(check(limited('1000', '1000'), usage)[0]?.message).toBe(
      'Pod ephemeral local storage usage exceeds the total limit of containers 2000. ',
    );
    expect(check(limited('1Ki', '1Ki'), usage)[0]?.message).toMatch(/ limit of containers 2Ki\. $/);
    expect(check(limited('1000', '1100'), usage)).toEqual([]);
    expect(check(limited('1000', undefined), usage)).toEqual([]);
  });
  it('holds static pods to what they set themselves, but never critical ones', () => {
    const volumes = new Map([['scratch', files(1025)]]);
    expect(check(scratch('1Ki'), { volumes }, { [configSourceAnnotation]: 'file' })).toHaveLength(1);
    expect(check({ ...scratch('1Ki'), priority: 2_000_001_000 }, { volumes })).toEqual([]);
  });
});
