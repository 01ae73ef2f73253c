/** What pods have from the API server, when that takes connections and answers nothing: as a network that drops packets. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { KubeClient } from '../../src/cluster/client.ts';
import { readKubeconfig } from '../../src/cluster/kubeconfig.ts';
import { RuntimeClasses } from '../../src/cluster/runtime-classes.ts';
import { Services } from '../../src/cluster/services.ts';
import { ServiceAccountTokens } from '../../src/cluster/tokens.ts';
import { UsedObjects } from '../../src/cluster/used-objects.ts';
import { silentLogger } from '../../src/log.ts';
import { DesiredState } from '../../src/sources/desired.ts';
import { configSourceAnnotation } from '../../src/sources/source.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { until } from '../agent.ts';
import { type Answer, json, ScriptedApi } from './api-script.ts';

const log = silentLogger();
const hour = 3600_000;
let api: ScriptedApi;
let client: KubeClient;
let dir: string;
let store: Store;
/** What was written to the store. */
let puts: Promise<void>[];
let ending: AbortController;

beforeEach(async () => {
  api = await ScriptedApi.start();
  client = new KubeClient(
    await readKubeconfig(await api.kubeconfig('t'), new AbortController().signal),
    'test',
  );
  dir = await mkdtemp(join(tmpdir(), 'roslet-reach-'));
  puts = [];
  const opened = await openStore(dir, log);
  const put: Store['put'] = (...record) => {
    const written = opened.put(...record);
    puts.push(written);
    return written;
  };
  store = { ...opened, put };
  ending = new AbortController();
});

afterEach(async () => {
  vi.useRealTimers();
  ending.abort();
  client.close();
  await api.stop();
  await Promise.all(puts);
  await rm(dir, { recursive: true });
});

const heavyPath = '/apis/node.k8s.io/v1/runtimeclasses/heavy';
const silence: Answer = () => undefined;

const pod: Pod = {
  metadata: { namespace: 'default', name: 'p', uid: 'u' },
  spec: {
    containers: [{ name: 'c', envFrom: ['a', 'b', 'c', 'd'].map((name) => ({ configMapRef: { name } })) }],
  },
};

/** Rejects when it takes as long as a request to an API server may. */
const soon = (): AbortSignal => AbortSignal.any([AbortSignal.timeout(10_000), ending.signal]);

function tokens(): { tokens: ServiceAccountTokens; renewed: string[]; clock: { nowMs: number } } {
  const clock = { nowMs: Date.now() };
  const renewed: string[] = [];
  const now = () => clock.nowMs;
  const onRenewed = (uid: string) => renewed.push(uid);
  return {
    tokens: new ServiceAccountTokens({ client, store, onRenewed, now, log }, ending.signal),
    renewed,
    clock,
  };
}

const issue =
  (token: string, untilMs: number): Answer =>
  (_, response) =>
    json(response, 201, { status: { token, expirationTimestamp: new Date(untilMs).toISOString() } });

it.each([
  ['due', 0.9 * hour],
  ['expired', 30 * hour],
])('a token that is %s is there at once, and the pod is told of its successor', async (_, ageMs) => {
  const { tokens: of, renewed, clock } = tokens();
  api.answer = issue('first', clock.nowMs + hour);
  expect(await of.token(pod, { path: 'token' }, soon())).toBe('first');

  clock.nowMs += ageMs;
  const held = Promise.withResolvers<() => void>();
  api.answer = (asked, response, request) =>
    held.resolve(() => issue('second', clock.nowMs + hour)(asked, response, request));
  for (let n = 0; n < 20; n += 1) expect(await of.token(pod, { path: 'token' }, soon())).toBe('first');

  (await held.promise)();
  expect(api.asked).toHaveLength(2);
  await until('the pod is told', () => renewed.join() === 'u');
  expect(await of.token(pod, { path: 'token' }, soon())).toBe('second');
});

