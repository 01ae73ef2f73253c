/** The conditions of a pod: ours with the kubelet's reasons, beside those that others have written. */
import type { ContainerStatus, Pod, PodCondition } from '../../api/core.gen.ts';
import { time } from '../../api/time.ts';
import { isSidecar } from '../identity.ts';
import { resizeConditions } from '../resize.ts';
import type { StatusInput } from './input.ts';
import type { Phase } from './phase.ts';

/** What the rest of the status tells. */
export interface Told {
  phase: Phase;
  inits: readonly ContainerStatus[];
  apps: readonly ContainerStatus[];
  hasSandbox: boolean;
}

type Judgement = { status: 'True' | 'False'; reason?: string; message?: string };

/** The types of the conditions that are computed here. */
const computedTypes: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
]);

/** Our conditions as they are, and those that are not ours as others wrote them. */
export const withOthers = (
  own: readonly PodCondition[] = [],
  seen: readonly PodCondition[],
): PodCondition[] => [
  ...own.filter(({ type }) => computedTypes.has(type)),
  ...seen.filter(({ type }) => !computedTypes.has(type)),
];

export function podConditions(input: StatusInput, told: Told): PodCondition[] {
  const { pod, previous, nowMs } = input;
  const isFinal = told.phase === 'Succeeded' || told.phase === 'Failed';
  const ready = containersReady(pod, told);
  const judgements: Record<string, Judgement> = {
    PodReadyToStartContainers: { status: told.hasSandbox ? 'True' : 'False' },
    Initialized: initialized(pod, told),
    Ready: ready.status === 'True' ? gatesMet(input) : ready,
    ContainersReady: ready,
    PodScheduled: { status: 'True' },
  };
  const own = Object.entries(judgements).map(([type, judgement]): PodCondition => {
    const before = previous?.conditions?.find((c) => c.type === type);
    const isSame = before?.status === judgement.status;
    return {
      type,
      ...judgement,
      lastTransitionTime: (isSame ? before.lastTransitionTime : undefined) ?? time(nowMs),
      ...observedGeneration(pod),
    };
  });
  const others = (previous?.conditions ?? []).filter(({ type }) => !computedTypes.has(type));
  const disruption = disruptionTarget(input, isFinal);
  return [
    ...own,
    ...(isFinal ? [] : resizeConditions(input.resize)),
    ...others.filter(({ type }) => type !== disruption?.type),
    ...(disruption ? [disruption] : []),
  ];
}

/** Which version of the pod this is told of. */
export const observedGeneration = (pod: Pod): { observedGeneration?: number } =>
  pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation };

function initialized(pod: Pod, { phase, inits, apps }: Told): Judgement {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const missing = inits.filter((s) => (isSidecarOf(pod, s) ? s.started !== true : !s.ready));
  const appsStarted = apps.some((s) => s.state?.running ?? s.state?.terminated ?? s.lastState?.terminated);
  if (appsStarted || missing.length === 0) return { status: 'True' };
  const message = `containers with incomplete status: [${names(missing)}]`;
  return { status: 'False', reason: 'ContainersNotInitialized', message };
}

function containersReady(pod: Pod, { phase, inits, apps }: Told): Judgement {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const unready = [...apps, ...inits.filter((s) => isSidecarOf(pod, s))].filter((s) => !s.ready);
  if (unready.length === 0) return { status: 'True' };
  const message = `containers with unready status: [${names(unready)}]`;
  return { status: 'False', reason: 'ContainersNotReady', message };
}

/** Whether those say so, too, whom the pod names for that. */
function gatesMet({ pod, previous }: StatusInput): Judgement {
  const unmet = pod.spec?.readinessGates?.find(
    (gate) => previous?.conditions?.find((c) => c.type === gate.conditionType)?.status !== 'True',
  );
  if (unmet === undefined) return { status: 'True' };
  const message = `corresponding condition of pod readiness gate "${unmet.conditionType}" does not exist or is not True.`;
  return { status: 'False', reason: 'ReadinessGatesNotReady', message };
}

/** The reason of DisruptionTarget where the node ended the pod: with another one it is the word of others. */
export const terminationByKubelet = 'TerminationByKubelet';

/** Told with the final phase: until then it is not sure that nothing of the pod runs. */
function disruptionTarget(input: StatusInput, isFinal: boolean): PodCondition | undefined {
  const { pod, previous, verdict, nowMs } = input;
  if (!isFinal || verdict?.disruption === undefined) return undefined;
  const known = previous?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  const isTold = known?.status === 'True' && known.reason === terminationByKubelet;
  return {
    type: 'DisruptionTarget',
    status: 'True',
    reason: terminationByKubelet,
    message: verdict.disruption,
    lastTransitionTime: isTold ? known.lastTransitionTime : time(nowMs),
    ...observedGeneration(pod),
  };
}

function isSidecarOf(pod: Pod, { name }: ContainerStatus): boolean {
  const container = pod.spec?.initContainers?.find((c) => c.name === name);
  return container !== undefined && isSidecar(container);
}

const names = (statuses: readonly ContainerStatus[]): string => statuses.map((s) => s.name).join(' ');
