/** What the port tells of a container: its record and its state put together. */
import type { Container, ContainerStatus } from '../runtime.ts';
import { type ContainerState, unsupervised } from './state.ts';
import type { ContainerRecord } from './store.ts';

export function describe(record: ContainerRecord, state: ContainerState): Container {
  const { id, podSandboxId, config, createdAtMs } = record;
  return {
    id,
    podSandboxId,
    metadata: config.metadata,
    image: config.image,
    imageRef: config.image,
    state: state.name,
    createdAtMs,
    labels: config.labels,
    annotations: config.annotations,
  };
}

export function statusOf(record: ContainerRecord, state: ContainerState): ContainerStatus {
  const { config, user, logPath } = record;
  const final = state.name === 'CONTAINER_EXITED' ? state.final : undefined;
  const living = 'process' in state ? state : undefined;
  const lost = state.name === 'CONTAINER_UNKNOWN' ? [unsupervised] : [];
  return {
    ...describe(record, state),
    startedAtMs: final?.startedAtMs ?? living?.startedAtMs ?? 0,
    finishedAtMs: final?.finishedAtMs ?? 0,
    exitCode: final?.exitCode ?? 0,
    reason: final?.reason ?? '',
    message: final?.message ?? [...lost, ...(living?.warnings ?? [])].join('; '),
    logPath,
    imageId: config.image,
    mounts: config.mounts,
    resources: config.resources,
    user: { uid: user.uid, gid: user.gid, supplementalGroups: user.supplementalGroups },
    ...(config.stopSignal && { stopSignal: config.stopSignal }),
  };
}