it('a token lives as long as the API server says, also where its clock is far behind', async () => {
  const { tokens: of, renewed, clock } = tokens();
  api.answer = (_, response) => {
    const expirationTimestamp = new Date(clock.nowMs - hour).toISOString();
    json(response, 201, { spec: { expirationSeconds: 600 }, status: { token: 'only', expirationTimestamp } });
  };
  for (let n = 0; n < 20; n += 1) expect(await of.token(pod, { path: 'token' }, soon())).toBe('only');
  expect(api.asked).toHaveLength(1);
  clock.nowMs += 500_000;
  await of.token(pod, { path: 'token' }, soon());
  await until('the pod is told', () => renewed.length === 1);
});

it('a renewal is tried until it works, and ends with the pod', async () => {
  const { tokens: of, renewed, clock } = tokens();
  api.answer = issue('first', clock.nowMs + hour);
  await of.token(pod, { path: 'token' }, soon());
  clock.nowMs += 2 * hour;
  api.answer = (_, response) => json(response, 503, {});
  expect(await of.token(pod, { path: 'token' }, soon())).toBe('first');
  await until('it is asked again', () => api.asked.length >= 4);
  api.answer = issue('second', clock.nowMs + hour);
  await until('the pod is told', () => renewed.length === 1);

  clock.nowMs += 2 * hour;
  api.answer = (_, response) => json(response, 404, {});
  await of.token(pod, { path: 'token' }, soon());
  of.keepOnly(new Set());
  api.answer = issue('third', clock.nowMs + hour);
  await expect(of.token(pod, { path: 'token' }, soon())).resolves.toBe('third');
  expect(renewed).toHaveLength(1);
});

describe('the class of a pod', () => {
  const classed = (uid: string, annotations = {}): Pod => ({
    metadata: { name: uid, uid, annotations: { [configSourceAnnotation]: 'api', ...annotations } },
    spec: { containers: [], runtimeClassName: 'heavy' },
  });
  const heavy =
    (handler: string): Answer =>
    (_, response) =>
      json(response, 200, { handler });
  async function classes() {
    let known = 0;
    const onKnown = () => (known += 1);
    const made = new RuntimeClasses({ client, store, onKnown, log }, ending.signal);
    await made.load();
    const answered = (times: number) => until('it is answered', () => known === times);
    return { made, answered };
  }

  it('stands for a handler, asked for with each pod, and known to the next agent', async () => {
    const { made, answered } = await classes();
    api.answer = heavy('kata');
    made.setPods([classed('a')]);
    expect(made.isKnown(classed('a'))).toBe(false);
    await answered(1);
    expect(made.isKnown(classed('a'))).toBe(true);
    expect(made.handlerOf(classed('a'))).toBe('kata');
    api.answer = heavy('gvisor');
    made.setPods([classed('a'), classed('b')]);
    await answered(2);
    expect(made.handlerOf(classed('b'))).toBe('gvisor');
    expect(api.asked.map(({ path }) => path)).toEqual([heavyPath, heavyPath]);
    await Promise.all(puts);

    const next = await classes();
    expect(next.made.handlerOf(classed('b'))).toBe('gvisor');
    api.answer = (_, response) => json(response, 503, {});
    next.made.setPods([classed('b')]);
    await next.answered(1);
    expect(next.made.isKnown(classed('b'))).toBe(true);
  });

  it('is waited for until the API server answers, unless the pod goes', async () => {
    const { made, answered } = await classes();
    api.answer = (_, response) => json(response, 503, {});
    made.setPods([classed('a'), classed('b')]);
    await until('it is asked again', () => api.asked.length >= 4);
    expect(made.isKnown(classed('a'))).toBe(false);
    made.setPods([classed('a')]);
    api.answer = heavy('kata');
    await answered(1);
    expect([made.isKnown(classed('a')), made.isKnown(classed('b'))]).toEqual([true, false]);
  });

  it('is a handler itself where the cluster has none of the name, and in a manifest', async () => {
    const { made, answered } = await classes();
    api.answer = (_, response) => json(response, 404, {});
    made.setPods([classed('a')]);
    await answered(1);
    expect(made.handlerOf(classed('a'))).toBe('heavy');
    api.answer = heavy('kata');
    made.setPods([classed('b')]);
    await answered(2);
    expect(made.handlerOf(classed('static', { [configSourceAnnotation]: 'file' }))).toBe('heavy');
  });

  it.each([404, 403])(
    'is not waited for after an answer of %s, also by the next agent out of reach',
    async (code) => {
      const { made, answered } = await classes();
      api.answer = (_, response) => json(response, code, {});
      made.setPods([classed('a')]);
      await answered(1);
      expect(made.handlerOf(classed('a'))).toBe('heavy');
      await Promise.all(puts);

      const next = await classes();
      api.answer = (_, response) => json(response, 503, {});
      next.made.setPods([classed('a')]);
      await next.answered(1);
      expect(next.made.handlerOf(classed('a'))).toBe('heavy');
    },
  );

  it('is asked for again where the API server refuses only at first, as one does that has just started', async () => {
    const { made, answered } = await classes();
    api.answer = (_, response) => json(response, 403, {});
    made.setPods([classed('a')]);
    await until('it was asked for', () => api.asked.length === 1);
    api.answer = heavy('kata');
    await answered(1);
    expect(made.handlerOf(classed('a'))).toBe('kata');
  });

  it('stays what it was when it may not be read any more, which is told once', async () => {
    const errors = vi.spyOn(log, 'error');
    const { made, answered } = await classes();
    api.answer = heavy('kata');
    made.setPods([classed('a')]);
    await answered(1);
    api.answer = (_, response) => json(response, 403, {});
    made.setPods([classed('b'), classed('c')]);
    await answered(3);
    expect(made.handlerOf(classed('b'))).toBe('kata');
    expect(errors.mock.calls.map(([, message]) => message)).toEqual([
      expect.stringContaining('allow this node to get runtimeclasses of node.k8s.io'),
    ]);
  });
});

