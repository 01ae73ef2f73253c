/** The node's conditions with the kubelet's reasons and messages. A condition keeps its transition time while it is the same. */

import type { NodeCondition } from '../api/core.gen.ts';
import { time } from '../api/time.ts';

export const pressureTypes = ['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;
export type Pressure = (typeof pressureTypes)[number];

export interface NodeFindings {
  pressures: ReadonlySet<Pressure>;
  /** What keeps the node from running pods, as sentences. */
  problems: readonly string[];
}

export function nodeConditions(
  { pressures, problems }: NodeFindings,
  previous: readonly NodeCondition[],
  nowMs: number,
): NodeCondition[] {
  const found = [
    ...pressureTypes.map((type) => ({
      type,
      ...pressureTexts[type][pressures.has(type) ? 'True' : 'False'],
    })),
    problems.length === 0
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: aggregate(problems) },
  ];
  const now = time(nowMs);
  return found.map((condition) => {
    const last = previous.find(({ type }) => type === condition.type);
    const lastTransitionTime = last?.status === condition.status ? last.lastTransitionTime : now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime };
  });
}

/** Whether anything but the time of the heartbeat differs. */
export const sameConditions = (a: readonly NodeCondition[], b: readonly NodeCondition[]): boolean =>
  a.length === b.length &&
  a.every(
    (condition, index) =>
      condition.status === b[index]?.status &&
      condition.reason === b[index]?.reason &&
      condition.message === b[index]?.message,
  );

const aggregate = (problems: readonly string[]): string =>
  problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;

type Text = Pick<NodeCondition, 'status' | 'reason' | 'message'>;

const text = (status: 'True' | 'False', reason: string, message: string): Text & { status: string } => ({
  status,
  reason,
  message,
});

const pressureTexts: Readonly<Record<Pressure, Record<'True' | 'False', Text & { status: string }>>> = {
  MemoryPressure: {
    True: text('True', 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'),
    False: text('False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
  },
  DiskPressure: {
    True: text('True', 'KubeletHasDiskPressure', 'kubelet has disk pressure'),
    False: text('False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
  },
  PIDPressure: {
    True: text('True', 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available'),
    False: text('False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
  },
};
