/**
 * The cluster part of `make bench`: roslet and the Go kubelet side by side, as two nodes of one control plane, each with
 * a containerd 1.6 of its own. What they do next to nothing for is measured of both at the same time; what takes the
 * machine is measured of one after the other, and the next time in the other order. Medians. Where nearly all is the
 * runtime's, what that takes alone is measured too. It takes less than 20 minutes, also where others keep two cores busy.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterNode, startNode } from '../test/peers/cluster-node.ts';
import { ControlPlane } from '../test/peers/control-plane.ts';
import { BareRuntime } from './bare-runtime.ts';
import { ClusterPods } from './cluster-pods.ts';
import { Marks } from './marks.ts';
import { type PodKind, podOf } from './node-pods.ts';
import { quick } from './options.ts';
import { cpuPerMinute, median, memoryMb } from './process.ts';
import { someAtOnce } from './some-at-once.ts';
import { Table } from './table.ts';

const rounds = quick ? 3 : 9;
const burstRounds = quick ? 1 : 3;
const settleMs = quick ? 3000 : 8000;
const windowMs = quick ? 5000 : 20_000;
const podSteps = quick ? [0, 10] : [0, 10, 50, 100];
const many = quick ? 10 : 50;
const atOnce = 10;

/** Of the Go kubelet's. */
const costGoal = 1;
const latencyGoal = 0.6;

interface Kubelet {
  column: string;
  nodeName: string;
  readonly pid: number;
  kill(): Promise<unknown>;
  spawn(): unknown;
}

const startedMs = performance.now();
const started = new AsyncDisposableStack();
const { plane, roslet, go } = await startAll().catch(async (error: unknown) => {
  await started.disposeAsync();
  throw error;
});
const closing = new AbortController();
const scratch = await mkdtemp(join(tmpdir(), 'roslet-bench-'));
const marks = new Marks(scratch);
const pods = await ClusterPods.open(join(plane.dir, 'admin.kubeconfig'), closing.signal);
const measuredOf = (column: string, { kubelet, name: nodeName }: ClusterNode): Kubelet => ({
  column,
  nodeName,
  get pid() {
    return kubelet.pid;
  },
  kill: () => kubelet.stop('SIGKILL'),
  spawn: () => kubelet.spawn(),
});
const kubelets: [Kubelet, Kubelet] = [measuredOf('roslet', roslet), measuredOf('Go kubelet', go)];
const table = new Table('node of a cluster');
/** For every row what was measured of each, in the order of `kubelets`. */
const measured = new Map<string, { goal: number; digits: number; values: number[][] }>();
/** By row. */
const ofRuntimeAlone = new Map<string, number[]>();

try {
  await idleCosts();
  await oneByOne();
  await probeFailures();
  await bursts();
  await probeCosts('http');
  await probeCosts('exec');
} finally {
  closing.abort();
  await started.disposeAsync();
  await rm(scratch, { recursive: true, force: true });
}

async function startAll() {
  const plane = await ControlPlane.start();
  started.defer(() => plane.stop());
  const roslet = await startNode('roslet', plane);
  started.defer(() => roslet.stop());
  const go = await startNode('go', plane);
  started.defer(() => go.stop());
  return { plane, roslet, go };
}

for (const [row, { goal, digits, values }] of measured) {
  const [ours = Number.NaN, theirs = Number.NaN] = values.map(median);
  table.note(row, 'roslet', ours.toFixed(digits));
  table.note(row, 'Go kubelet', theirs.toFixed(digits));
  table.note(row, 'ratio', (ours / theirs).toFixed(2));
  table.note(row, 'goal', `<= ${goal.toFixed(1)}`);
  table.note(row, 'median of', String(values[0]?.length));
  const alone = ofRuntimeAlone.get(row);
  if (alone === undefined) continue;
  table.note(row, 'containerd alone', median(alone).toFixed(digits));
  table.note(row, 'its ratio', (median(alone) / theirs).toFixed(2));
}
table.print();
console.log(`measured within ${((performance.now() - startedMs) / 60_000).toFixed(0)} minutes`);

