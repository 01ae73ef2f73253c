/**
 * `roslet ros …`: looks at the ROS graph, and takes part in it, on a machine that has no ROS 2. Each command is a participant
 * of its own, configured by the environment as ROS 2's own tools are; no agent is needed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseDocument, stringify } from 'yaml';
import type { MessageType, QosProfile, RosNode, RosTransport } from '../../ros/transport.ts';
import { messageOf } from '../error-message.ts';
import { CliError } from './errors.ts';
import { formatTable, print } from './output.ts';

/** Given by whoever knows a transport. */
export interface RosAccess {
  /** @throws CliError with the reason. */
  open(): Promise<RosTransport>;
  /** @throws CliError when there is no such type here. */
  messageType(name: string): Promise<MessageType<object>>;
}

/** How long the graph is given to tell what is on it. */
const discoveryMs = 1500;

export type GraphTopic = 'topics' | 'nodes' | 'services';

export async function listGraph(ros: RosAccess, what: GraphTopic, signal: AbortSignal): Promise<number> {
  await using session = await open(ros, signal);
  const { graph } = session.transport;
  await delay(discoveryMs, undefined, { signal });
  const rows = {
    topics: () => [
      ['TOPIC', 'TYPE', 'PUBLISHERS', 'SUBSCRIPTIONS'],
      ...graph.topics().map(({ name, types }) => {
        const ends = graph.endpoints(name);
        const count = (kind: string) => `${ends.filter((end) => end.kind === kind).length}`;
        return [name, types.join(','), count('publisher'), count('subscription')];
      }),
    ],
    nodes: () => [
      ['NODE'],
      ...graph
        .nodes()
        .filter(isShown)
        .map((node) => [fullName(node)]),
    ],
    services: () => [
      ['SERVICE', 'TYPE', 'SERVERS'],
      ...graph.services().map(({ name, types, servers }) => [name, types.join(','), `${servers}`]),
    ],
  }[what]();
  const [header = [], ...found] = rows;
  const sorted = found.sort(([a = ''], [b = '']) => a.localeCompare(b));
  for (const line of formatTable([header, ...sorted].map((row) => row.map((text) => ({ text })))))
    print(line);
  return 0;
}

export interface EchoOptions {
  once: boolean;
}

/** Prints messages as `ros2 topic echo` does: YAML, with `---` behind each. */
export async function echo(
  ros: RosAccess,
  topic: string,
  { once }: EchoOptions,
  signal: AbortSignal,
): Promise<number> {
  await using session = await open(ros, signal);
  const { transport, node } = session;
  const typeName = await publishedType(transport, fullTopic(topic), signal);
  const type = await ros.messageType(typeName);
  const ended = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => ended.resolve(), { once: true });
  node.createSubscription(fullTopic(topic), type, qosFor(transport, fullTopic(topic)), (message) => {
    process.stdout.write(`${stringify(message, printable)}---\n`);
    if (once) ended.resolve();
  });
  await ended.promise;
  return 0;
}

export interface PublishOptions {
  type: string;
  /** YAML or JSON. */
  data: string;
  rateHz: number;
  times?: number;
  node: string;
  /** Offers this liveliness lease, for a `ros2-probe liveliness`. */
  livelinessLeaseMs?: number;
}

export async function publish(
  ros: RosAccess,
  topic: string,
  options: PublishOptions,
  signal: AbortSignal,
): Promise<number> {
  const type = await ros.messageType(options.type);
  const message = readMessage(type, options.data);
  await using session = await open(ros, signal, options.node);
  const { livelinessLeaseMs } = options;
  const publisher = session.node.createPublisher(fullTopic(topic), type, {
    ...reliable,
    ...(livelinessLeaseMs === undefined ? {} : { liveliness: 'automatic', livelinessLeaseMs }),
  });
  const startedMs = performance.now();
  for (let sent = 0; sent !== options.times && !signal.aborted; sent += 1) {
    publisher.publish(message);
    // By the clock and not by the last one, so that a late message delays no other.
    const nextMs = startedMs + ((sent + 1) * 1000) / options.rateHz;
    await delay(Math.max(0, nextMs - performance.now()), undefined, { signal }).catch(() => undefined);
  }
  return 0;
}

const reliable: QosProfile = {
  reliability: 'reliable',
  durability: 'volatile',
  history: 'keep_last',
  depth: 10,
};

async function open(
  ros: RosAccess,
  signal: AbortSignal,
  name = `_roslet_cli_${process.pid}`,
): Promise<AsyncDisposable & { transport: RosTransport; node: RosNode }> {
  signal.throwIfAborted();
  const transport = await ros.open();
  return {
    transport,
    node: transport.createNode(name, '/'),
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

async function publishedType(transport: RosTransport, topic: string, signal: AbortSignal): Promise<string> {
  const find = () => transport.graph.endpoints(topic).find(({ kind }) => kind === 'publisher')?.type;
  if (find() === undefined) process.stderr.write(`Waiting for a publisher of ${topic}\n`);
  for (;;) {
    const type = find();
    if (type !== undefined) return type;
    await delay(publisherPollMs, undefined, { signal });
  }
}

const publisherPollMs = 50;

/** Asks for no more than every publisher offers, so that all of them are heard. */
function qosFor({ graph }: RosTransport, topic: string): QosProfile {
  const offered = graph.endpoints(topic).filter(({ kind }) => kind === 'publisher');
  const all = (is: (qos: QosProfile) => boolean) => offered.every(({ qos }) => is(qos));
  return {
    ...reliable,
    reliability: all((qos) => qos.reliability === 'reliable') ? 'reliable' : 'best_effort',
    durability: all((qos) => qos.durability === 'transient_local') ? 'transient_local' : 'volatile',
  };
}

const fullTopic = (topic: string): string => (topic.startsWith('/') ? topic : `/${topic}`);

/** Names that begin with an underscore are hidden, as ros2's own tools have it. */
const isShown = ({ name }: { name: string }): boolean => !name.startsWith('_');

const fullName = ({ name, namespace }: { name: string; namespace: string }): string =>
  namespace === '/' ? `/${name}` : `${namespace}/${name}`;

function readMessage(type: MessageType<object>, text: string): object {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) throw new CliError(`--data is no YAML: ${problem.message}`);
  const data: unknown = document.toJS() ?? {};
  if (typeof data !== 'object' || Array.isArray(data)) {
    throw new CliError('--data must be a mapping of fields, such as {data: hello}');
  }
  const message = withDefaults(type, data as object);
  try {
    type.encode(message);
  } catch (err) {
    throw new CliError(`--data is no ${type.name}: ${messageOf(err)}`);
  }
  return message;
}

/** What is not given has its default; a field that the type does not have is refused. */
function withDefaults(type: MessageType<object>, data: object): object {
  const defaults = (type as MessageType<object> & { create(): object }).create();
  const unknown = Object.keys(data).find((field) => !(field in defaults));
  if (unknown !== undefined) {
    const fields = Object.keys(defaults).join(', ');
    throw new CliError(
      `--data: ${type.name} has no field ${unknown}; it has ${fields === '' ? 'none' : fields}`,
    );
  }
  return { ...defaults, ...data };
}

/** Typed arrays as lists, 64-bit integers as numbers. */
function printable(_key: unknown, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<number>)
    : value;
}
