/** What the worker of a pod tells people of it, as events. */
import type { ContainerStatus } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { messageOf } from '../../error-message.ts';
import { containerReference } from '../../events/reference.ts';
import type { EventRecorder } from '../../events.ts';
import { VolumeError } from '../../volumes/volume.ts';
import type { Waiting } from '../actions.ts';
import { podName, podNamespace, podReference, podUid } from '../identity.ts';
import { startConditionReason } from '../lifecycle.ts';
import type { Verdict } from '../pod-record.ts';
import { resizeCompletedMessage } from '../resize.ts';

export interface PodReports {
  reportSyncError(pod: Pod, err: unknown): void;
  reportResized(pod: Pod): void;
  reportLost(pod: Pod, instance: ContainerStatus): void;
  /** The pod ends by itself. */
  reportEnd(pod: Pod, verdict: Verdict): void;
  reportStartGate(pod: Pod, waitsFor: string): void;
  reportWaiting(pod: Pod, name: string, waiting: Waiting): void;
}

export const podReports = (events: EventRecorder): PodReports => ({
  reportSyncError: (pod, err) => {
    const reason = err instanceof VolumeError ? err.reason : 'FailedSync';
    events.event(podReference(pod), 'Warning', reason, `error syncing pod: ${messageOf(err)}`);
  },
  reportResized: (pod) => {
    events.event(podReference(pod), 'Normal', 'ResizeCompleted', resizeCompletedMessage(pod));
  },
  reportLost: (pod, { metadata: { name }, message, reason }) => {
    const what = `Container ${name} was lost: ${message}`;
    events.event(containerReference(pod, { name }), 'Warning', reason, what);
  },
  reportEnd: (pod, { reason, message = '' }) => {
    // What containers make of themselves they tell.
    if (reason !== undefined) events.event(podReference(pod), 'Normal', reason, message);
  },
  reportStartGate: (pod, waitsFor) => {
    events.event(podReference(pod), 'Normal', startConditionReason, `The pod ${waitsFor}`);
  },
  reportWaiting: (pod, name, { reason }) => {
    if (reason !== 'CrashLoopBackOff') return;
    const where = `${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;
    const what = `Back-off restarting failed container ${name} in pod ${where}`;
    events.event(containerReference(pod, { name }), 'Warning', 'BackOff', what);
  },
});