function note(row: string, kubelet: Kubelet, value: number, goal: number, digits = 0): void {
  console.error(`${kubelet.column}: ${row}: ${value.toFixed(digits)}`);
  const entry = measured.get(row) ?? { goal, digits, values: kubelets.map(() => []) };
  entry.values[kubelets.indexOf(kubelet)]?.push(value);
  measured.set(row, entry);
}

function noteAlone(row: string, value: number): void {
  console.error(`containerd alone: ${row}: ${value.toFixed(1)}`);
  ofRuntimeAlone.set(row, [...(ofRuntimeAlone.get(row) ?? []), value]);
}

/** One after the other, each round in another order. */
async function inTurn(count: number, measure: (kubelet: Kubelet, round: number) => Promise<void>) {
  for (let round = 0; round < count; round++) {
    const order = round % 2 === 0 ? kubelets : [...kubelets].reverse();
    for (const kubelet of order) await measure(kubelet, round);
  }
}

async function idleCosts(): Promise<void> {
  const names = new Map<Kubelet, string[]>(kubelets.map((kubelet) => [kubelet, []]));
  for (const count of podSteps) {
    for (const kubelet of kubelets) {
      const mine = names.get(kubelet)!;
      const fresh = namesOf(kubelet, 'idle', count).slice(mine.length);
      await createAll(kubelet, 'idle', fresh);
      mine.push(...fresh);
    }
    await sleep(settleMs);
    await Promise.all(
      kubelets.map(async (kubelet) => {
        const cpu = await cpuPerMinute(kubelet.pid, windowMs);
        note(`RSS MB at ${count} pods`, kubelet, memoryMb(kubelet.pid).rss, costGoal);
        note(`CPU s/min idle at ${count} pods`, kubelet, cpu, costGoal, 2);
      }),
    );
  }
  await deleteAll([...names.values()].flat());
}

/** One pod from its creation to its deletion, with one end of its container in between. */
function oneByOne(): Promise<void> {
  return inTurn(rounds, async (kubelet, round) => {
    const name = `one-${kubelet.nodeName}-${round}`;
    const created = Date.now();
    await pods.create(podOf('crashing', name, kubelet.nodeName, marks));
    const [started, ready] = await Promise.all([marks.started(name, 1), pods.ready(name)]);
    note('create to started, ms', kubelet, started - created, latencyGoal);
    note('create to Ready, ms', kubelet, ready - created, latencyGoal);
    await rest();
    marks.put(`${name}.die`);
    note(
      'exit to restarted, ms',
      kubelet,
      (await marks.started(name, 2)) - marks.at(`${name}.died`),
      latencyGoal,
    );
    await pods.ready(name);
    await rest();
    const deleted = Date.now();
    await pods.delete(name);
    note('delete to gone, ms', kubelet, (await pods.gone(name)) - deleted, latencyGoal);
  });
}

/** From a liveness probe's failure, which is not when it becomes due. */
async function probeFailures(): Promise<void> {
  await inTurn(rounds, async (kubelet, round) => {
    const name = `failing-${kubelet.nodeName}-${round}`;
    await createAll(kubelet, 'failing', [name]);
    await rest();
    marks.put(`${name}.bad`);
    const restarted = await marks.started(name, 2);
    note('probe failure to restarted, ms', kubelet, restarted - marks.at(`${name}.failed`), latencyGoal);
    await deleteAll([name]);
  });
  await using alone = await BareRuntime.open(marks);
  for (let round = 0; round < rounds; round++) {
    const name = `failing-alone-${round}`;
    await alone.start('failing', [name]);
    await rest();
    marks.put(`${name}.bad`);
    await alone.restartFailed(name);
    const restarted = await marks.started(name, 2);
    noteAlone('probe failure to restarted, ms', restarted - marks.at(`${name}.failed`));
    await alone.stop([name]);
  }
}

