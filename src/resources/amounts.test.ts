import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, hugepageBytes, max, pageSizeName, sum, toAmounts, toResourceList } from './amounts.ts';

describe('amounts', () => {
  it('counts cpu in thousandths and everything else in its own unit, rounded up', () => {
    expect(toAmounts({ cpu: '1.5', memory: '1Ki', 'example.com/gpu': '2', pods: '110' })).toEqual({
      cpu: 1500,
      memory: 1024,
      'example.com/gpu': 2,
      pods: 110,
    });
    expect(toAmounts({ cpu: '100u', memory: '0.5' })).toEqual({ cpu: 1, memory: 1 });
  });
  it('writes them as the API does', () => {
    expect(
      toResourceList({
        cpu: 1500,
        memory: 3 * 2 ** 20,
        'ephemeral-storage': 5120,
        pods: 110,
        'hugepages-2Mi': 0,
      }),
    ).toEqual({
      cpu: '1500m',
      memory: '3Mi',
      'ephemeral-storage': '5Ki',
      pods: '110',
      'hugepages-2Mi': '0',
    });
  });
  it('reads back what it wrote', () => {
    const amount = fc.integer({ min: 0, max: 2 ** 50 });
    fc.assert(
      fc.property(fc.record({ cpu: amount, memory: amount, 'ephemeral-storage': amount }), (amounts) => {
        expect(toAmounts(toResourceList(amounts))).toEqual(amounts);
      }),
    );
  });
  it('adds and compares resource by resource', () => {
    expect(sum({ a: 1, b: 2 }, { b: 3, c: 4 })).toEqual({ a: 1, b: 5, c: 4 });
    expect(max({ a: 1, b: 2 }, { b: 1, c: 4 })).toEqual({ a: 1, b: 2, c: 4 });
  });
  it('names huge pages as the kernel does', () => {
    expect(pageSizeName(hugepageBytes('hugepages-2Mi'))).toBe('2MB');
    expect(pageSizeName(hugepageBytes('hugepages-1Gi'))).toBe('1GB');
    expect(pageSizeName(hugepageBytes('hugepages-64Ki'))).toBe('64KB');
    expect(pageSizeName(hugepageBytes('hugepages-512Mi'))).toBe('512MB');
  });
  it('writes bytes with the largest suffix that loses nothing', () => {
    expect([0, 1023, 1024, 1536, 5 * 2 ** 30].map(formatBytes)).toEqual(['0', '1023', '1Ki', '1536', '5Gi']);
  });
});
