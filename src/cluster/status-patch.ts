/**
 * The difference between a pod's status in the API server and ours, as a strategic merge patch. Pure. It names only
 * what is ours and differs: conditions of other writers, and fields that we do not know, stay as they are.
 */
import type { Pod, PodCondition, PodStatus } from '../api/core.gen.ts';
import { terminationByKubelet } from '../pods/status/conditions.ts';
import { covers } from './covers.ts';

/** By the fields of the status. */
export type StatusPatch = Readonly<Record<string, unknown>>;

/** Undefined when there is nothing to tell. */
export function statusPatch(theirs: PodStatus = {}, ours: PodStatus): StatusPatch | undefined {
  // What has ended for the API server has ended: controllers have counted it.
  const phase = isFinal(theirs.phase) ? theirs.phase : ours.phase;
  const wanted: PodStatus = { ...ours, phase };
  const patch: Record<string, unknown> = {};
  for (const field of ownFields) {
    if (covers(theirs[field], wanted[field]) && covers(wanted[field], theirs[field])) continue;
    patch[field] = mergedLists.has(field)
      ? [{ $patch: 'replace' }, ...((wanted[field] as object[] | undefined) ?? [])]
      : (wanted[field] ?? null);
  }
  const conditions = [
    ...ownConditions(theirs.conditions, wanted.conditions),
    ...pastConditions(theirs.conditions, wanted.conditions),
  ];
  if (conditions.length > 0) patch.conditions = conditions;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/**
 * How long it may wait for what comes to be told with it; 0: somebody misses it. Steps of a pod that goes down come one
 * upon another, and that its deletion was noticed says little. A sandbox alone is of little use to anybody, be it there
 * or gone: longer, as on a busy machine what follows takes its time, and each write costs the API server and all who
 * watch the pod.
 */
export function patienceMs({ metadata, status }: Pod, patch: StatusPatch): number {
  const isGoingDown = metadata?.deletionTimestamp !== undefined;
  const isOfLittleUse = (condition: PodCondition): boolean =>
    condition.type === 'PodReadyToStartContainers' ||
    (isGoingDown && sameButGeneration(condition, status?.conditions));
  const canWait = Object.entries(patch).every(([field, value]) =>
    field === 'conditions' ? (value as PodCondition[]).every(isOfLittleUse) : patientFields.has(field),
  );
  if (canWait) return isGoingDown ? 5000 : 3000;
  return isGoingDown ? 500 : 0;
}

function sameButGeneration(ours: PodCondition, theirs: readonly PodCondition[] = []): boolean {
  const { observedGeneration: _, ...rest } = ours;
  return covers(
    theirs.find(({ type }) => type === ours.type),
    rest,
  );
}

const patientFields: ReadonlySet<string> = new Set([
  'podIP',
  'podIPs',
  'observedGeneration',
] satisfies (keyof PodStatus)[]);

/** The condition types that the kubelet writes, and others perhaps, too. */
const ownConditionTypes: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'DisruptionTarget',
  'PodResizePending',
  'PodResizeInProgress',
]);

const ownFields = [
  'phase',
  'reason',
  'message',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'startTime',
  'observedGeneration',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
] as const satisfies (keyof PodStatus)[];

/** Lists that a strategic merge patch would merge by a key of their items. */
const mergedLists: ReadonlySet<string> = new Set(['podIPs', 'hostIPs']);

function ownConditions(theirs: readonly PodCondition[] = [], ours: readonly PodCondition[] = []): object[] {
  return ours
    .filter(isOwn)
    .filter((condition) => {
      const known = theirs.find(({ type }) => type === condition.type);
      return !covers(known, { reason: '', message: '', ...condition });
    })
    .map((condition) => ({ reason: null, message: null, ...condition }));
}

/** An eviction by others is theirs to tell, and to take back: what we know of it may be out of date. */
const isOwn = ({ type, reason }: PodCondition): boolean =>
  ownConditionTypes.has(type) && (type !== 'DisruptionTarget' || reason === terminationByKubelet);

/** Conditions that are there only while they hold. */
const passingConditionTypes: ReadonlySet<string> = new Set(['PodResizePending', 'PodResizeInProgress']);

const pastConditions = (theirs: readonly PodCondition[] = [], ours: readonly PodCondition[] = []): object[] =>
  theirs
    .filter(({ type }) => passingConditionTypes.has(type) && !ours.some((own) => own.type === type))
    .map(({ type }) => ({ type, $patch: 'delete' }));

const isFinal = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';
