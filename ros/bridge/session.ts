/**
 * The agent on one transport: its node with topics and services, and a managed node for each pod. A change is told at once,
 * those that come right behind it together a few milliseconds later; steps of lifecycle states are told one by one.
 */
import type { Logger } from '../../src/log.ts';
import { podUid } from '../../src/pods/identity.ts';
import type { BridgeAgent, BridgedPod } from '../agent-port.ts';
import { DiagnosticArray } from '../messages/gen/diagnostic_msgs.ts';
import { Event, NodeStatus, type PodStatus, PodStatusArray } from '../messages/gen/roslet_msgs.ts';
import { Paced } from '../paced.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import type { Access } from './access.ts';
import { serveAgent } from './agent-node.ts';
import { diagnosticsMessage } from './diagnostics.ts';
import { nodeStatusMessage } from './node-status.ts';
import { serveParameters } from './parameters.ts';
import { PodNodes } from './pod-nodes.ts';
import { eventMessage, podStatusMessage } from './pod-status.ts';
import { defaultQos, eventsQos, latchedQos } from './qos.ts';
import { Rosouts } from './rosouts.ts';
import { timeOf } from './time.ts';

export interface SessionOptions {
  transport: RosTransport;
  agent: BridgeAgent;
  robot: string;
  access: Access;
  /** 0: none. */
  diagnosticsPeriodMs: number;
  log: Logger;
}

/** Changes that come so soon after another make one message. */
const restMs = 5;

/** How often the CPUs in use are measured and told. */
const machinePeriodMs = 5000;

export interface Session {
  /** The agent's. */
  readonly node: RosNode;
  nodeName(uid: string): string | undefined;
  close(): Promise<void>;
}

export function startSession(options: SessionOptions): Session {
  const { transport, agent, robot, access, diagnosticsPeriodMs, log } = options;
  const prefix = `/${robot}/roslet`;
  const node = transport.createNode('roslet', `/${robot}`);
  const nodeStatus = node.createPublisher(`${prefix}/node_status`, NodeStatus, latchedQos);
  const podArray = node.createPublisher(`${prefix}/pods`, PodStatusArray, latchedQos);
  const events = node.createPublisher(`${prefix}/events`, Event, eventsQos);
  const diagnostics = node.createPublisher('/diagnostics', DiagnosticArray, defaultQos);
  const rosouts = new Rosouts({ node, robot, podNodeName: (uid) => podNodes.nameOf(uid), log });
  let cpuCores: number | undefined;
  const changed = new Set<string>();
  const podNodes = new PodNodes({
    transport,
    agent,
    robot,
    access,
    onGone: (uid) => rosouts.forgetPod(uid),
    log,
  });
  let isListChanged = false;
  let isClosed = false;

  const statusOf = (pod: BridgedPod) =>
    podStatusMessage(pod, { robot, rosNode: podNodes.nameOf(podUid(pod.pod)) ?? '', nowMs: Date.now() });
  const nodeStatusNow = () =>
    nodeStatusMessage(agent, {
      robot,
      transport: transport.description,
      domainId: transport.domainId,
      cpuCores,
      nowMs: Date.now(),
    });

  /** What goes wrong on the way to ROS is no matter of the agent's. */
  const guarded = (act: () => unknown): void => {
    try {
      act();
    } catch (err) {
      log.error({ err }, 'a change could not be told over ROS 2');
    }
  };
  const tellPods = (): void => {
    const uids = new Set(changed);
    changed.clear();
    const [only] = uids;
    const pods =
      uids.size === 1 ? [agent.pod(only!)] : agent.pods().filter(({ pod }) => uids.has(podUid(pod)));
    // Each by itself: one that cannot be told takes nothing from the others.
    for (const pod of pods)
      if (pod !== undefined) guarded(() => podNodes.get(podUid(pod.pod))?.publish(statusOf(pod)));
  };
  const tellMachine = (): void => {
    if (isListChanged) {
      const pods = agent.pods().sort((a, b) => order(a, b));
      const told: PodStatus[] = [];
      for (const pod of pods) guarded(() => told.push(statusOf(pod)));
      podArray.publish(PodStatusArray.create({ stamp: timeOf(Date.now()), robot, pods: told }));
    }
    isListChanged = false;
    nodeStatus.publish(nodeStatusNow());
  };
  // Apart, as the list of all pods costs as much as there are: it must not hold up the next change of one.
  const podPace = new Paced(() => guarded(tellPods), restMs);
  const machinePace = new Paced(() => guarded(tellMachine), restMs);
  const podChanged = (uid: string): void => {
    changed.add(uid);
    podPace.askNow();
    isListChanged = true;
    machinePace.ask();
  };

  const tellDiagnostics = (): void => {
    // Nobody looks, nothing is measured.
    if (diagnostics.subscriptions === 0) return;
    agent.measure().then(
      () => {
        if (isClosed) return;
        guarded(() =>
          diagnostics.publish(diagnosticsMessage(robot, nodeStatusNow(), agent.pods(), Date.now())),
        );
      },
      (err: unknown) => log.debug({ err }, 'what pods use could not be measured'),
    );
  };

  const measureMachine = (): void => {
    agent.measureMachine().then(
      (measured) => {
        if (measured === undefined) return;
        cpuCores = measured;
        machinePace.ask();
      },
      (err: unknown) => log.debug({ err }, 'what the machine uses could not be measured'),
    );
  };

  serveAgent(node, prefix, agent, statusOf, access);
  serveParameters(
    node,
    prefix,
    agent.configuration(),
    'read-only: change the configuration of roslet and restart it',
  );
  for (const { pod } of agent.pods()) {
    podNodes.show(podUid(pod));
    changed.add(podUid(pod));
  }
  for (const event of agent.events()) events.publish(eventMessage(event, robot));
  isListChanged = true;
  tellPods();
  tellMachine();
  const ends = [
    agent.onPodChange((uid) => {
      guarded(() => podNodes.show(uid));
      podChanged(uid);
    }),
    agent.onNodeChange(() => machinePace.ask()),
    agent.onEvent((event) => {
      guarded(() => events.publish(eventMessage(event, robot)));
      const { kind, uid } = event.involvedObject;
      // A check that fails is told at once, and not only when that has consequences.
      if (kind !== 'Pod' || uid === undefined || event.type !== 'Warning') return;
      podChanged(uid);
    }),
    // Not guarded by the log: what the log of the agent cannot tell over ROS must not come back as a line of it.
    agent.onLog((line) => rosouts.writeAgent(line)),
    agent.onPodLog((line) => guarded(() => rosouts.writePod(line))),
  ];
  measureMachine();
  const measuring = setInterval(measureMachine, machinePeriodMs);
  const ticking = diagnosticsPeriodMs > 0 ? setInterval(tellDiagnostics, diagnosticsPeriodMs) : undefined;

  return {
    node,
    nodeName: (uid) => podNodes.nameOf(uid),
    async close() {
      isClosed = true;
      for (const end of ends) end();
      clearInterval(ticking);
      clearInterval(measuring);
      rosouts.close();
      podPace.close();
      machinePace.close();
      podNodes.close();
      await transport.close();
    },
  };
}

const order = (a: BridgedPod, b: BridgedPod): number => {
  const key = ({ pod }: BridgedPod) => `${pod.metadata?.namespace}/${pod.metadata?.name}`;
  return key(a) < key(b) ? -1 : 1;
};
