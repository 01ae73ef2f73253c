/** What a cluster is told of its node as events, in the kubelet's words: that it started, and what has become of its conditions. */
import type { Node, NodeCondition } from '../api/core.gen.ts';
import type { EventRecorder, ObjectReference } from '../events.ts';

export interface NodeEvents {
  started(): void;
  /** It has come back from a boot. */
  rebooted(bootId: string): void;
  /** Tells what is news. */
  conditions(node: Node): void;
}

export function nodeEvents(nodeName: string, events: EventRecorder): NodeEvents {
  // As the kubelet refers to it, by which `kubectl describe node` looks for events.
  const reference: ObjectReference = { kind: 'Node', namespace: '', name: nodeName, uid: nodeName };
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    events.event(reference, type, reason, message);
  // A node that is not ready yet is no news.
  const told = new Map<string, string>([['Ready', 'False']]);
  return {
    started: () => tell('Normal', 'Starting', 'Starting kubelet.'),
    rebooted: (bootId) =>
      tell('Warning', 'Rebooted', `Node ${nodeName} has been rebooted, boot id: ${bootId}`),
    conditions(node) {
      for (const { type, status } of node.status?.conditions ?? []) {
        const reason = reasonOf({ type, status });
        if (reason === undefined || told.get(type) === status) continue;
        told.set(type, status);
        tell('Normal', reason, `Node ${nodeName} status is now: ${reason}`);
      }
    },
  };
}

const reasons: Readonly<Record<string, readonly [isTrue: string, isFalse: string]>> = {
  MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
  Ready: ['NodeReady', 'NodeNotReady'],
};

const reasonOf = ({ type, status }: Pick<NodeCondition, 'type' | 'status'>): string | undefined =>
  reasons[type]?.[status === 'True' ? 0 : 1];
