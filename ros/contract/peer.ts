/** The other process of the suite: a transport of the same kind that does what it is told by messages. */
import * as bond from '../messages/gen/bond.ts';
import { GetState, TransitionEvent } from '../messages/gen/lifecycle_msgs.ts';
import type {
  DiscoveryOptions,
  EndpointInfo,
  NodeName,
  Publisher,
  QosProfile,
  SampleInfo,
} from '../transport.ts';
import { subjectOf } from './subjects.ts';
import { echoType, reliable, type Text, textType } from './types.ts';

export type PeerCommand =
  | { do: 'publisher'; topic: string; qos: QosProfile }
  | { do: 'publish'; topic: string; texts: string[] }
  /** Again and again until it is told otherwise; 0 stops. */
  | { do: 'publishEvery'; topic: string; periodMs: number }
  | { do: 'assertLiveliness'; topic: string }
  | { do: 'closePublisher'; topic: string }
  | { do: 'subscribe'; topic: string; qos: QosProfile }
  | { do: 'serve'; service: string }
  | { do: 'call'; service: string; text: string; limitMs: number }
  /** Is a managed node in that state, and says so when it was in another. */
  | { do: 'manage'; node: string; state: string }
  /** Holds its end of a bond, again and again; a period of 0 breaks it. */
  | { do: 'bond'; topic: string; id: string; periodMs: number; timeoutMs: number }
  | { do: 'graph' };

export interface PeerGraph {
  nodes: NodeName[];
  endpoints: EndpointInfo[];
}

export type PeerResult<C extends PeerCommand> = C['do'] extends 'graph'
  ? PeerGraph
  : C['do'] extends 'call'
    ? string
    : undefined;

export interface Received {
  topic: string;
  text: string;
  info: SampleInfo;
}

export type PeerMessage =
  | { kind: 'ready' }
  | { kind: 'received'; received: Received }
  | { kind: 'done'; id: number; result?: unknown; error?: string };

const [subject = '', discovery = ''] = process.argv.slice(2);
const transport = subjectOf(subject).open(JSON.parse(discovery) as DiscoveryOptions);
const node = transport.createNode('peer', '/');
const publishers = new Map<string, Publisher<Text>>();
const timers = new Map<string, NodeJS.Timeout>();
const managed = new Map<string, { state: string; events: Publisher<TransitionEvent> }>();
const bonds = new Map<string, Publisher<bond.Status>>();

process.on('message', async ({ id, command }: { id: number; command: PeerCommand }) => {
  const result = await run(command).then(
    (value) => ({ result: value }),
    (error: Error) => ({ error: error.message }),
  );
  tell({ kind: 'done', id, ...result });
});
// The test is gone.
process.once('disconnect', () => process.exit());
tell({ kind: 'ready' });

function tell(message: PeerMessage): void {
  if (process.connected) process.send?.(message);
}

async function run(command: PeerCommand): Promise<unknown> {
  switch (command.do) {
    case 'publisher':
      publishers.set(command.topic, node.createPublisher(command.topic, textType, command.qos));
      return undefined;
    case 'publish':
      for (const data of command.texts) publishers.get(command.topic)?.publish({ data });
      return undefined;
    case 'publishEvery': {
      const { topic, periodMs } = command;
      clearInterval(timers.get(topic));
      if (periodMs === 0) return undefined;
      const beat = () => publishers.get(topic)?.publish({ data: 'beat' });
      timers.set(topic, setInterval(beat, periodMs));
      return undefined;
    }
    case 'assertLiveliness':
      publishers.get(command.topic)?.assertLiveliness();
      return undefined;
    case 'closePublisher':
      clearInterval(timers.get(command.topic));
      publishers.get(command.topic)?.close();
      return undefined;
    case 'subscribe': {
      const { topic, qos } = command;
      node.createSubscription(topic, textType, qos, ({ data }, info) =>
        tell({ kind: 'received', received: { topic, text: data, info } }),
      );
      return undefined;
    }
    case 'serve':
      node.createService(command.service, echoType, ({ data }) => ({ data: `peer: ${data}` }));
      return undefined;
    case 'call': {
      const client = node.createClient(command.service, echoType);
      try {
        return (await client.call({ data: command.text }, AbortSignal.timeout(command.limitMs))).data;
      } finally {
        client.close();
      }
    }
    case 'manage':
      manage(command.node, command.state);
      return undefined;
    case 'bond':
      hold(command);
      return undefined;
    case 'graph':
      return { nodes: transport.graph.nodes(), endpoints: transport.graph.endpoints() };
  }
}

function manage(name: string, state: string): void {
  const known = managed.get(name);
  if (known !== undefined) {
    known.state = state;
    const goal_state = { id: 0, label: state };
    known.events.publish(TransitionEvent.create({ goal_state }));
    return;
  }
  const events = node.createPublisher(`${name}/transition_event`, TransitionEvent, reliable);
  const one = { state, events };
  managed.set(name, one);
  node.createService(`${name}/get_state`, GetState, () => ({ current_state: { id: 0, label: one.state } }));
}

function hold({ topic, id, periodMs, timeoutMs }: Extract<PeerCommand, { do: 'bond' }>): void {
  const publisher = bonds.get(topic) ?? node.createPublisher(topic, bond.Status, reliable);
  bonds.set(topic, publisher);
  clearInterval(timers.get(topic));
  const say = (active: boolean) =>
    publisher.publish(
      bond.Status.create({ id, instance_id: `${process.pid}`, active, heartbeat_timeout: timeoutMs / 1000 }),
    );
  if (periodMs === 0) say(false);
  else timers.set(topic, setInterval(say, periodMs, true));
}
