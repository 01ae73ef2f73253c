/** What the parts of the process runtime share. */
import { dirname, join } from 'node:path';
import type { Logger } from '../../src/log.ts';
import { RuntimeError, type RuntimeEvent } from '../runtime.ts';
import type { Cgroups } from './cgroups.ts';
import type { ContainerRecord, SandboxRecord, Store } from './store.ts';
import type { SupervisorWatch } from './supervisor-watch.ts';
import type { DirectoryWatch } from './watch.ts';

export interface Context {
  store: Store;
  cgroups: Cgroups;
  starts: DirectoryWatch;
  exits: DirectoryWatch;
  supervisors: SupervisorWatch;
  bootId: string;
  ociPath: string;
  conmonPath: string;
  cniConfDir: string;
  cniBinDirs: readonly string[];
  hiddenPaths: readonly string[];
  /** Names of the cgroups of commands that are being run. */
  execs: Set<string>;
  log: Logger;
  emit(event: RuntimeEvent): void;
}

/** conmon and the pause process live here, so that killing a container's cgroup leaves its supervisor alone. */
export const sandboxCgroup = (sandbox: SandboxRecord): string =>
  `${sandbox.config.cgroupParent}/${sandbox.id}`;

export const supervisorCgroup = ({ cgroup, podSandboxId }: ContainerRecord): string =>
  join(dirname(cgroup), podSandboxId);

export async function mustFindSandbox(context: Context, id: string): Promise<SandboxRecord> {
  const record = await context.store.sandboxes.get(id);
  if (!record) throw new RuntimeError('NotFound', `there is no sandbox ${id}`);
  return record;
}

export async function mustFindContainer(context: Context, id: string): Promise<ContainerRecord> {
  const record = await context.store.containers.get(id);
  if (!record) throw new RuntimeError('NotFound', `there is no container ${id}`);
  return record;
}
