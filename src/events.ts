/**
 * Events about pods and the node, with the kubelet's reasons. Recording never blocks and never fails: the sink
 * aggregates equal events (count, first and last time) and is bounded.
 */
export interface ObjectReference {
  kind: 'Pod' | 'Node';
  namespace: string;
  name: string;
  uid: string;
  /** `spec.containers{name}` when one container is meant. */
  fieldPath?: string;
}

export type EventType = 'Normal' | 'Warning';

export interface EventRecorder {
  event(about: ObjectReference, type: EventType, reason: string, message: string): void;
}
