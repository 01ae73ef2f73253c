/** What a worker has planned: the plan for what its record says is wanted. Pure. */
import type { Container, PodStatus } from '../api/core.gen.ts';
import { startConditionReason, waitingMessage, whyNotActive } from './lifecycle.ts';
import type { Intent, PlanInput } from './plan/input.ts';
import { plan } from './plan.ts';
import type { PodRecord } from './pod-record.ts';

/** @param unmet for what the pod's first container has to wait; asked only where it would be started */
export function intentOf(
  { goal = 'active', stop }: Readonly<PodRecord>,
  graceLeftMs: number,
  unmet: () => readonly string[],
): Intent {
  if (stop !== undefined) return { kind: 'stop', graceMs: graceLeftMs };
  if (goal === 'unconfigured') return { kind: 'clear', why: whyNotActive.unconfigured };
  if (goal === 'inactive') return { kind: 'prepare', why: whyNotActive.inactive };
  const missing = unmet();
  if (missing.length === 0) return { kind: 'run' };
  return {
    kind: 'run',
    gate: { reason: startConditionReason, message: waitingMessage(missing), unmet: missing },
  };
}

type FromRecord = 'pod' | 'resizing' | 'replaced' | 'restartCounts' | 'startedAtMs';

export const nextPlan = (record: Readonly<PodRecord>, input: Omit<PlanInput, FromRecord>) =>
  plan({
    ...input,
    pod: record.pod,
    containerHash: (container) => revisedHash(record, container, input.containerHash(container)),
    replaced: new Set(record.replaced),
    restartCounts: restartCounts(record.status),
    resizing: record.resize?.inProgress !== undefined,
    startedAtMs: record.firstSeenMs,
  });

/** Another one after each change in place. */
function revisedHash({ revisions }: Readonly<PodRecord>, { name }: Container, hash: string): string {
  const revision = revisions?.[name] ?? 0;
  return revision === 0 ? hash : `${hash}-${revision}`;
}

function restartCounts(status: PodStatus | undefined): Map<string, number> {
  const { containerStatuses = [], initContainerStatuses = [] } = status ?? {};
  return new Map([...initContainerStatuses, ...containerStatuses].map((s) => [s.name, s.restartCount]));
}
