/** The agent as the ROS 2 bridge asks for it, put together from its parts. */
import type { BridgeAgent, LogLine } from '../ros/agent-port.ts';
import type { Agent } from './agent.ts';
import type { Node, Pod } from './api/core.gen.ts';
import { rosoutAnnotation } from './api/validate/annotations.ts';
import type { ObjectStore } from './apiserver/object-store.ts';
import { bridgedPods } from './bridge-agent/pods.ts';
import { bridgeRequests } from './bridge-agent/requests.ts';
import { usageMeter } from './bridge-agent/usage.ts';
import type { EventLog } from './events/recorder.ts';
import type { Logger } from './log.ts';
import { podLogs } from './logs/pod-logs.ts';
import { podReference, podUid } from './pods/identity.ts';
import type { Transitions } from './pods/transitions.ts';
import type { ProbeSummary } from './probes/manager.ts';
import type { CgroupManager } from './resources/cgroups.ts';
import type { AgentView } from './server/agent-view.ts';

export interface BridgeAgentOptions {
  agent: Agent;
  view: AgentView;
  objects: ObjectStore;
  events: EventLog;
  transitions: Transitions;
  cgroups: CgroupManager;
  probes(): ProbeSummary[];
  node(): Node;
  onNodeChange(listener: () => void): () => void;
  nodeName: string;
  version: string;
  isClusterNode: boolean;
  /** Whether the runtime of that name has not answered for a while. */
  isStale(runtimeName: string): boolean;
  configuration: object;
  /** Epoch. */
  startedAtMs: number;
  onLogLine(listener: (json: string) => void): () => void;
  log: Logger;
  signal: AbortSignal;
}

export function bridgeAgent(o: BridgeAgentOptions): BridgeAgent {
  const usage = usageMeter(o.agent, o.cgroups);
  const pods = (selects: (pod: Pod) => boolean) => bridgedPods({ ...o, usage }, selects);
  const written = podLogs({
    workers: () => o.agent.workers(),
    worker: (uid) => o.agent.worker(uid),
    onPodChange: (listen) => o.agent.onPodChange(({ pod }) => listen(podUid(pod))),
    isWanted: ({ pod }) => pod.metadata?.annotations?.[rosoutAnnotation] === 'true',
    log: o.log,
    signal: o.signal,
  });

  return {
    nodeName: o.nodeName,
    version: o.version,
    isClusterNode: o.isClusterNode,
    startedAtMs: o.startedAtMs,
    node: o.node,
    onNodeChange: o.onNodeChange,
    pods: () => pods(() => true),
    pod: (uid) => pods((pod) => podUid(pod) === uid)[0],
    onPodChange(listener) {
      const ends = [
        o.agent.onPodChange(({ pod }) => listener(podUid(pod))),
        o.transitions.onChange(listener),
      ];
      return () => {
        for (const end of ends) end();
      };
    },
    measure: usage.measurePods,
    measureMachine: usage.measureMachine,
    events: () => o.events.list(),
    onEvent: (listener) => o.events.watch(listener),
    warn: (pod, reason, message) => o.events.event(podReference(pod), 'Warning', reason, message),
    changeLifecycle: (pod, transition) => o.transitions.change(pod, transition, o.signal),
    ...bridgeRequests({ ...o, pods }),
    configuration: () => o.configuration,
    onLog: (listener) => o.onLogLine((json) => listener(logLine(json))),
    onPodLog: (listener) =>
      written.listen((uid, container, { stampMs, stream, text }) =>
        listener({ uid, container, stream, stampMs, text }),
      ),
  };
}

function logLine(json: string): LogLine {
  const {
    err,
    level,
    msg = '',
    pod,
    time,
  } = JSON.parse(json) as {
    level: LogLine['level'];
    time: string;
    msg?: string;
    pod?: string;
    err?: { message?: string };
  };
  const where = pod === undefined ? '' : `${pod}: `;
  return {
    level,
    timeMs: Date.parse(time),
    message: `${where}${msg}${err?.message ? `: ${err.message}` : ''}`,
  };
}
