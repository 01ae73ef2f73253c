/** The HTTP of the socket and of the health port, looked at alone: the agent behind it says what a test wants. */
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, Status } from '../src/api/core.gen.ts';
import { openObjectStore } from '../src/apiserver/object-store.ts';
import { silentLogger } from '../src/log.ts';
import { createMetrics, type Metrics } from '../src/metrics/metrics.ts';
import type { HealthCheck } from '../src/server/agent-view.ts';
import { healthLog } from '../src/server/health-log.ts';
import { type ServerOptions, startServer } from '../src/server/server.ts';
import { openStore } from '../src/store/store.ts';
import { freePort } from './ports.ts';
import { type TestAgent, testAgent } from './server-agent.ts';

const log = silentLogger();
let dir: string;
let socketPath: string;
let health: HealthCheck[];
let agent: TestAgent;
let metrics: Metrics;
let stop: AbortController;

const start = async (over: Partial<ServerOptions> = {}) =>
  startServer(
    {
      socketPath,
      socketGroup: 'no-such-group',
      healthz: { address: '127.0.0.1', port: 0 },
      agent,
      metrics,
      healthLog: healthLog(),
      rootDir: dir,
      streamIdleMs: 0,
      objects: await openObjectStore({
        store: await openStore(join(dir, 'store'), log),
        nodeName: 'robot',
        manifestFile: () => undefined,
        log,
      }),
      isUp: Promise.resolve(),
      log,
      ...over,
    },
    stop.signal,
  );

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-server-'));
  socketPath = join(dir, 'roslet.sock');
  health = [{ name: 'ping' }, { name: 'syncloop' }];
  agent = testAgent({ health: () => health });
  metrics = createMetrics();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await rm(dir, { recursive: true });
});

interface Answer {
  code: number;
  body: string;
  headers: IncomingMessage['headers'];
}

function open(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const type =
      content === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
    request({ socketPath, method, path, headers: { ...type, ...headers }, agent: false }, resolve)
      .on('error', reject)
      .end(content);
  });
}

async function send(...args: Parameters<typeof open>): Promise<Answer> {
  const response = await open(...args);
  return { code: response.statusCode ?? 0, body: await text(response), headers: response.headers };
}

const json = async <T>(...args: Parameters<typeof open>): Promise<T> =>
  JSON.parse((await send(...args)).body) as T;

const podNamed = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: { containers: [{ name: 'main', image: 'x' }] },
});
const podsPath = '/api/v1/namespaces/default/pods';

describe('the socket', () => {
  it('may be used by its group and by nobody else', async () => {
    await start({ socketGroup: 'daemon' });
    const { mode, gid } = await stat(socketPath);
    expect({ mode: mode & 0o777, gid }).toEqual({ mode: 0o660, gid: 1 });
  });

  it('may be used by its owner alone where there is no such group', async () => {
    const before = process.umask();
    await start();
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(before);
  });

  it('is taken over from an agent that was killed, but not from one that answers', async () => {
    const running = await start();
    await expect(start()).rejects.toThrow(/another agent answers there.*--root-dir/);
    await running.close();
    await writeFile(socketPath, '');
    await start();
    expect((await send('GET', '/healthz')).body).toBe('ok');
  });

  it('answers what is asked before the agent knows what there is when it does', async () => {
    const up = Promise.withResolvers<void>();
    await start({ isUp: up.promise });
    let answered = false;
    const answer = send('GET', '/pods').finally(() => {
      answered = true;
    });
    await setTimeout(50);
    expect(answered).toBe(false);
    up.resolve();
    expect((await answer).code).toBe(200);
  });

  it('says what is wrong with a path that is too long', async () => {
    await expect(start({ socketPath: join(dir, 'x'.repeat(108)) })).rejects.toThrow(
      /at most 107 bytes: use a shorter --root-dir/,
    );
  });

  it('is closed again by an agent that ends before it listens', async () => {
    stop.abort();
    await start();
    await expect(send('GET', '/healthz')).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });

  it('ends its watches when the server closes', async () => {
    const server = await start();
    const watch = await open('GET', `${podsPath}?watch=true`);
    await server.close();
    await expect(text(watch)).rejects.toThrow(/aborted/);
  });
});