/** Also the restart of the agent, beside the last pods of them. */
async function bursts(): Promise<void> {
  await inTurn(burstRounds, async (kubelet, round) => {
    const names = namesOf(kubelet, `burst${round}`, many);
    const from = Date.now();
    const ready = await createAll(kubelet, 'idle', names);
    const started = await Promise.all(names.map((name) => marks.started(name, 1)));
    const seconds = (at: number) => (at - from) / 1000;
    note(`${many} at once, half started, s`, kubelet, seconds(median(started)), latencyGoal, 1);
    note(`${many} at once, all started, s`, kubelet, seconds(Math.max(...started)), latencyGoal, 1);
    note(`${many} at once, half Ready, s`, kubelet, seconds(median(ready)), latencyGoal, 1);
    note(`${many} at once, all Ready, s`, kubelet, seconds(Math.max(...ready)), latencyGoal, 1);
    await rest();
    await restart(kubelet, names, round);
    const deleted = Date.now();
    const gone = await deleteAll(names);
    note(`delete ${many}, half gone, s`, kubelet, (median(gone) - deleted) / 1000, latencyGoal, 1);
    note(`delete ${many}, all gone, s`, kubelet, (Math.max(...gone) - deleted) / 1000, latencyGoal, 1);
  });
  await using alone = await BareRuntime.open(marks);
  for (let round = 0; round < burstRounds; round++) {
    const names = Array.from({ length: many }, (_, i) => `burst${round}-alone-${i}`);
    const from = Date.now();
    await alone.start('idle', names);
    const started = await Promise.all(names.map((name) => marks.started(name, 1)));
    noteAlone(`${many} at once, half started, s`, (median(started) - from) / 1000);
    noteAlone(`${many} at once, all started, s`, (Math.max(...started) - from) / 1000);
    await rest();
    const stopped = Date.now();
    const down = await alone.stop(names);
    noteAlone(`delete ${many}, half gone, s`, (median(down) - stopped) / 1000);
    noteAlone(`delete ${many}, all gone, s`, (Math.max(...down) - stopped) / 1000);
  }
}

/** With a pod that was created meanwhile, on a node that was given up. */
async function restart(kubelet: Kubelet, running: readonly string[], round: number): Promise<void> {
  const pending = `pending-${kubelet.nodeName}-${round}`;
  await kubelet.kill();
  await pods.declareLost(kubelet.nodeName);
  await pods.create(podOf('idle', pending, kubelet.nodeName, marks));
  const from = Date.now();
  kubelet.spawn();
  const [node, started] = await Promise.all([pods.nodeReady(kubelet.nodeName), marks.started(pending, 1)]);
  note('restart of the agent to node Ready, ms', kubelet, node - from, latencyGoal);
  note('restart of the agent to pending pod started, ms', kubelet, started - from, latencyGoal);
  const again = running.filter((name) => marks.starts(name) > 1 || pods.restarts(name) > 0);
  if (again.length > 0) throw new Error(`${kubelet.column} restarted ${again.length} containers with itself`);
  await deleteAll([pending]);
}

/** Http of both at the same time; exec, which keeps the runtimes busy, of one after the other. */
async function probeCosts(kind: 'http' | 'exec'): Promise<void> {
  const measure = async (kubelet: Kubelet) => {
    const names = namesOf(kubelet, kind, many);
    await createAll(kubelet, kind, names);
    await sleep(settleMs);
    const cpu = await cpuPerMinute(kubelet.pid, windowMs);
    note(`CPU s/min, ${many} pods with 1 s ${kind} probes`, kubelet, cpu, costGoal, 2);
    await deleteAll(names);
  };
  if (kind === 'http') await Promise.all(kubelets.map(measure));
  else await inTurn(1, measure);
}

/** A kubelet with a poll of a second is met at any time of it. */
function rest(): Promise<void> {
  return sleep(1000 + Math.random() * 1000);
}

function namesOf({ nodeName }: Kubelet, prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${nodeName}-${i}`);
}

/** Returns when each was ready (epoch ms). */
async function createAll(kubelet: Kubelet, kind: PodKind, names: readonly string[]): Promise<number[]> {
  await someAtOnce(names, atOnce, (name) => pods.create(podOf(kind, name, kubelet.nodeName, marks)));
  return Promise.all(names.map((name) => pods.ready(name)));
}

/** Returns when each was gone (epoch ms). */
async function deleteAll(names: readonly string[]): Promise<number[]> {
  await someAtOnce(names, atOnce, (name) => pods.delete(name));
  return Promise.all(names.map((name) => pods.gone(name)));
}
