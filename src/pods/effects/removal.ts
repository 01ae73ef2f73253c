/** Takes off the machine what a pod does not need any more: ended instances, what it held, and in the end every trace. */
import { rm } from 'node:fs/promises';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import type { ImageManager } from '../../images/manager.ts';
import { type Paths, podLogDir } from '../../paths.ts';
import type { ProbeManager } from '../../probes/manager.ts';
import type { CgroupManager } from '../../resources/cgroups.ts';
import type { VolumeManager } from '../../volumes/manager.ts';
import type { ActualPod } from '../actual.ts';
import { podName, podNamespace, podUid } from '../identity.ts';

export interface RemovalDeps {
  runtime: Runtime;
  paths: Paths;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  images: ImageManager;
  probes: ProbeManager;
}

/** Of every container the newest and the one before are kept: they are its state and its last state. */
export async function removeOldInstances(
  { runtime }: Pick<RemovalDeps, 'runtime'>,
  actual: ActualPod,
  signal: AbortSignal,
): Promise<void> {
  const kept = new Map<string, number>();
  for (const instance of actual.containers) {
    const name = instance.metadata.name;
    const count = (kept.get(name) ?? 0) + 1;
    kept.set(name, count);
    if (count > keptInstances && instance.state === 'CONTAINER_EXITED') {
      await runtime.removeContainer(instance.id, signal);
      if (instance.logPath !== '') await rm(instance.logPath, { force: true });
    }
  }
  for (const [index, sandbox] of actual.sandboxes.entries()) {
    const used = actual.containers.some((c) => c.podSandboxId === sandbox.id);
    if (index > 0 && sandbox.state === 'SANDBOX_NOTREADY' && !used) {
      await runtime.removePodSandbox(sandbox.id, signal);
    }
  }
}

/** Instances of a container that are kept, the running one included. */
const keptInstances = 2;

/** Gives back what an ended pod holds of the node. Its records and logs stay. */
export async function releasePod(deps: RemovalDeps, pod: Pod, signal: AbortSignal): Promise<void> {
  forgetPod(deps, pod);
  await deps.volumes.tearDown(podUid(pod), signal);
  await deps.cgroups.removePod(podUid(pod), signal);
}

function forgetPod({ probes, images }: RemovalDeps, pod: Pod): void {
  probes.untrackPod(podUid(pod));
  images.forgetPod(podUid(pod));
}

/** Removes every trace of a pod, what it was to give back included: an agent of another life may not have seen to that. */
export async function removePod(
  deps: RemovalDeps,
  pod: Pod,
  actual: ActualPod,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, paths, volumes, cgroups } = deps;
  const uid = podUid(pod);
  for (const container of actual.containers) await runtime.removeContainer(container.id, signal);
  for (const sandbox of actual.sandboxes) await runtime.removePodSandbox(sandbox.id, signal);
  forgetPod(deps, pod);
  await cgroups.removePod(uid, signal);
  await rm(podLogDir(paths, podNamespace(pod), podName(pod), uid), { recursive: true, force: true });
  await volumes.removePodDir(uid, signal);
}
