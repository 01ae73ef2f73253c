import { describe, expect, test } from 'vitest';
import type { Container, Pod, ResourceRequirements } from '../api/core.gen.ts';
import { hugepageSize, memoryVolumeBytes } from './empty-dir.ts';

const podOf = (...resources: ResourceRequirements[]): Pod => ({
  spec: { containers: resources.map((own, i): Container => ({ name: `c${i}`, resources: own })) },
});
const mib = 1024 ** 2;

describe('a volume in memory may take', () => {
  test.each<[string | undefined, ResourceRequirements[], number | undefined, number | undefined]>([
    [undefined, [{}], undefined, undefined],
    [undefined, [{}], 512 * mib, 512 * mib],
    ['64Mi', [{}], 512 * mib, 64 * mib],
    ['1Gi', [{}], 512 * mib, 512 * mib],
    ['64Mi', [{ limits: { memory: '32Mi' } }], 512 * mib, 32 * mib],
    ['64Mi', [{ limits: { memory: '32Mi' } }, {}], 512 * mib, 64 * mib],
    [undefined, [{ limits: { memory: '32Mi' } }, { limits: { memory: '8Mi' } }], 512 * mib, 40 * mib],
    ['0', [{}], 512 * mib, 512 * mib],
  ])('with sizeLimit %s, containers %j, a node of %s: %s bytes', (sizeLimit, resources, node, expected) => {
    const volume = { name: 'v', emptyDir: { medium: 'Memory', sizeLimit } };
    expect(memoryVolumeBytes(podOf(...resources), volume, node)).toBe(expected);
  });
});

describe('the page size of huge pages is', () => {
  test.each<[string, ResourceRequirements[], number]>([
    ['HugePages-2Mi', [{}], 2 * mib],
    ['HugePages-1Gi', [{}], 1024 * mib],
    ['HugePages', [{ limits: { 'hugepages-2Mi': '4Mi' } }], 2 * mib],
    ['HugePages', [{}, { requests: { 'hugepages-1Gi': '1Gi', cpu: '1' } }], 1024 * mib],
  ])('for %s with %j: %d', (medium, resources, expected) => {
    expect(hugepageSize(podOf(...resources), medium)).toBe(expected);
  });

  test.each<[ResourceRequirements[], RegExp]>([
    [[{}], /needs a container that requests huge pages/],
    [[{ limits: { 'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '1Gi' } }], /one page size only/],
  ])('unclear with %j', (resources, message) => {
    expect(() => hugepageSize(podOf(...resources), 'HugePages')).toThrow(message);
  });
});
