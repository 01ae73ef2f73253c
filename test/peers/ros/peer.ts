/**
 * ROS 2 and DDS programs by other people, driven by a test: each is a small program in this folder that takes commands
 * as JSON lines and tells what it hears (see rclpy_peer.py). They are installed into the cache on first use.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cacheDir } from '../cache.ts';

/** `rclpy`: ROS 2 Jazzy on Fast DDS. The others have no ROS 2: Cyclone DDS 11, and ros2-client on RustDDS. */
export type RosPeerKind = keyof typeof programs;

export interface RosPeerOptions {
  domainId: number;
  /** Of the node that it is. */
  name: string;
  namespace?: string;
  /** Put before the command line: `['nsenter', …]`. */
  prefix?: readonly string[];
  /** On top of what makes it stay on this machine. */
  env?: Readonly<Record<string, string>>;
}

export interface PeerQos {
  reliability?: 'reliable' | 'best_effort';
  durability?: 'volatile' | 'transient_local';
  depth?: number;
  deadlineMs?: number;
  liveliness?: 'automatic' | 'manual_by_topic';
  livelinessLeaseMs?: number;
}

export interface PeerSample {
  topic: string;
  /** 64-bit integers are numbers, NaN is null. */
  sample: Record<string, unknown>;
  sourceTimeNs: string;
}

export interface PeerEndpoint {
  node: string;
  type: string;
  typeHash: string;
  gid: string;
  reliability: string;
  durability: string;
}

type Names = Record<string, string[]>;