it('copies of config maps are waited for once, not at each start', async () => {
  const answered: Answer = (asked, response) => {
    const name = asked.query.get('fieldSelector')?.split('=')[1];
    if (asked.query.get('watch') === 'true') return;
    const items = name === 'd' ? [] : [{ metadata: { namespace: 'default', name }, data: { name } }];
    json(response, 200, { metadata: { resourceVersion: '1' }, items });
  };
  const objects = async () => {
    const used = new UsedObjects({ client, local: new DesiredState(), store, log }, ending.signal);
    await used.load();
    used.setPods([pod]);
    const readAll = async () => {
      const values: unknown[] = [];
      for (const name of ['a', 'b', 'c', 'd'])
        values.push((await used.configMap('default', name))?.data?.name);
      return values;
    };
    return { readAll };
  };
  api.answer = answered;
  // One of them, which may be optional, is not there.
  const all = ['a', 'b', 'c', undefined];
  expect(await (await objects()).readAll()).toEqual(all);
  await until('they are on disk', async () => (await store.load('cluster-objects')).length === 4);

  // The next life of the agent, after a reboot.
  api.answer = silence;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const later = await objects();
  const first = later.readAll();
  await vi.advanceTimersByTimeAsync(1500);
  expect(await first).toEqual(all);
  expect(await later.readAll()).toEqual(all);
});

it('services are kept as they were last, not written at each change', async () => {
  const service = (version: number) => ({
    metadata: { namespace: 'default', name: 's', resourceVersion: `${version}` },
    spec: { clusterIP: `10.0.0.${version}`, ports: [] },
  });
  api.answer = async (asked, response) => {
    if (asked.query.get('watch') !== 'true')
      return json(response, 200, { metadata: { resourceVersion: '1' }, items: [service(1)] });
    for (let version = 2; version <= 20; version += 1) {
      response.write(`${JSON.stringify({ type: 'MODIFIED', object: service(version) })}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const running = new Services({ client, store, log }).run(ending.signal);
  await until('the last is kept', async () => {
    const [record] = await store.load<{ spec: { clusterIP: string } }[]>('cluster-services');
    return record?.value[0]?.spec.clusterIP === '10.0.0.20';
  });
  expect(puts.length).toBeLessThan(10);
  ending.abort();
  await running;
});