describe('health', () => {
  it('is ok or tells what is not', async () => {
    await start();
    expect(await send('GET', '/healthz')).toMatchObject({ code: 200, body: 'ok' });
    expect((await send('GET', '/healthz?verbose')).body).toBe(
      '[+]ping ok\n[+]syncloop ok\nhealthz check passed\n',
    );
    health = [{ name: 'ping' }, { name: 'syncloop', error: 'stalled for 3m' }];
    expect(await send('GET', '/healthz')).toMatchObject({
      code: 500,
      body: '[+]ping ok\n[-]syncloop failed: stalled for 3m\nhealthz check failed\n',
    });
    expect((await send('GET', '/healthz/ping')).code).toBe(200);
    expect((await send('GET', '/healthz/syncloop')).code).toBe(500);
    expect(await send('GET', '/healthz?exclude=syncloop')).toMatchObject({ code: 200, body: 'ok' });
    expect((await send('GET', '/metrics/slis')).body.match(/^kubernetes.*$/gm)).toEqual([
      'kubernetes_healthcheck{name="ping",type="healthz"} 1',
      'kubernetes_healthcheck{name="syncloop",type="healthz"} 0',
      'kubernetes_healthchecks_total{name="ping",status="success",type="healthz"} 4',
      'kubernetes_healthchecks_total{name="syncloop",status="success",type="healthz"} 2',
      'kubernetes_healthchecks_total{name="syncloop",status="error",type="healthz"} 1',
    ]);
  });

  it('alone is served on the port', async () => {
    const port = await freePort();
    const server = await start({ healthz: { address: '127.0.0.1', port } });
    expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()).toBe('ok');
    expect((await fetch(`http://127.0.0.1:${port}/pods`)).status).toBe(404);
    await server.close();
  });
});

describe('refusals are a Status that says what to do', () => {
  it.each([
    ['GET', '/nonsense', undefined, 404, 'NotFound', /GET \/ lists/],
    ['DELETE', '/pods', undefined, 405, 'MethodNotAllowed', /use GET/],
    ['GET', '/api/v1/services', undefined, 404, 'NotFound', /there are configmaps/],
    ['POST', '/api/v1/namespaces/default/events', {}, 405, 'MethodNotAllowed', /only get, list, watch/],
    ['GET', `${podsPath}?labelSelector=a%20b`, undefined, 400, 'BadRequest', /label selector/],
    ['GET', `${podsPath}?watch=maybe`, undefined, 400, 'BadRequest', /use true or false/],
    ['GET', `${podsPath}?watch=true&resourceVersion=999999`, undefined, 410, 'Expired', /list again/],
    ['GET', `${podsPath}/nope`, undefined, 404, 'NotFound', /pods "nope" not found/],
    ['POST', podsPath, { kind: 'Service', apiVersion: 'v1' }, 400, 'BadRequest', /a v1 Pod is wanted/],
    ['POST', podsPath, { ...podNamed('a'), spec: {} }, 400, 'BadRequest', /spec\.containers/],
    ['POST', podsPath, podNamed('Not_A_Name'), 422, 'Invalid', /metadata\.name/],
    [
      'POST',
      `${podsPath}?fieldValidation=Strict`,
      { ...podNamed('a'), spek: 1 },
      400,
      'BadRequest',
      /spek.*spec/,
    ],
    ['POST', `${podsPath}?dryRun=Some`, podNamed('a'), 400, 'BadRequest', /only All/],
    ['GET', `${podsPath}/a/exec?command=true`, undefined, 400, 'BadRequest', /WebSocket/],
    ['GET', '/containerLogs/default/nope/main', undefined, 404, 'NotFound', /pods "nope"/],
  ])('%s %s', async (method, path, body, code, reason, message) => {
    await start();
    const answer = await send(method, path, body);
    const status = JSON.parse(answer.body) as Status;
    expect({ code: answer.code, reason: status.reason }).toEqual({ code, reason });
    expect(status).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code });
    expect(status.message).toMatch(message);
  });

  it('a patch in a way that is not known', async () => {
    await start();
    await send('POST', podsPath, podNamed('a'));
    const answer = await send(
      'PATCH',
      `${podsPath}/a`,
      {},
      { 'content-type': 'application/apply-patch+yaml' },
    );
    expect(answer).toMatchObject({ code: 415, body: expect.stringContaining('leave out --server-side') });
  });
});

