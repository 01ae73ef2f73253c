/** An agent of which only the view exists: pods are what a test says, so that the HTTP shapes can be looked at alone. */
import type { Event, Node, Pod } from '../src/api/core.gen.ts';
import type { PodChange } from '../src/pods/pod-changes.ts';
import type { AgentView } from '../src/server/agent-view.ts';
import { volumeSpace } from '../src/server/stats/volume-space.ts';

export interface TestAgent extends AgentView {
  set(pod: Pod): void;
  remove(pod: Pod): void;
  emit(event: Event): void;
}

export function testAgent(over: Partial<AgentView> = {}): TestAgent {
  const pods = new Map<string, Pod>();
  const events: Event[] = [];
  const podListeners = new Set<(change: PodChange) => void>();
  const eventListeners = new Set<(event: Event) => void>();
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'robot', uid: 'node-uid' },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { kubeletVersion: 'v0.1.0' } as NonNullable<Node['status']>['nodeInfo'],
    },
  };
  const listen =
    <T>(all: Set<T>) =>
    (listener: T) => {
      all.add(listener);
      return () => void all.delete(listener);
    };
  return {
    nodeName: 'robot',
    pods: () => [...pods.values()],
    runningPods: async () => [...pods.values()],
    workingPods: () => [],
    runningSandboxes: () => 0,
    mirrorPods: () => 0,
    volumes: async () => [],
    onPodChange: listen(podListeners),
    node: () => node,
    onNodeChange: listen(new Set()),
    events: { list: () => events, watch: listen(eventListeners) },
    refusedManifests: () => [],
    manifestFile: () => undefined,
    container: async () => undefined,
    sandbox: async () => undefined,
    containerLogPath: async () => undefined,
    configz: () => ({ syncFrequency: '1m0s' }),
    containerStats: async () => [],
    imageFsInfo: async () => [],
    podUsage: async () => undefined,
    podCgroups: async () => [],
    podsCgroup: async () => ({
      path: '/kubepods',
      stats: { timestampMs: 0 },
      details: { blockDevices: [], pressure: {} },
    }),
    agentCgroup: async () => undefined,
    podNetwork: async () => undefined,
    podVolumes: () => [],
    volumeSpace: volumeSpace(),
    probes: () => [],
    lifecycles: () => [],
    changeLifecycle: async () => ({ success: true, message: '' }),
    lastRelistMs: () => 1_000_000,
    cgroupVersion: 1,
    health: () => [{ name: 'ping' }, { name: 'log' }, { name: 'syncloop' }],
    set: (pod) => {
      pods.set(pod.metadata?.uid ?? '', pod);
      for (const listener of podListeners) listener({ type: 'changed', pod });
    },
    remove: (pod) => {
      pods.delete(pod.metadata?.uid ?? '');
      for (const listener of podListeners) listener({ type: 'gone', pod });
    },
    emit: (event) => {
      events.push(event);
      for (const listener of eventListeners) listener(event);
    },
    ...over,
  };
}