export interface RosPeer {
  readonly pid: number;
  subscribe(topic: string, type: string, qos?: PeerQos): Promise<void>;
  /** Once, or from now on every period. */
  publish(topic: string, type: string, sample?: object, qos?: PeerQos, periodMs?: number): Promise<void>;
  /** Falls silent, but keeps the publisher. */
  pause(topic: string): Promise<void>;
  unpublish(topic: string): Promise<void>;
  /** Answers every request with the same. */
  serve(service: string, type: string, response: object): Promise<void>;
  call(service: string, type: string, request?: object): Promise<Record<string, unknown>>;
  /** Full names of all nodes that it knows. */
  nodes(): Promise<string[]>;
  /** Samples heard so far, oldest first. */
  samples(topic: string): PeerSample[];
  /** Requests that its service got so far. */
  requests(service: string): object[];
  /** As unsuspecting ROS 2 programs see it; rclpy only. */
  graph(): Promise<{ nodes: string[]; topics: Names; services: Names }>;
  nodeInfo(
    name: string,
    namespace: string,
  ): Promise<{ publishers: Names; subscribers: Names; services: Names; clients: Names }>;
  endpoints(topic: string): Promise<{ publishers: PeerEndpoint[]; subscriptions: PeerEndpoint[] }>;
  /** The message as it goes over the wire, in hex digits; rclpy only. */
  serialize(type: string, sample: object): Promise<string>;
  deserialize(type: string, cdr: string): Promise<object>;
  /** To the program. */
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

const here = import.meta.dirname;
const root = join(here, '..', '..', '..');

const programs = { rclpy: rclpyProgram, cyclonedds: cycloneProgram, rustdds: rustProgram };

export const rosPeerKinds = Object.keys(programs) as RosPeerKind[];

/** Why it cannot run on this machine, if so. */
export function missingForPeer(kind: RosPeerKind): string | undefined {
  const folders = process.env.PATH?.split(':') ?? [];
  if (kind !== 'rustdds' || folders.some((folder) => existsSync(join(folder, 'cargo')))) return undefined;
  return 'there is no cargo to build RustDDS with (1.85 or newer: older ones, such as Debian 12 has, do not know its edition)';
}

export async function startRosPeer(kind: RosPeerKind, options: RosPeerOptions): Promise<RosPeer> {
  const program = await programs[kind]();
  const [command, ...args] = [...(options.prefix ?? []), ...program.command];
  const logs = mkdtempSync(join(tmpdir(), 'roslet-ros-log-'));
  const child = spawn(command!, [...args, options.name, options.namespace ?? '/'], {
    env: {
      PATH: process.env.PATH,
      ROS_LOG_DIR: logs,
      ROS_DOMAIN_ID: String(options.domainId),
      PYTHONDONTWRITEBYTECODE: '1',
      ...program.env,
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.once('close', () => rmSync(logs, { recursive: true, force: true }));
  return connect(kind, child);
}

/** ROS 2 Jazzy in the cache: where it is, and where the roslet_msgs are that were built with it. */
export async function installJazzy(): Promise<{ jazzy: string; messages: string }> {
  const jazzy = await installPlainJazzy();
  const sources = readdirSync(join(root, 'msgs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const messages = await install('messages', [...sources.sort(), join(here, 'jazzy.txt')], jazzy);
  return { jazzy, messages: join(messages, 'install') };
}

/** rclnodejs in the cache, built for that Jazzy: the directory that it is installed in, and the environment that it needs. */
export async function installRclnodejs(): Promise<{ path: string; env: Record<string, string> }> {
  const installed = await installJazzy();
  const inputs = ['package.json', 'package-lock.json'].map((name) => join(here, 'rclnodejs', name));
  const path = await install('rclnodejs', [...inputs, nodeHeader], installed.jazzy, installed.messages);
  return { path, env: jazzyEnv(installed) };
}

/** Of the Node that runs here: what is compiled is for that. */
const nodeHeader = join(process.execPath, '..', '..', 'include', 'node', 'node_version.h');

/** Without messages of ours: where it is. */
export const installPlainJazzy = (): Promise<string> => install('jazzy', [join(here, 'jazzy.txt')]);

/** Into the cache, anew when one of these files or what it is made with has changed. */
async function install(peer: string, inputs: string[], ...args: string[]): Promise<string> {
  const hash = createHash('sha256').update(args.join());
  for (const path of inputs) hash.update(path.slice(root.length)).update(readFileSync(path));
  const dir = join(cacheDir('ros'), `${peer}-${hash.digest('hex').slice(0, 12)}`);
  await promisify(execFile)(join(here, 'install'), [peer, dir, ...args], { maxBuffer: 1 << 26 });
  return dir;
}

interface Program {
  command: string[];
  env: Record<string, string>;
}

/** What a shell has that sourced it. */
const jazzyEnv = ({ jazzy, messages }: { jazzy: string; messages: string }) => ({
  AMENT_PREFIX_PATH: `${messages}:${jazzy}`,
  LD_LIBRARY_PATH: `${join(messages, 'lib')}:${join(jazzy, 'lib')}`,
  ROS_DISTRO: 'jazzy',
  RMW_IMPLEMENTATION: 'rmw_fastrtps_cpp',
});

async function rclpyProgram(): Promise<Program> {
  const installed = await installJazzy();
  const { jazzy, messages } = installed;
  const packages = readdirSync(join(messages, 'lib')).find((name) => name.startsWith('python3'))!;
  return {
    command: [join(jazzy, 'bin', 'python'), join(here, 'rclpy_peer.py')],
    env: {
      ...jazzyEnv(installed),
      PYTHONPATH: join(messages, 'lib', packages, 'site-packages'),
      ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST',
    },
  };
}

async function cycloneProgram(): Promise<Program> {
  const dir = await install('cyclonedds', [join(here, 'cyclonedds.txt')]);
  return {
    command: [join(dir, 'bin', 'python'), join(here, 'cyclone_peer.py')],
    // What rmw_cyclonedds makes of the range LOCALHOST.
    env: {
      CYCLONEDDS_URI: `<CycloneDDS><Domain Id="any"><General><AllowMulticast>false</AllowMulticast></General>
        <Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>
        <Peers><Peer address="localhost"/></Peers></Discovery></Domain></CycloneDDS>`,
    },
  };
}

async function rustProgram(): Promise<Program> {
  const folder = join(here, 'rustdds');
  const sources = ['Cargo.toml', 'src/main.rs', 'src/messages.rs'];
  const dir = await install(
    'rustdds',
    sources.map((name) => join(folder, name)),
  );
  return { command: [join(dir, 'debug', 'rustdds-peer')], env: {} };
}

async function connect(kind: RosPeerKind, child: ChildProcess): Promise<RosPeer> {
  const samples: PeerSample[] = [];
  const requests: { service: string; request: object }[] = [];
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  const exited = once(child, 'close');
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  let end: Error | undefined;
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (text) => {
      const line = JSON.parse(text);
      if ('ready' in line) resolve();
      else if ('sample' in line) samples.push(line);
      else if ('request' in line) requests.push(line);
      else {
        const call = waiting.get(line.id);
        waiting.delete(line.id);
        if ('error' in line) call?.reject(new Error(`The ${kind} peer: ${line.error}`));
        else call?.resolve(line.result as never);
      }
    });
    child.once('close', (code, signal) => {
      end = new Error(`The ${kind} peer has ended (${code ?? signal}): ${stderr}`);
      reject(end);
      for (const call of waiting.values()) call.reject(end);
    });
  });
  await ready;

  let ids = 0;
  const send = <T>(op: string, parameters: object): Promise<T> => {
    const id = ++ids;
    return new Promise<T>((resolve, reject) => {
      if (end !== undefined) throw end;
      waiting.set(id, { resolve, reject });
      child.stdin!.write(`${JSON.stringify({ id, op, ...parameters })}\n`);
    });
  };
  return {
    pid: child.pid!,
    subscribe: (topic, type, qos) => send('subscribe', { topic, type, qos }),
    publish: (topic, type, sample, qos, periodMs) =>
      send('publish', { topic, type, sample, qos, period_ms: periodMs }),
    pause: (topic) => send('pause', { topic }),
    unpublish: (topic) => send('unpublish', { topic }),
    serve: (service, type, response) => send('serve', { service, type, response }),
    call: (service, type, request) => send('call', { service, type, request }),
    nodes: async () => (await send<{ nodes: string[] }>('graph', {})).nodes,
    samples: (topic) => samples.filter((sample) => sample.topic === topic),
    requests: (service) => requests.filter((call) => call.service === service).map(({ request }) => request),
    graph: () => send('graph', {}),
    nodeInfo: (name, namespace) => send('node_info', { name, namespace }),
    endpoints: (topic) => send('endpoints', { topic }),
    serialize: (type, sample) => send('serialize', { type, sample }),
    deserialize: (type, cdr) => send('deserialize', { type, cdr }),
    signal: (signal) => {
      child.kill(signal);
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGCONT');
      child.stdin!.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
