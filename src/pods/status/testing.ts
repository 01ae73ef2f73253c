/** What the tables of a status begin with: a pod of one container that runs, and how they look at what is told of it. */
import type { ContainerStatus, PodCondition, PodStatus } from '../../api/core.gen.ts';
import { time } from '../../api/time.ts';
import type { ProbeResult } from '../../probes/results.ts';
import { podStatus } from '../status.ts';
import { testActual, testContainer, testNowMs, testPod, testProbes, testSandbox } from '../testing.ts';
import type { StatusInput } from './input.ts';

export const ready = testSandbox();
export const now = time(testNowMs);

export function status(
  over: Partial<Omit<StatusInput, 'probes'>> & { probes?: Record<string, ProbeResult> } = {},
): PodStatus {
  const { probes, ...rest } = over;
  return podStatus({
    pod: testPod(),
    actual: testActual([ready], [testContainer('a', 'running')]),
    runtimeName: 'process',
    probes: testProbes(probes),
    waiting: new Map(),
    terminationMessages: new Map(),
    previous: undefined,
    startTime: now,
    hostIps: ['192.0.2.1'],
    qosClass: 'BestEffort',
    ended: false,
    nowMs: testNowMs,
    ...rest,
  });
}

export const only = (s: PodStatus): ContainerStatus => s.containerStatuses![0]!;

export const condition = (s: PodStatus, type: string): PodCondition | undefined =>
  s.conditions?.find((c) => c.type === type);
