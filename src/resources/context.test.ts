import { describe, expect, it } from 'vitest';
import { detectLayout } from './cgroup-layout.ts';
import { detectResourceContext } from './context.ts';

describe('detectResourceContext', () => {
  it('finds the version, memory and sizes of this machine, and keeps what is configured', async () => {
    const configured = { cpuCfsQuota: false, cpuCfsQuotaPeriodUs: 5000, singleProcessOomKill: true };
    const context = await detectResourceContext(configured);
    expect(context).toMatchObject(configured);
    expect(context.cgroupVersion).toBe((await detectLayout()).version);
    expect(context.memoryCapacityBytes).toBeGreaterThan(2 ** 26);
    for (const size of context.hugepageSizes) expect(size % 4096).toBe(0);
  });
});
