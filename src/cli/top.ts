/** `roslet top`: processor and memory in use, of the node and of each pod. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  ContainerSummary,
  CpuStats,
  FsStats,
  MemoryStats,
  Summary,
} from '../server/stats/summary-api.ts';
import type { Client } from './client.ts';
import { type Cell, formatTable, print } from './output.ts';

/** A rate needs two looks. */
const sampleMs = 1000;

export async function top(client: Client, containers: boolean, signal: AbortSignal): Promise<number> {
  await client.json<Summary>('GET', '/stats/summary');
  await sleep(sampleMs, undefined, { signal });
  const { node, pods } = await client.json<Summary>('GET', '/stats/summary');

  const header = ['NAMESPACE', 'NAME', ...(containers ? ['CONTAINER'] : []), 'CPU', 'MEMORY', 'DISK'];
  const rows = pods
    .sort((a, b) => key(a.podRef).localeCompare(key(b.podRef)))
    .flatMap((pod) => {
      const { namespace, name } = pod.podRef;
      if (containers)
        return pod.containers.map((each) => [namespace, name, each.name, ...usage(each, diskOf(each))]);
      return [
        [namespace, name, ...usage({ cpu: pod.cpu, memory: pod.memory }, pod['ephemeral-storage'].usedBytes)],
      ];
    });
  const nodeRow = ['', node.nodeName, ...(containers ? [''] : []), ...usage(node, node.fs.usedBytes)];
  const cells = [nodeRow, ...rows].map((row) => row.map((text): Cell => ({ text })));
  for (const line of formatTable([header.map((text): Cell => ({ text, style: 'bold' })), ...cells]))
    print(line);
  return 0;
}

const key = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

function usage(
  { cpu, memory }: { cpu?: CpuStats; memory?: MemoryStats },
  diskBytes: number | undefined,
): string[] {
  const milliCores = cpu?.usageNanoCores === undefined ? undefined : Math.round(cpu.usageNanoCores / 1e6);
  return [
    milliCores === undefined ? '-' : `${milliCores}m`,
    mebibytes(memory?.workingSetBytes),
    mebibytes(diskBytes),
  ];
}

function diskOf({ rootfs, logs }: ContainerSummary): number | undefined {
  const parts = [rootfs, logs].filter((part): part is FsStats => part !== undefined);
  return parts.length === 0 ? undefined : parts.reduce((sum, part) => sum + (part.usedBytes ?? 0), 0);
}

const mebibytes = (bytes: number | undefined): string =>
  bytes === undefined ? '-' : `${Math.round(bytes / 2 ** 20)}Mi`;
