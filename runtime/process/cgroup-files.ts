/**
 * Which files of a cgroup say what a container's resources ask for, in both cgroup versions. The conversions are those
 * of the kernel's documentation and of the OCI runtimes (shares 2..262144 to weight 1..10000).
 */
import { type LinuxContainerResources, RuntimeError } from '../runtime.ts';

export interface CgroupWrite {
  /** Controller whose hierarchy holds the file. */
  controller: string;
  file: string;
  value: string;
}

export function cgroupWrites(resources: LinuxContainerResources, version: 1 | 2): CgroupWrite[] {
  return version === 1 ? writesV1(resources) : writesV2(resources);
}

export const weightOfShares = (shares: number): number =>
  1 + Math.floor(((Math.min(Math.max(shares, 2), 262144) - 2) * 9999) / 262142);

function writesV1(resources: LinuxContainerResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const add = (controller: string, file: string, value: number | string | undefined): void => {
    if (value !== undefined && value !== '') writes.push({ controller, file, value: String(value) });
  };
  add('cpu', 'cpu.shares', positive(resources.cpuShares));
  add('cpu', 'cpu.cfs_period_us', positive(resources.cpuPeriodUs));
  add('cpu', 'cpu.cfs_quota_us', nonZero(resources.cpuQuotaUs));
  add('memory', 'memory.limit_in_bytes', nonZero(resources.memoryLimitBytes));
  add('memory', 'memory.memsw.limit_in_bytes', nonZero(resources.memorySwapLimitBytes));
  add('cpuset', 'cpuset.cpus', resources.cpusetCpus);
  add('cpuset', 'cpuset.mems', resources.cpusetMems);
  for (const { pageSize, limitBytes } of resources.hugepageLimits ?? [])
    add('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limitBytes);
  for (const [file, value] of Object.entries(resources.unified ?? {})) {
    if (file !== 'pids.max')
      throw new RuntimeError('InvalidArgument', `${file} needs cgroup v2, which this machine does not use`);
    add('pids', file, value);
  }
  return writes;
}

function writesV2(resources: LinuxContainerResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const add = (file: string, value: number | string | undefined): void => {
    const controller = file.split('.')[0];
    if (controller && value !== undefined && value !== '')
      writes.push({ controller, file, value: String(value) });
  };
  const { cpuShares, cpuQuotaUs, cpuPeriodUs, memoryLimitBytes, memorySwapLimitBytes } = resources;
  if (cpuShares) add('cpu.weight', weightOfShares(cpuShares));
  if (cpuQuotaUs) add('cpu.max', `${cpuQuotaUs > 0 ? cpuQuotaUs : 'max'} ${cpuPeriodUs || 100_000}`);
  if (memoryLimitBytes) add('memory.max', memoryLimitBytes > 0 ? memoryLimitBytes : 'max');
  if (memorySwapLimitBytes)
    add(
      'memory.swap.max',
      memorySwapLimitBytes > 0 ? Math.max(0, memorySwapLimitBytes - (memoryLimitBytes ?? 0)) : 'max',
    );
  add('cpuset.cpus', resources.cpusetCpus);
  add('cpuset.mems', resources.cpusetMems);
  for (const { pageSize, limitBytes } of resources.hugepageLimits ?? [])
    add(`hugetlb.${pageSize}.max`, limitBytes);
  for (const [file, value] of Object.entries(resources.unified ?? {})) add(file, value);
  return writes;
}

const nonZero = (value: number | undefined): number | undefined => (value === 0 ? undefined : value);
const positive = (value: number | undefined): number | undefined => (value && value > 0 ? value : undefined);
