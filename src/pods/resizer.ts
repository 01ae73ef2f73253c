/**
 * Carries a resize out: the pod's cgroup first so wide that the old and the new limits fit, then the containers, those
 * that shrink first, then the pod's cgroup as it is to be. What is half done is done again by the next try.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import type { Container, Pod } from '../api/core.gen.ts';
import { toAmounts } from '../resources/amounts.ts';
import type { CgroupManager } from '../resources/cgroups.ts';
import {
  containerResources,
  podSettings,
  type ResourceContext,
  withoutMissing,
} from '../resources/container.ts';
import { type ActualPod, latestInstance } from './actual.ts';
import { podUid } from './identity.ts';
import {
  appliedResources,
  type MemoryLimit,
  memoryTooSmall,
  podInForce,
  resizableContainers,
  resourcesText,
} from './resize.ts';

export interface ResizeDeps {
  runtime: Runtime;
  cgroups: CgroupManager;
  resources: ResourceContext;
}

export interface Resize {
  /** As allocated. */
  pod: Pod;
  actual: ActualPod;
  /** The containers whose limits are to be changed while they run. */
  names: readonly string[];
  /** Called for each container when it has its new limits; the next one waits for it. */
  onApplied(containerId: string, resources: string): Promise<void>;
}

/** @throws Error why it is not done, such as memory limits below what is in use */
export async function applyResize(deps: ResizeDeps, resize: Resize, signal: AbortSignal): Promise<void> {
  const { pod, actual, onApplied } = resize;
  const { cgroups, runtime } = deps;
  const updates = updatesOf(resize);
  const inForce = podInForce(pod, actual);
  const problem = memoryTooSmall([
    ...(await podMemory(deps, pod, inForce)),
    ...(await Promise.all(updates.map((update) => containerMemory(runtime, update, signal)))),
  ]);
  if (problem !== undefined) throw new Error(problem);
  // What runs meanwhile has what it had; what does not starts with what is allocated.
  const target = podInForce(pod, { ...actual, containers: actual.containers.filter(isUntouched(updates)) });
  await cgroups.ensurePod(target, { also: inForce });
  for (const { container, containerId } of updates) {
    const limits = withoutMissing(containerResources(pod, container, deps.resources), cgroups.missing);
    await runtime.updateContainerResources(containerId, limits, signal);
    await onApplied(containerId, resourcesText(container));
  }
  await cgroups.ensurePod(target);
}

interface Update {
  container: Container;
  containerId: string;
  /** Of memory; 0: none. */
  wasBytes: number;
  limitBytes: number;
}

function updatesOf({ pod, actual, names }: Resize): Update[] {
  return resizableContainers(pod)
    .flatMap((container): Update[] => {
      const instance = latestInstance(actual, container.name);
      if (instance === undefined || !names.includes(container.name)) return [];
      const { memory: wasBytes = 0 } = toAmounts(appliedResources(instance)?.limits);
      const { memory: limitBytes = 0 } = toAmounts(container.resources?.limits);
      return [{ container, containerId: instance.id, wasBytes, limitBytes }];
    })
    .sort((a, b) => a.limitBytes - a.wasBytes - (b.limitBytes - b.wasBytes));
}

const isUntouched =
  (updates: readonly Update[]) =>
  ({ id }: { id: string }): boolean =>
    !updates.some(({ containerId }) => containerId === id);

/** Nothing where pods have no cgroups of their own. */
async function podMemory({ cgroups, resources }: ResizeDeps, pod: Pod, inForce: Pod): Promise<MemoryLimit[]> {
  const bytes = (of: Pod): number => Math.max(podSettings(of, resources).memoryLimitBytes ?? 0, 0);
  const stats = await cgroups.podStats(podUid(pod));
  if (stats === undefined) return [];
  const usedBytes = stats.memoryUsageBytes;
  return [{ of: 'pod', wasBytes: bytes(inForce), limitBytes: bytes(pod), usedBytes }];
}

async function containerMemory(
  runtime: Runtime,
  { container, containerId, wasBytes, limitBytes }: Update,
  signal: AbortSignal,
): Promise<MemoryLimit> {
  const { memoryUsageBytes: usedBytes } = await runtime.containerStats(containerId, signal);
  return { of: `container "${container.name}"`, wasBytes, limitBytes, usedBytes };
}
