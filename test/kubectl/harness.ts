/** What the cases of kubectl work with: a node of each kind, with a namespace of its own on the same control plane. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll } from 'vitest';
import type { Container, ContainerStatus, Event, Pod, PodSpec } from '../../src/api/core.gen.ts';
import { isReady, until } from '../agent.ts';
import { type ClusterNode, type KubeletKind, startNode } from '../peers/cluster-node.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { busyboxImage } from '../peers/images.ts';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Output {
  process: ChildProcessWithoutNullStreams;
  /** What it has written so far, errors too. */
  text(): string;
  /** Ends it, and waits until it has. */
  stop(): Promise<void>;
}

/** One node and its namespace. */
export class Bench {
  readonly kind: KubeletKind;
  readonly #cluster: () => Cluster;

  constructor(kind: KubeletKind, cluster: () => Cluster) {
    this.kind = kind;
    this.#cluster = cluster;
  }

  get node(): ClusterNode {
    return this.#cluster().nodes[this.kind];
  }

  get dir(): string {
    return this.#cluster().dir;
  }

  start(...args: string[]): Output {
    const { plane, dir } = this.#cluster();
    const child = spawn(
      plane.kubectlProgram,
      ['--kubeconfig', plane.adminKubeconfig, '--namespace', this.kind, ...args],
      { env: { ...process.env, HOME: dir } },
    );
    let written = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (written += chunk.toString()));
    }
    const closed = once(child, 'close');
    return {
      process: child,
      text: () => written,
      stop: async () => {
        child.kill();
        await closed;
      },
    };
  }

  /** To its end, whatever that is. */
  async try(args: string[], input = ''): Promise<Ended> {
    const { process: child } = this.start(...args);
    child.stdin.end(input);
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr };
  }

  async kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T;
  }

  pod(name: string): Promise<Pod> {
    return this.get<Pod>('pod', name);
  }

  /** A pod that the scheduler can put on this node alone. */
  async run(name: string, spec: PodSpec | string, metadata: object = {}): Promise<void> {
    await this.#cluster().plane.create<Pod>({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.kind, ...metadata },
      spec: {
        terminationGracePeriodSeconds: 1,
        nodeSelector: { 'kubernetes.io/hostname': this.node.name },
        ...(typeof spec === 'string' ? { containers: [main(spec)] } : spec),
      },
    });
  }

  async podUntil(name: string, what: string, condition: (pod: Pod) => boolean): Promise<Pod> {
    let last: Pod | undefined;
    try {
      return await until(
        `pod ${name} ${what}`,
        async () => {
          last = await this.pod(name);
          return condition(last) ? last : undefined;
        },
        90_000,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; it is ${JSON.stringify(last?.status, undefined, 1)}`);
    }
  }

  ready(name: string): Promise<Pod> {
    return this.podUntil(name, 'is ready', isReady);
  }

  async ended(name: string): Promise<Pod> {
    return this.podUntil(name, 'has ended', ({ status }) => /Succeeded|Failed/.test(status?.phase ?? ''));
  }

  /** One column of `kubectl get pod`. */
  async column(name: string, column: 'READY' | 'STATUS' | 'RESTARTS'): Promise<string> {
    const [heads, values] = (await this.kubectl('get', 'pod', name)).split('\n');
    return values!.split(/ {3,}/)[heads!.split(/ {3,}/).indexOf(column)]!;
  }

  async eventReasons(name: string): Promise<string[]> {
    const { items } = await this.get<{ items: Event[] }>(
      'events',
      `--field-selector=involvedObject.name=${name}`,
    );
    return [...new Set(items.map(({ reason }) => reason ?? ''))].sort();
  }

  async nodeEventReasons(): Promise<string[]> {
    const about = `involvedObject.kind=Node,involvedObject.name=${this.node.name}`;
    const { items } = await this.get<{ items: Event[] }>('events', '-n=default', `--field-selector=${about}`);
    // Of the kubelet alone: who else watches nodes does so later.
    const own = items.filter(({ source }) => source?.component === 'kubelet');
    return [...new Set(own.map(({ reason }) => reason ?? ''))].sort();
  }

  isGone(name: string): Promise<unknown> {
    const gone = async () => (await this.kubectl('get', 'pod', name, '--ignore-not-found')) === '';
    return until(`pod ${name} is gone`, gone, 60_000);
  }
}

interface Cluster {
  plane: ControlPlane;
  nodes: Record<KubeletKind, ClusterNode>;
  /** For what a test writes. */
  dir: string;
}

/** A bench of each kind; the cluster is there while the tests of the file run. */
export function useBenches(): Record<KubeletKind, Bench> {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster | undefined;
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'roslet-kubectl-'));
    stack.defer(() => rm(dir, { recursive: true }));
    const plane = await ControlPlane.start();
    stack.defer(() => plane.stop());
    const start = async (kind: KubeletKind) => {
      const node = await startNode(kind, plane);
      stack.defer(() => node.stop());
      await plane.kubectl('create', 'namespace', kind);
      await until(`namespace ${kind} can be used`, () =>
        plane.kubectl('get', 'serviceaccount', 'default', '-n', kind, '-o', 'name'),
      );
      return node;
    };
    cluster = { plane, dir, nodes: { roslet: await start('roslet'), go: await start('go') } };
  }, 1_800_000);
  afterAll(() => stack.disposeAsync());
  const current = () => {
    if (cluster === undefined) throw new Error('the cluster is there only while tests run');
    return cluster;
  };
  return { roslet: new Bench('roslet', current), go: new Bench('go', current) };
}

export const main = (script: string, more: Partial<Container> = {}): Container => ({
  name: 'main',
  image: busyboxImage,
  command: ['sh', '-c', script],
  ...more,
});

/** Ends at once when it is asked to, as a shell that is PID 1 and waits for a command does not. */
export const untilTerm = "trap 'exit 0' TERM; while true; do sleep 0.1; done";

export const mainOf = ({ status }: Pod): ContainerStatus | undefined => status?.containerStatuses?.[0];

export const reasonsOf = ({ status }: Pod): Record<string, string | undefined> =>
  Object.fromEntries((status?.conditions ?? []).map(({ type, reason }) => [type, reason]));