describe('the API', () => {
  it('warns of unknown fields where it does not refuse them', async () => {
    await start();
    const answer = await send('POST', podsPath, { ...podNamed('a'), spek: 1 });
    expect(answer.code).toBe(201);
    expect(answer.headers.warning).toMatch(/^299 - ".*spek/);
  });

  it('keeps its warnings short enough for a client to read the answer', async () => {
    await start();
    const unknown = Object.fromEntries(
      Array.from({ length: 90 }, (_, i) => [`field${i}${'x'.repeat(300)}`, 1]),
    );
    const answer = await send('POST', podsPath, { ...podNamed('a'), ...unknown });
    expect(answer.code).toBe(201);
    const warnings = answer.headers.warning?.split(', 299') ?? [];
    expect(warnings.length).toBeGreaterThan(10);
    expect(warnings.join('').length).toBeLessThan(5000);
  });

  it('shows a pod with the status that the agent gives it, also as a table', async () => {
    await start();
    const created = await json<Pod>('POST', podsPath, podNamed('a'));
    agent.set({ ...created, status: { phase: 'Running', podIP: '10.0.0.1' } });
    expect((await json<Pod>('GET', `${podsPath}/a/status`)).status).toEqual({
      phase: 'Running',
      podIP: '10.0.0.1',
    });
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const table = await json<{ kind: string; rows: { cells: string[] }[] }>('GET', podsPath, undefined, {
      accept,
    });
    expect(table.kind).toBe('Table');
    expect(table.rows[0]?.cells.slice(0, 4)).toEqual(['a', '0/1', 'Running', '0']);
  });

  it('watches from a list on, with what a selector hides left out', async () => {
    await start();
    await send('POST', podsPath, podNamed('a'));
    const { metadata } = await json<{ metadata: { resourceVersion: string } }>('GET', podsPath);
    const query = `watch=true&resourceVersion=${metadata.resourceVersion}&labelSelector=app%3Db`;
    const lines = createInterface({ input: await open('GET', `${podsPath}?${query}`) })[
      Symbol.asyncIterator
    ]();
    await send('DELETE', `${podsPath}/a?gracePeriodSeconds=0`);
    await send('POST', podsPath, podNamed('b'));
    const event = JSON.parse((await lines.next()).value as string) as { type: string; object: Pod };
    expect([event.type, event.object.metadata?.name]).toEqual(['ADDED', 'b']);
  });

  it('begins a watch with all that is there and a bookmark, when that is asked for', async () => {
    await start();
    await send('POST', podsPath, podNamed('a'));
    const query =
      'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1';
    const events = (await text(await open('GET', `${podsPath}?${query}`)))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: Pod });
    expect(events.slice(0, 2).map((event) => event.type)).toEqual(['ADDED', 'BOOKMARK']);
    expect(events[1]?.object.metadata?.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
  });
});

describe('logs', () => {
  const logged = async (lines: string): Promise<void> => {
    const path = join(dir, '0.log');
    await writeFile(path, lines);
    agent.containerLogPath = async (_uid, _name, previous) => (previous ? undefined : path);
    agent.set({ ...podNamed('a'), metadata: { name: 'a', namespace: 'default', uid: 'u' } });
    await start();
  };
  const line = (second: number, content: string): string =>
    `2026-01-01T00:00:0${second}.5Z stdout F ${content}\n`;

  it.each([
    ['', 'one\ntwo\nthree\n'],
    ['?tailLines=1', 'three\n'],
    ['?sinceTime=2026-01-01T00:00:02Z', 'two\nthree\n'],
    ['?limitBytes=5', 'one\nt'],
    ['?timestamps=true&tailLines=1', '2026-01-01T00:00:03.5Z three\n'],
    ['?follow=true', 'one\ntwo\nthree\n'],
  ])('are sent as asked for by "%s"', async (query, expected) => {
    await logged(line(1, 'one') + line(2, 'two') + line(3, 'three'));
    expect((await send('GET', `/containerLogs/default/a/main${query}`)).body).toBe(expected);
    expect((await send('GET', `${podsPath}/a/log${query}`)).body).toBe(expected);
  });

  it.each([
    ['/containerLogs/default/a/other', /container other is not valid.*choose one of main/],
    ['/containerLogs/default/a/main?previous=true', /previous terminated container "main".*not found/],
    ['/containerLogs/default/a/main?tailLines=-1', /must be at least 0/],
    ['/containerLogs/default/a/main?sinceTime=2026-01-01T00:00:02Z&sinceSeconds=1', /not both/],
    ['/containerLogs/default/a/main?sinceTime=yesterday', /is not a time/],
  ])('%s is refused', async (path, message) => {
    await logged('');
    const answer = await send('GET', path);
    expect(answer.code).toBe(400);
    expect((JSON.parse(answer.body) as Status).message).toMatch(message);
  });

  it('answer with an error when they cannot be read', async () => {
    await logged('');
    agent.containerLogPath = async () => join(dir, 'is-a-directory');
    await chmod(dir, 0o700);
    const broken = send('GET', '/containerLogs/default/a/main');
    await expect(broken).resolves.toMatchObject({ code: 200, body: '' });
  });
});

