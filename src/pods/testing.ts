/** Builders of pods and of what a runtime holds of them, for tables in tests. */

import type { ContainerStateName, ContainerStatus, PodSandboxStatus } from '../../runtime/runtime.ts';
import type { Pod } from '../api/core.gen.ts';
import type { ProbeResult, ProbeResults } from '../probes/results.ts';
import type { ActualPod } from './actual.ts';
import { containerHashAnnotation, restartCountAnnotation } from './identity.ts';

export const testNowMs = Date.parse('2026-01-01T12:00:00Z');

export function testPod(spec: Partial<NonNullable<Pod['spec']>> = {}, metadata: Pod['metadata'] = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'uid-1', ...metadata },
    spec: { containers: [{ name: 'a', image: 'i' }], restartPolicy: 'Always', ...spec },
  };
}

export function testSandbox(over: Partial<PodSandboxStatus> = {}): PodSandboxStatus {
  return {
    id: 'sb0',
    metadata: { name: 'p', namespace: 'default', uid: 'uid-1', attempt: 0 },
    state: 'SANDBOX_READY',
    createdAtMs: testNowMs - 60_000,
    labels: {},
    annotations: {},
    runtimeHandler: '',
    ips: ['10.0.0.7'],
    namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
    ...over,
  };
}

/** An instance of container `name`; its id is `<name><attempt>`. */
export function testContainer(
  name: string,
  state: 'created' | 'running' | 'exited' | 'unknown',
  over: Partial<ContainerStatus> & { attempt?: number; hash?: string } = {},
): ContainerStatus {
  const { attempt = 0, hash = 'h', annotations, ...rest } = over;
  return {
    id: `${name}${attempt}`,
    podSandboxId: 'sb0',
    metadata: { name, attempt },
    image: 'i',
    imageRef: 'i',
    imageId: 'sha256:i',
    state: `CONTAINER_${state.toUpperCase()}` as ContainerStateName,
    createdAtMs: testNowMs - 50_000 + attempt,
    startedAtMs: state === 'created' ? 0 : testNowMs - 50_000,
    finishedAtMs: state === 'exited' ? testNowMs - 1000 : 0,
    exitCode: 0,
    reason: '',
    message: '',
    logPath: '',
    mounts: [],
    labels: {},
    annotations: {
      [containerHashAnnotation]: hash,
      [restartCountAnnotation]: String(attempt),
      ...annotations,
    },
    ...rest,
  };
}

export function testActual(sandboxes: PodSandboxStatus[], containers: ContainerStatus[] = []): ActualPod {
  return { uid: 'uid-1', sandboxes, containers };
}

/** Probe results from `{ 'a0/liveness': 'failure' }`. */
export function testProbes(results: Record<string, ProbeResult> = {}): ProbeResults {
  return { get: (id, kind) => results[`${id}/${kind}`], message: () => '' };
}
