import { describe, expect, it } from 'vitest';
import { parseThresholds, thresholdAmount } from './thresholds.ts';

const config = (more: Partial<Parameters<typeof parseThresholds>[0]>) => ({
  evictionHard: {},
  evictionSoft: {},
  evictionSoftGracePeriodMs: {},
  evictionMinimumReclaim: {},
  ...more,
});

describe('parseThresholds', () => {
  it('reads quantities and percentages', () => {
    const thresholds = parseThresholds(
      config({ evictionHard: { 'memory.available': '100Mi', 'nodefs.inodesFree': '5%' } }),
    );
    expect(thresholds).toEqual([
      { signal: 'memory.available', value: { amount: 100 * 2 ** 20 }, graceMs: 0, minReclaim: { amount: 0 } },
      { signal: 'nodefs.inodesFree', value: { fraction: 0.05 }, graceMs: 0, minReclaim: { amount: 0 } },
    ]);
    expect(thresholds.map((threshold) => thresholdAmount(threshold, 1000))).toEqual([100 * 2 ** 20, 50]);
  });
  it('takes grace and minimum reclaim from their own fields', () => {
    const [soft] = parseThresholds(
      config({
        evictionSoft: { 'memory.available': '1Gi' },
        evictionSoftGracePeriodMs: { 'memory.available': 90_000 },
        evictionMinimumReclaim: { 'memory.available': '10%' },
      }),
    );
    expect(soft).toMatchObject({ graceMs: 90_000, minReclaim: { fraction: 0.1 } });
  });
  it.each(['0', '0%', '100%'])('switches a threshold of %s off', (text) => {
    expect(parseThresholds(config({ evictionHard: { 'nodefs.available': text } }))).toEqual([]);
  });
  it.each([
    [{ evictionHard: { 'memory.free': '1Gi' } }, 'evictionHard.memory.free'],
    [{ evictionHard: { 'memory.available': 'much' } }, "evictionHard.memory.available: 'much'"],
    [{ evictionHard: { 'memory.available': '-1Gi' } }, "'-1Gi'"],
    [{ evictionHard: { 'memory.available': '120%' } }, "'120%'"],
    [{ evictionSoft: { 'memory.available': '1Gi' } }, 'evictionSoftGracePeriod.memory.available'],
  ])('refuses %j and names the field', (more, text) => {
    expect(() => parseThresholds(config(more))).toThrow(text);
  });
});
