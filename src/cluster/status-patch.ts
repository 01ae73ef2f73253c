/**
 * The difference between a pod's status in the API server and ours, as a strategic merge patch. Pure. It names only
 * what is ours and differs: conditions of other writers, and fields that we do not know, stay as they are.
 */
import type { Pod, PodCondition, PodStatus } from '../api/core.gen.ts';
import { terminationByKubelet } from '../pods/status.ts';
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
 * Whether nobody misses it for a moment, in which most often more comes to be told with it: steps of a pod that goes down,
 * and of one whose sandbox is there, as its containers are next.
 */
export function canWait({ metadata }: Pod, patch: StatusPatch): boolean {
  if (metadata?.deletionTimestamp !== undefined) return true;
  return Object.entries(patch).every(([field, value]) =>
    field === 'conditions'
      ? (value as PodCondition[]).every(({ type }) => type === 'PodReadyToStartContainers')
      : patientFields.has(field),
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
