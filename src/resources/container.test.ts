import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../api/core.gen.ts';
import {
  allocatableSettings,
  containerResources,
  cpuShares,
  cpuWeight,
  podSettings,
  type ResourceContext,
  widest,
  withoutMissing,
} from './container.ts';

const gi = 2 ** 30;
const context: ResourceContext = {
  cgroupVersion: 2,
  memoryCapacityBytes: 10 * gi,
  hugepageSizes: [2 * 2 ** 20],
  cpuCfsQuota: true,
  cpuCfsQuotaPeriodUs: 100_000,
  singleProcessOomKill: false,
  swapAccounting: true,
};

const podOf = (...containers: Container[]): Pod => ({ metadata: { uid: 'u' }, spec: { containers } });
const container = (resources: Container['resources']): Container => ({ name: 'c', resources });
const resources = (spec: Container['resources'], more: Partial<ResourceContext> = {}) =>
  containerResources(podOf(container(spec)), container(spec), { ...context, ...more });

describe('containerResources', () => {
  it('takes shares from the request and quota from the limit', () => {
    const result = resources({ requests: { cpu: '250m' }, limits: { cpu: '1500m', memory: '1Gi' } });
    expect(result).toMatchObject({
      cpuShares: 256,
      cpuPeriodUs: 100_000,
      cpuQuotaUs: 150_000,
      memoryLimitBytes: gi,
    });
  });
  it('takes shares from the limit where nothing is requested, and none from a request of zero', () => {
    expect(resources({ limits: { cpu: '1' } }).cpuShares).toBe(1024);
    expect(resources({ requests: { cpu: '0' }, limits: { cpu: '1' } }).cpuShares).toBe(2);
  });
  it('never asks for less quota than the kernel takes', () => {
    expect(resources({ limits: { cpu: '1m' } }).cpuQuotaUs).toBe(1000);
  });
  it('sets no quota and no memory limit where there is none, or quota is switched off', () => {
    expect(resources({})).not.toHaveProperty('cpuQuotaUs');
    expect(resources({})).not.toHaveProperty('memoryLimitBytes');
    expect(resources({ limits: { cpu: '1' } }, { cpuCfsQuota: false })).not.toHaveProperty('cpuQuotaUs');
  });
  it('holds a container without a limit to that of the whole pod', () => {
    const of = (container: Container, limits: Record<string, string>) => {
      const pod = podOf(container);
      return containerResources(
        { ...pod, spec: { ...pod.spec!, resources: { limits } } },
        container,
        context,
      );
    };
    const limits = { cpu: '1', memory: '1Gi', 'hugepages-2Mi': '4Mi' };
    expect(of(container({ limits: { cpu: '0', memory: '64Mi' } }), limits)).toMatchObject({
      cpuShares: 1024,
      cpuQuotaUs: 100_000,
      memoryLimitBytes: 64 * 2 ** 20,
      hugepageLimits: [{ pageSize: '2MB', limitBytes: 4 * 2 ** 20 }],
    });
    expect(of(container({ requests: { cpu: '250m' } }), { memory: '1Gi' })).toMatchObject({
      cpuShares: 256,
      memoryLimitBytes: gi,
    });
  });
  it('denies every huge page size that is not asked for', () => {
    expect(resources({}).hugepageLimits).toEqual([{ pageSize: '2MB', limitBytes: 0 }]);
    const asked = resources({ limits: { 'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '1Gi' } });
    expect(asked.hugepageLimits).toEqual([
      { pageSize: '2MB', limitBytes: 4 * 2 ** 20 },
      { pageSize: '1GB', limitBytes: gi },
    ]);
  });
  it('kills a container as a whole and keeps it out of swap on v2', () => {
    expect(resources({}).unified).toEqual({ 'memory.swap.max': '0', 'memory.oom.group': '1' });
    expect(resources({}, { singleProcessOomKill: true, swapAccounting: false })).not.toHaveProperty(
      'unified',
    );
  });
  it('limits memory and swap together on v1', () => {
    const limits = { memory: '1Gi' };
    expect(resources({ limits }, { cgroupVersion: 1 })).toMatchObject({ memorySwapLimitBytes: gi });
    expect(resources({}, { cgroupVersion: 1 })).not.toHaveProperty('memorySwapLimitBytes');
    expect(resources({ limits }, { cgroupVersion: 1, swapAccounting: false })).not.toHaveProperty(
      'memorySwapLimitBytes',
    );
  });
});

describe('podSettings', () => {
  it('limits the pod to the sum when every container is limited', () => {
    const limits = { cpu: '500m', memory: '1Gi' };
    expect(
      podSettings(
        podOf(container({ limits, requests: limits }), container({ limits, requests: limits })),
        context,
      ),
    ).toMatchObject({
      cpuShares: 1024,
      cpuQuotaUs: 100_000,
      memoryLimitBytes: 2 * gi,
    });
  });
  it('lifts a limit that one container does not have', () => {
    const settings = podSettings(
      podOf(container({ limits: { cpu: '1', memory: '1Gi' } }), container({ limits: { cpu: '1' } })),
      context,
    );
    expect(settings).toMatchObject({ cpuQuotaUs: 200_000, memoryLimitBytes: -1 });
  });
  it('counts an init container without a limit as unlimited', () => {
    const pod = podOf(container({ limits: { cpu: '1', memory: '1Gi' } }));
    pod.spec!.initContainers = [container({})];
    expect(podSettings(pod, context)).toMatchObject({ cpuQuotaUs: -1, memoryLimitBytes: -1 });
  });
  it('gives a best-effort pod the least share and no limits', () => {
    expect(podSettings(podOf(container({})), context)).toEqual({
      cpuShares: 2,
      hugepageLimits: [{ pageSize: '2MB', limitBytes: 0 }],
    });
  });
});

describe('allocatableSettings', () => {
  it('holds all pods to what the node gives them, and leaves unlimited what it does not name', () => {
    expect(allocatableSettings({ cpu: 2000, memory: gi }, [])).toEqual({
      cpuShares: 2048,
      memoryLimitBytes: gi,
      pidsLimit: -1,
      hugepageLimits: [],
    });
  });
});

describe('cpu shares and weight', () => {
  it.each([
    [0, 2],
    [1, 2],
    [100, 102],
    [1000, 1024],
    [1_000_000, 262_144],
  ])('%i millicores are %i shares', (millis, shares) => expect(cpuShares(millis)).toBe(shares));
  it.each([
    [2, 1],
    [1024, 39],
    [262_144, 10_000],
  ])('%i shares are a weight of %i', (shares, weight) => expect(cpuWeight(shares)).toBe(weight));
});

describe('withoutMissing', () => {
  const all = resources({ limits: { cpu: '1', memory: '1Gi' } });
  it.each([
    [[], ['cpuShares', 'cpuPeriodUs', 'cpuQuotaUs', 'memoryLimitBytes', 'unified']],
    [
      ['pids', 'cpuset'],
      ['cpuShares', 'cpuPeriodUs', 'cpuQuotaUs', 'memoryLimitBytes', 'unified'],
    ],
    [['memory'], ['cpuShares', 'cpuPeriodUs', 'cpuQuotaUs']],
    [['cpu'], ['memoryLimitBytes', 'unified']],
    [['cpu.max'], ['cpuShares', 'memoryLimitBytes', 'unified']],
    [['cpu.cfs_quota_us', 'memory'], ['cpuShares']],
  ])('without %j keeps %j and what needs no controller', (missing, kept) => {
    expect(Object.keys(withoutMissing(all, missing)).sort()).toEqual(
      [...kept, 'oomScoreAdj', 'hugepageLimits'].sort(),
    );
  });
});

describe('the room for two states of a pod', () => {
  it('is the larger of each', () => {
    const before = podSettings(podOf(container({ limits: { cpu: '2', memory: '1Gi' } })), context);
    const after = podSettings(podOf(container({ limits: { cpu: '1', memory: '2Gi' } })), context);
    expect(widest(before, after)).toMatchObject({ cpuQuotaUs: 200_000, memoryLimitBytes: 2 * gi });
  });
  it('has no limit where one of them has none', () => {
    expect(widest({ memoryLimitBytes: 5 }, { memoryLimitBytes: -1 })).toEqual({ memoryLimitBytes: -1 });
  });
});
