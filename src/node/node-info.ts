/** What the machine is: kernel, operating system and identity, as a Node's `status.nodeInfo` says it. */
import { readFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import type { NodeSystemInfo } from '../api/core.gen.ts';
import { meminfoBytes } from './machine-stats.ts';

/** @param agentVersion of this agent, in the field of the kubelet's version. */
export async function machineInfo(agentVersion: string): Promise<NodeSystemInfo> {
  const machineId = await firstText(['/etc/machine-id', '/var/lib/dbus/machine-id']);
  const uuid = await firstText([
    '/sys/class/dmi/id/product_uuid',
    '/proc/device-tree/system-id',
    '/proc/device-tree/vm,uuid',
  ]);
  const swapBytes = meminfoBytes(await readFile('/proc/meminfo', 'utf8')).get('SwapTotal') ?? 0;
  return {
    architecture: goArchitectures[arch()] ?? arch(),
    bootID: await firstText(['/proc/sys/kernel/random/boot_id']),
    // Filled in when a runtime has answered.
    containerRuntimeVersion: '',
    kernelVersion: release(),
    kubeProxyVersion: '',
    kubeletVersion: agentVersion,
    machineID: machineId.replaceAll('-', ''),
    operatingSystem: 'linux',
    osImage: prettyName(await firstText(['/etc/os-release', '/usr/lib/os-release'])),
    ...(swapBytes > 0 && { swap: { capacity: swapBytes } }),
    systemUUID: uuid || machineId,
  };
}

/** os-release(5): shell-like assignments, values perhaps quoted. */
export function prettyName(osRelease: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(osRelease)?.[1]?.trim() ?? '';
  const unquoted = /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
  return unquoted.replace(/\\(.)/g, '$1') || 'Linux';
}

/** Kubernetes names architectures as Go does. */
const goArchitectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  loong64: 'loong64',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
};

/** A machine may have none of them, or not show it to us; the field is then empty. */
async function firstText(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const trimmed = text.replaceAll('\0', '').trim();
    if (trimmed !== '') return trimmed;
  }
  return '';
}
