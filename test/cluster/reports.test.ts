/** The Node and the statuses of pods, told to an API server that is slow, or restored from an older backup. */
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Node, NodeCondition, NodeSystemInfo, ObjectMeta, Pod } from '../../src/api/core.gen.ts';
import { KubeClient } from '../../src/cluster/client.ts';
import { readKubeconfig } from '../../src/cluster/kubeconfig.ts';
import { keepLease } from '../../src/cluster/lease.ts';
import { MirrorPods } from '../../src/cluster/mirror-pods.ts';
import { NodeReporter } from '../../src/cluster/node-reporter.ts';
import { PodSource } from '../../src/cluster/pod-source.ts';
import { StatusWriter } from '../../src/cluster/status-writer.ts';
import type { ClusterConfig } from '../../src/config/agent-config.ts';
import { silentLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { until } from '../agent.ts';
import { json, ScriptedApi } from './api-script.ts';

const log = silentLogger();
const hour = 3600_000;
let api: ScriptedApi;
let client: KubeClient;
let ending: AbortController;
let running: Promise<unknown>;

beforeEach(async () => {
  api = await ScriptedApi.start();
  client = new KubeClient(
    await readKubeconfig(await api.kubeconfig('t'), new AbortController().signal),
    'test',
  );
  ending = new AbortController();
});

afterEach(async () => {
  ending.abort();
  await running;
  client.close();
  await api.stop();
});

interface Kept {
  metadata?: ObjectMeta;
  status?: unknown;
}

/** One object behind the API: listed, watched, its status patched. */
class Served<T extends Kept> {
  object: T;
  readonly patches: T[] = [];
  /** Taken and, as by a server that loses what it took, not done. */
  deletions = 0;
  /** Patches to refuse. */
  refusals = 0;
  /** Waited for before a patch is answered. */
  hold: Promise<void> = Promise.resolve();
  #watches: ((line: string) => void)[] = [];

  constructor(path: string, object: T) {
    this.object = object;
    api.answer = async ({ method, path: asked, query }, response, request) => {
      if (method === 'GET' && query.get('watch') === 'true') {
        response.writeHead(200);
        this.#watches.push((line) => response.write(line));
      } else if (method === 'GET' && asked === path) {
        const metadata = { resourceVersion: this.object.metadata?.resourceVersion };
        json(response, 200, { metadata, items: [this.object] });
      } else if (method === 'GET') json(response, 200, this.object);
      else if (method === 'PATCH') {
        const patch = JSON.parse(await text(request)) as T;
        this.patches.push(patch);
        await this.hold;
        this.refusals -= 1;
        if (this.refusals >= 0) return json(response, 503, {});
        this.set({ status: patch.status } as Partial<T>);
        json(response, 200, this.object);
      } else if (method === 'DELETE') {
        this.deletions += 1;
        json(response, 200, this.object);
      } else json(response, 404, {});
    };
  }

  /** The next version of it. */
  set(change: Partial<T>): void {
    const resourceVersion = `${Number(this.object.metadata?.resourceVersion) + 1}`;
    const metadata = { ...this.object.metadata, ...change.metadata, resourceVersion };
    this.object = { ...this.object, ...change, metadata };
    for (const watch of this.#watches)
      watch(`${JSON.stringify({ type: 'MODIFIED', object: this.object })}\n`);
  }

  /** As etcd is from a backup: an older state, and versions that begin anew from there. */
  restore(object: T): void {
    this.object = object;
    this.#watches = [];
    api.cutConnections();
  }
}

function nodeReporter(isUp = Promise.resolve()) {
  const boots: string[] = [];
  const steps: string[] = [];
  const listeners = new Set<() => void>();
  const local = { ready: 'True' };
  const condition = (): NodeCondition => ({ type: 'Ready', status: local.ready });
  const config: Partial<ClusterConfig> = {
    registerNode: true,
    taints: [],
    providerId: '',
    externalCloudProvider: false,
    statusReportMs: hour,
    mostImages: 50,
  };
  const reporter = new NodeReporter({
    client,
    nodeName: 'n',
    nodeIps: [],
    config: config as ClusterConfig,
    local: {
      node: () => ({
        metadata: { name: 'n' },
        status: { conditions: [condition()], nodeInfo: { bootID: 'this' } as NodeSystemInfo },
      }),
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    images: () => undefined,
    statusUpdateMs: hour,
    onStartup: (step) => steps.push(step),
    onRebooted: (bootId) => boots.push(bootId),
    log,
  });
  const change = (ready: string) => {
    local.ready = ready;
    for (const listener of listeners) listener();
  };
  running = reporter.run(isUp, ending.signal);
  return { reporter, change, boots, steps };
}

const readyIn = ({ status }: Node): string | undefined => status?.conditions?.[0]?.status;

describe('the Node', () => {
  const stored = (resourceVersion: string, more: Partial<Node> = {}): Node => ({
    ...more,
    metadata: { name: 'n', uid: 'u', resourceVersion, ...more.metadata },
  });

  it('is asked for, and not told of before the agent can run pods', async () => {
    const served = new Served<Node>('/api/v1/nodes', stored('1'));
    const isUp = Promise.withResolvers<void>();
    const { reporter } = nodeReporter(isUp.promise);
    await until('it was asked for', () => api.asked.some(({ path }) => path === '/api/v1/nodes/n'));
    await until('the answer is known', () => reporter.node !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(served.patches.filter(({ status }) => status !== undefined)).toEqual([]);
    isUp.resolve();
    await reporter.tried;
    expect(readyIn(served.object)).toBe('True');
  });

  it('that was there is no start of a node', async () => {
    const served = new Served<Node>('/api/v1/nodes', stored('1'));
    const { steps } = nodeReporter();
    await until('it was told', () => readyIn(served.object) === 'True');
    await until('it is known to be', () => steps.includes('ready'));
    expect(steps).toEqual(['registering', 'known', 'ready']);
  });

  it('is told of no more by an agent that ends before it could begin', async () => {
    ending.abort();
    const { reporter } = nodeReporter(new Promise(() => undefined));
    await running;
    await reporter.tried;
    expect(api.asked).toEqual([]);
  });

  it('has been tried to tell of also where that failed', async () => {
    const served = new Served<Node>('/api/v1/nodes', stored('1'));
    served.refusals = 1;
    const { reporter } = nodeReporter();
    await reporter.tried;
    await until('it was told', () => readyIn(served.object) === 'True');
  });

  it('is told of what changed while it was told', async () => {
    const served = new Served<Node>('/api/v1/nodes', stored('1'));
    const { change } = nodeReporter();
    await until('it was told', () => readyIn(served.object) === 'True');
    const held = Promise.withResolvers<void>();
    served.hold = held.promise;
    const before = served.patches.length;
    change('False');
    await until('it is being told', () => served.patches.length > before);
    change('Unknown');
    held.resolve();
    await until('the change is told', () => readyIn(served.object) === 'Unknown');
  });

  it.each([
    ['another', ['this']],
    ['this', []],
  ])('was last told of in the boot %s', async (bootID, rebooted) => {
    const served = new Served<Node>(
      '/api/v1/nodes',
      stored('1', { status: { nodeInfo: { bootID } as NodeSystemInfo } }),
    );
    served.refusals = 2;
    const { boots } = nodeReporter();
    await until('it was told', () => readyIn(served.object) === 'True');
    expect(served.refusals).toBeLessThan(0);
    expect(boots).toEqual(rebooted);
  });

  it('is not told of each flap', async () => {
    const served = new Served<Node>('/api/v1/nodes', stored('1'));
    const { change } = nodeReporter();
    await until('it was told', () => readyIn(served.object) === 'True');
    const [before, startedMs] = [served.patches.length, performance.now()];
    for (let n = 1; n <= 15; n += 1) {
      change(n % 2 === 0 ? 'True' : 'False');
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const seconds = (performance.now() - startedMs) / 1000;
    expect(served.patches.length - before).toBeLessThanOrEqual(seconds + 1);
    await until('the last is told', () => readyIn(served.object) === 'False');
  });

  it('is what the API server has, also when that was restored from an older backup', async () => {
    const served = new Served<Node>('/api/v1/nodes', stored('1000'));
    const { reporter } = nodeReporter();
    await until('it was told', () => readyIn(served.object) === 'True');
    served.set({ metadata: { labels: { place: 'dock' } } });
    await until('the label is seen', () => reporter.node?.metadata?.labels?.place === 'dock');

    const unknown = { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } };
    served.restore(stored('500', { ...unknown, metadata: { labels: { place: 'field' } } }));
    await until('the old label is seen', () => reporter.node?.metadata?.labels?.place === 'field');
    await until('the status is told again', () => readyIn(served.object) === 'True');
    served.set({ spec: { unschedulable: true } });
    await until('the watch is believed', () => reporter.node?.spec?.unschedulable === true);
  });
});

describe('a pod', () => {
  const stored = (resourceVersion: string, more: Partial<Pod> = {}): Pod => ({
    spec: { containers: [] },
    ...more,
    metadata: { namespace: 'default', name: 'p', uid: 'u', resourceVersion, ...more.metadata },
  });

  it('is what the API server has, also when that was restored from an older backup', async () => {
    const served = new Served<Pod>('/api/v1/pods', stored('1000'));
    const source = new PodSource({ client, nodeName: 'n', owns: () => true, onHealth: () => undefined, log });
    const statuses = new StatusWriter({ client, source, metrics: createMetrics(), log }, ending.signal);
    running = source.run(ending.signal);
    await until('the pod is seen', () => source.get('u') !== undefined);
    statuses.observe(stored('1', { status: { phase: 'Running' } }));
    await until('its status is told', () => served.object.status?.phase === 'Running');
    await until('the answer is seen', () => source.get('u')?.status?.phase === 'Running');

    served.restore(stored('500', { status: { phase: 'Pending' } }));
    await until('the status is told again', () => served.object.status?.phase === 'Running');
    served.set({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
    await until('the deletion is seen', () => source.get('u')?.metadata?.deletionTimestamp !== undefined);
    expect(served.patches).toHaveLength(2);
  });

  it('is let go once, and again only when the API server still has it after a while', async () => {
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };
    const served = new Served<Pod>('/api/v1/pods', stored('1000', { metadata }));
    const source = new PodSource({ client, nodeName: 'n', owns: () => true, onHealth: () => undefined, log });
    const statuses = new StatusWriter({ client, source, metrics: createMetrics(), log }, ending.signal);
    running = source.run(ending.signal);
    await until('the pod is seen', () => source.get('u') !== undefined);
    statuses.observe(stored('1', { status: { phase: 'Succeeded' } }));
    statuses.finalize('u');
    await until('it is let go', () => served.deletions === 1);
    for (let version = 1; version <= 3; version += 1) {
      served.set({ metadata: { labels: { version: `${version}` } } });
      await until('the watch tells of it', () => source.get('u')?.metadata?.labels?.version === `${version}`);
    }
    expect(served.deletions).toBe(1);
    expect(served.patches).toHaveLength(1);
    await until('it is let go again', () => served.deletions === 2);
  });

  it('is what our own write made it, before the watch shows that', async () => {
    const served = new Served<Pod>('/api/v1/pods', stored('1000'));
    const source = new PodSource({ client, nodeName: 'n', owns: () => true, onHealth: () => undefined, log });
    running = source.run(ending.signal);
    await until('the pod is seen', () => source.get('u') !== undefined);
    source.written(stored('1005', { status: { phase: 'Running' } }));
    served.set({ metadata: { labels: { a: 'b' } } });
    let changes = 0;
    source.onChange(() => {
      changes += 1;
    });
    await until('an older version came', () => changes === 1);
    expect(source.get('u')?.status?.phase).toBe('Running');
    for (let n = 0; n < 5; n += 1) served.set({ status: { phase: 'Succeeded' } });
    await until('a newer one is taken', () => source.get('u')?.status?.phase === 'Succeeded');
  });
});

it('a mirror pod that is being made does not keep an ending agent', async () => {
  api.answer = () => undefined;
  const mirrors = new MirrorPods({
    client,
    source: { isRead: true, all: () => [] } as unknown as PodSource,
    node: () => ({ metadata: { name: 'n', uid: 'u' } }),
    staticPods: () => [{ metadata: { namespace: 'default', name: 'p', uid: 'p' } }],
    log,
  });
  running = mirrors.run(ending.signal);
  await until('it is being made', () => api.asked.length > 0);
  ending.abort();
  await running;
  // Less than it waits before it looks again.
}, 40_000);

it('a lease is asked for again in time when an answer does not come', async () => {
  api.answer = () => undefined;
  const now = () => Date.now();
  running = keepLease(
    { client, nodeName: 'n', durationSeconds: 2, node: () => undefined, now, log },
    ending.signal,
  );
  await until('it is asked for again', () => api.asked.length >= 3, 20_000);
});
