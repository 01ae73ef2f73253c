/** What pods and the machine use, measured when the bridge asks and shown until it asks again. */
import type { PodUsage } from '../../ros/agent-port.ts';
import type { Agent } from '../agent.ts';
import type { CgroupManager } from '../resources/cgroups.ts';
import { nodeUsage } from '../server/stats/node-usage.ts';
import { cpuRates } from '../server/stats/rates.ts';

export interface UsageMeter {
  /** As measured last. */
  of(uid: string): PodUsage;
  measurePods(): Promise<void>;
  /** CPUs in use since the last call; undefined for the first one. */
  measureMachine(): Promise<number | undefined>;
}

export function usageMeter(agent: Agent, cgroups: CgroupManager): UsageMeter {
  const machineRates = cpuRates();
  const usages = new Map<string, PodUsage & { atMs: number; cpuNanoSeconds: bigint }>();
  return {
    of: (uid) => usages.get(uid) ?? {},
    async measurePods() {
      for (const { uid } of agent.workers()) {
        const stats = await cgroups.podStats(uid);
        const before = usages.get(uid);
        if (stats === undefined) {
          usages.delete(uid);
          continue;
        }
        const {
          cpuUsageCoreNanoSeconds: cpuNanoSeconds = 0n,
          memoryWorkingSetBytes,
          timestampMs: atMs,
        } = stats;
        const elapsedMs = before === undefined ? 0 : atMs - before.atMs;
        usages.set(uid, {
          atMs,
          cpuNanoSeconds,
          ...(before === undefined || elapsedMs <= 0
            ? {}
            : { cpuCores: Number(cpuNanoSeconds - before.cpuNanoSeconds) / (elapsedMs * 1e6) }),
          ...(memoryWorkingSetBytes === undefined ? {} : { memoryBytes: memoryWorkingSetBytes }),
        });
      }
      for (const uid of usages.keys()) if (agent.worker(uid) === undefined) usages.delete(uid);
    },
    async measureMachine() {
      const { cpuUsageCoreNanoSeconds, timestampMs } = await nodeUsage(performance.now());
      const nanoCores = machineRates.nanoCores('', timestampMs, cpuUsageCoreNanoSeconds);
      return nanoCores === undefined ? undefined : Number(nanoCores) / 1e9;
    },
  };
}
