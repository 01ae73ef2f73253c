/** What of the machine matters to the limits of pods: read once at the start. */
import { readdir, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { machineHugepages } from '../node/capacity.ts';
import { type CgroupLayout, detectLayout } from './cgroup-layout.ts';
import type { ResourceContext } from './container.ts';

export async function detectResourceContext(
  configured: Pick<ResourceContext, 'cpuCfsQuota' | 'cpuCfsQuotaPeriodUs' | 'singleProcessOomKill'>,
): Promise<ResourceContext> {
  const layout = await detectLayout();
  return {
    ...configured,
    cgroupVersion: layout.version,
    memoryCapacityBytes: totalmem(),
    hugepageSizes: hasHugetlb(layout) ? (await machineHugepages()).map(({ pageBytes }) => pageBytes) : [],
    swapAccounting: await countsSwap(layout),
  };
}

/** A limit that no controller can keep would be an error of the runtime. */
const hasHugetlb = (layout: CgroupLayout): boolean =>
  layout.hierarchies.some(({ controllers }) => controllers.includes('hugetlb'));

/** The kernel can be built or started without; the root of v2 never has the file, so its children are asked. */
async function countsSwap(layout: CgroupLayout): Promise<boolean> {
  const memory = layout.hierarchies.find(({ controllers }) => controllers.includes('memory'));
  if (memory === undefined) return false;
  if (layout.version === 1) return exists(join(memory.dir, 'memory.memsw.limit_in_bytes'));
  const entries = await readdir(memory.dir, { withFileTypes: true });
  for (const entry of entries.filter((candidate) => candidate.isDirectory())) {
    if (await exists(join(memory.dir, entry.name, 'memory.swap.max'))) return true;
  }
  return false;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