describe('metrics', () => {
  it('are what was recorded, in the text of Prometheus and under the names of the kubelet', async () => {
    await start();
    metrics.count('kubelet_runtime_operations_total', { operation_type: 'exec' });
    metrics.count('kubelet_runtime_operations_total', { operation_type: 'exec' });
    metrics.observe('kubelet_pod_worker_duration_seconds', 0.02, { operation_type: 'sync' });
    metrics.observe('kubelet_pod_worker_duration_seconds', 20, { operation_type: 'sync' });
    const { body, headers } = await send('GET', '/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const expected of [
      'kubelet_runtime_operations_total{operation_type="exec"} 2',
      'kubelet_pod_worker_duration_seconds_bucket{operation_type="sync",le="0.01"} 0',
      'kubelet_pod_worker_duration_seconds_bucket{operation_type="sync",le="0.025"} 1',
      'kubelet_pod_worker_duration_seconds_bucket{operation_type="sync",le="+Inf"} 2',
      'kubelet_pod_worker_duration_seconds_sum{operation_type="sync"} 20.02',
      'kubelet_pod_worker_duration_seconds_count{operation_type="sync"} 2',
      'kubelet_running_pods 0',
      'kubelet_node_name{node="robot"} 1',
      'kubelet_pleg_last_seen_seconds 1000',
      'kubelet_cgroup_version 1',
    ]) {
      expect(body).toContain(`\n${expected}\n`);
    }
    expect(body).toMatch(/^process_resident_memory_bytes \d+$/m);
  });
});

describe('/stats/summary', () => {
  it('has the node and the pods that have containers, in the shape of the kubelet', async () => {
    agent.set({ ...podNamed('a'), metadata: { name: 'a', namespace: 'default', uid: 'u' } });
    agent.containerStats = async () => [
      {
        id: 'c',
        metadata: { name: 'main', attempt: 0 },
        labels: { 'io.kubernetes.pod.uid': 'u', 'io.kubernetes.container.name': 'main' },
        timestampMs: 1000,
        cpuUsageCoreNanoSeconds: 5_000_000n,
        cpuUsageNanoCores: 7n,
        memoryWorkingSetBytes: 1024,
      },
    ];
    await writeFile(join(dir, 'file'), Buffer.alloc(8192));
    agent.podVolumes = () => [
      { name: 'data', path: join(dir, 'file'), isEphemeral: true },
      { name: 'broken', path: join(dir, 'x'.repeat(300)), isEphemeral: true },
      { name: 'claim', path: join(dir, 'file'), isEphemeral: false },
    ];
    await start();
    const summary = await json<Record<string, unknown>>('GET', '/stats/summary');
    expect(summary).toMatchObject({
      node: {
        nodeName: 'robot',
        memory: { workingSetBytes: expect.any(Number) },
        fs: { capacityBytes: expect.any(Number) },
      },
      pods: [
        {
          podRef: { name: 'a', namespace: 'default', uid: 'u' },
          containers: [
            {
              name: 'main',
              cpu: { usageNanoCores: 7, usageCoreNanoSeconds: 5_000_000 },
              memory: { workingSetBytes: 1024 },
            },
          ],
          volume: [
            { name: 'data', usedBytes: 8192, inodesUsed: 1 },
            { name: 'broken' },
            { name: 'claim', usedBytes: 8192 },
          ],
          'ephemeral-storage': { usedBytes: 8192 },
        },
      ],
    });
  });

  it('has the agent where that has a cgroup, also under the names of cAdvisor', async () => {
    const names = async () => {
      const { node } = await json<{ node: { systemContainers: { name: string }[] } }>(
        'GET',
        '/stats/summary',
      );
      return node.systemContainers.map(({ name }) => name);
    };
    await start();
    expect(await names()).toEqual(['pods']);
    agent.agentCgroup = async () => ({
      path: '/system.slice/roslet.service',
      stats: { timestampMs: 1000, memoryWorkingSetBytes: 4096 },
      details: { blockDevices: [], pressure: {} },
    });
    expect(await names()).toEqual(['pods', 'kubelet']);
    expect((await send('GET', '/metrics/cadvisor')).body).toContain(
      'container_memory_working_set_bytes{container="",image="",name="",namespace="",pod="",id="/system.slice/roslet.service"} 4096',
    );
  });
});
