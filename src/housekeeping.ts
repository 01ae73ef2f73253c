/**
 * Removes what no pod owns: volumes, cgroups and log directories that a killed agent, a lost record or a runtime left.
 * Only ever below directories and cgroups of this agent.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from './api/core.gen.ts';
import type { Logger } from './log.ts';
import type { Paths } from './paths.ts';
import type { CgroupManager } from './resources/cgroups.ts';
import type { VolumeManager } from './volumes/manager.ts';

export interface HousekeepingOptions {
  paths: Paths;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  periodMs: number;
  log: Logger;
  /** False until every source has spoken and every runtime has been listed: nothing is removed before. */
  isSettled(): boolean;
  /** That hold resources of the node. */
  pods(): Pod[];
  /** Before each round, settled or not. */
  onRound(): void;
  /** Whether a pod, also one that goes down or has ended, answers for what belongs to the uid. */
  isOwned(uid: string): boolean;
}

export async function runHousekeeping(options: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    options.onRound();
    if (options.isSettled()) {
      try {
        await cleanUp(options, signal);
      } catch (err) {
        if (signal.aborted) return;
        options.log.error({ err }, 'cannot remove what no pod owns, will be retried');
      }
    }
    await delay(options.periodMs, undefined, { signal }).catch(() => undefined);
  }
}

async function cleanUp(options: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  const { cgroups, volumes, log, paths } = options;
  await cgroups.updateQos(options.pods());
  for (const uid of await cgroups.podUids()) {
    if (options.isOwned(uid)) continue;
    log.info({ podUid: uid }, 'removing the cgroup of a pod that is gone');
    await cgroups.removePod(uid, signal);
  }
  for (const uid of await volumes.podUids()) {
    if (options.isOwned(uid)) continue;
    log.info({ podUid: uid }, 'removing the directory of a pod that is gone');
    await volumes.removePodDir(uid, signal);
  }
  // A directory elsewhere may be shared, /var/log/pods with a kubelet: there only a pod's own end removes its logs.
  if (!paths.podLogsDir.startsWith(`${paths.rootDir}/`)) return;
  for (const name of await logDirs(paths.podLogsDir)) {
    const uid = name.slice(name.lastIndexOf('_') + 1);
    if (!options.isOwned(uid)) await rm(join(paths.podLogsDir, name), { recursive: true, force: true });
  }
}

/** Directories named as the kubelet names them; others are not ours. */
async function logDirs(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.split('_').length === 3);
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'ENOENT') return [];
    throw err;
  }
}
