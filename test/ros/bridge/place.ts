/** An agent on the ROS graph and a participant in another process, which find each other on the machine under a tag of their own. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { cycloneTransport } from '../../../ros/cyclone/index.ts';
import { ChangeState, GetState, type TransitionEvent } from '../../../ros/messages/gen/lifecycle_msgs.ts';
import { Apply, type ApplyResponse } from '../../../ros/messages/gen/roslet_msgs.ts';
import type { MessageType, QosProfile, RosNode, RosTransport, ServiceType } from '../../../ros/transport.ts';
import { silentLogger } from '../../../src/log.ts';
import { TestAgent, until } from '../../agent.ts';

export const domainId = 85;
const addonPath = join(import.meta.dirname, '../../../dist/roslet-dds.node');
export const latched: QosProfile = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 100,
};
export const volatile: QosProfile = { ...latched, durability: 'volatile' };

/** @param requests what others may ask for */
export const ros = (requests: string) =>
  `{domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2, diagnosticsPeriod: 200ms, requests: ${requests}}`;

export const manual = `'roslet.dev/autostart': 'false'`;
export const manifest = (
  name: string,
  command: string,
  { annotations = '', container = '' } = {},
): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, annotations: {${annotations}}}
spec: {terminationGracePeriodSeconds: 1, runtimeClassName: host-process, hostNetwork: true, containers: [{name: main, image: none, ${container}command: [sh, -c, ${JSON.stringify(command)}]}]}
`;
export const sleeping = 'exec sleep 1000';

export const podNode = (name: string) => `/r2_d2/pods/default/${name}`;

export const steps = (events: TransitionEvent[]): string[] =>
  events.map(({ goal_state, transition }) => `${transition.label} ${goal_state.label}`);

export interface BridgePlace {
  tag: string;
  agent: TestAgent;
  transport: RosTransport;
  /** Of the participant that asks. */
  node: RosNode;
  openPeer(): RosTransport;
  /** All messages of a topic from now on, the latched ones first. */
  heard<T>(topic: string, type: MessageType<T>, qos?: QosProfile): T[];
  call<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    request: Request,
    timeoutMs?: number,
  ): Promise<Response>;
  change(pod: string, label: string): Promise<boolean>;
  /** Asked again when nobody answers: a request to an agent that was killed is lost. */
  stateOf(pod: string): Promise<string>;
  apply(manifest: string): Promise<ApplyResponse>;
  published(topic: string): Promise<unknown>;
}

/** Made anew for each test of the file, and taken away after it. */
export function bridgePlace(): BridgePlace {
  const vendorConfig = () =>
    `<CycloneDDS><Domain><Discovery><Tag>${on.tag}</Tag></Discovery></Domain></CycloneDDS>`;
  const call: BridgePlace['call'] = async (name, type, request, timeoutMs = 60_000) => {
    const client = on.node.createClient(name, type);
    try {
      return await client.call(request, AbortSignal.timeout(timeoutMs));
    } finally {
      client.close();
    }
  };
  const on = {
    openPeer: () =>
      cycloneTransport({
        addonPath,
        discovery: { domainId, range: 'localhost', staticPeers: [], vendorConfig: vendorConfig() },
        log: silentLogger(),
      }),
    heard<T>(topic: string, type: MessageType<T>, qos = latched): T[] {
      const messages: T[] = [];
      on.node.createSubscription(topic, type, qos, (message) => messages.push(message));
      return messages;
    },
    call,
    change: async (pod, label) =>
      (await call(`${podNode(pod)}/change_state`, ChangeState, { transition: { id: 0, label } })).success,
    stateOf: (pod) =>
      until(`the state of ${pod}`, async () => {
        const answer = await call(`${podNode(pod)}/get_state`, GetState, {} as never, 5000);
        return answer.current_state.label;
      }),
    apply: (text) => call('/r2_d2/roslet/apply', Apply, { manifest: text, dry_run: false }),
    published: (topic) =>
      until(`${topic} is published`, async () =>
        on.transport.graph.endpoints(topic).some((e) => e.kind === 'publisher'),
      ),
  } as BridgePlace;

  beforeEach(async () => {
    on.tag = randomUUID();
    on.agent = await TestAgent.create({ ros: ros('all'), env: { CYCLONEDDS_URI: vendorConfig() } });
    on.transport = on.openPeer();
    on.node = on.transport.createNode('peer', '/');
  });
  afterEach(async () => {
    await on.transport.close();
    expect(await on.agent.remove()).toEqual([]);
  });
  return on;
}
