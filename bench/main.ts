/**
 * `make bench`: measures the built agent from the outside and prints a table, each runtime in a column. Nothing is
 * asserted: machines differ and are shared. Medians; one warm-up. `ROSLET_BENCH_PEER=/path/to/kubelet` adds the Go
 * kubelet, standalone on the same containerd with the same manifests, for comparison in the same run.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startContainerd } from '../test/peers/containerd.ts';
import { type BenchAgent, goKubelet, podManifest, roslet } from './agents.ts';

const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 10;
const settleMs = quick ? 3000 : 15_000;
const cpuWindowMs = quick ? 5000 : 30_000;
const podSteps = quick ? [0, 10] : [0, 10, 50, 100];
const burst = quick ? 10 : 50;

type Row = Map<string, string>;
const rows = new Map<string, Row>();

const scratch = await mkdtemp(join(tmpdir(), 'roslet-bench-'));
let marks = '';
const containerd = await startContainerd('1.6');
try {
  const peer = process.env.ROSLET_BENCH_PEER;
  await measure('roslet, processes', await roslet());
  await measure('roslet, containerd', await roslet(containerd.endpoint));
  if (peer !== undefined) await measure('Go kubelet', await goKubelet(peer, scratch, containerd.endpoint));
} finally {
  await containerd.stop();
  await rm(scratch, { recursive: true, force: true });
}
print();

async function measure(column: string, agent: BenchAgent): Promise<void> {
  const note = (row: string, value: string) => {
    console.error(`${column}: ${row}: ${value}`);
    const cells = rows.get(row) ?? new Map<string, string>();
    rows.set(row, cells.set(column, value));
  };
  marks = await mkdtemp(join(scratch, 'marks-'));
  try {
    await agent.start();
    await startLatency(agent, note);
    await restartLatency(agent, note);
    await probeCost(agent, note);
    await burstOf(agent, note);
    await idleCost(agent, note);
  } finally {
    await agent.remove();
  }
}

type Note = (row: string, value: string) => void;

/** From the manifest being in place to the container's first act. */
async function startLatency(agent: BenchAgent, note: Note): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const name = `start${i}`;
    const from = Date.now();
    await agent.apply(name, podManifest(name, agent.podFields, marks));
    const at = await mark(name, 1);
    if (i > 0) times.push(at - from);
    await agent.unapply(name);
    await agent.allGone();
  }
  note('manifest to started, ms', median(times));
}

/** From the death of the main process to the next one's first act. The first restart knows no back off. */
async function restartLatency(agent: BenchAgent, note: Note): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const name = `crash${i}`;
    await agent.apply(name, podManifest(name, agent.podFields, marks, { crashOnce: true }));
    const second = await mark(name, 2);
    const first = statSync(join(marks, `${name}.end`)).mtimeMs;
    if (i > 0) times.push(second - first);
    await agent.unapply(name);
    await agent.allGone();
  }
  note('crash to restarted, ms', median(times));
}

async function probeCost(agent: BenchAgent, note: Note): Promise<void> {
  const names = Array.from({ length: burst }, (_, i) => `probed${i}`);
  for (const name of names)
    await agent.apply(name, podManifest(name, agent.podFields, marks, { probe: true }));
  for (const name of names) await mark(name, 1, 180_000);
  await sleep(settleMs);
  note(`CPU s/min, ${burst} pods with 1 s exec probes`, await cpuPerMinute(agent.pid));
  for (const name of names) await agent.unapply(name);
  await agent.allGone();
}

/** All manifests at once, until every container has acted; then the agent's own restart beside them. */
async function burstOf(agent: BenchAgent, note: Note): Promise<void> {
  const names = Array.from({ length: burst }, (_, i) => `burst${i}`);
  const from = Date.now();
  for (const name of names) await agent.apply(name, podManifest(name, agent.podFields, marks));
  const ends = await Promise.all(names.map((name) => mark(name, 1, 180_000)));
  note(`${burst} at once, all started, s`, ((Math.max(...ends) - from) / 1000).toFixed(1));
  await sleep(settleMs);
  const times: number[] = [];
  for (let i = 0; i < 3; i++) times.push(await agent.restart());
  note(`restart of the agent with ${burst} pods, ms`, median(times));
  const again = names.filter((name) => countMarks(name) > 1);
  note('containers restarted by that', String(again.length));
  const gone = Date.now();
  for (const name of names) await agent.unapply(name);
  await agent.allGone();
  note(`delete ${burst}, s`, ((Date.now() - gone) / 1000).toFixed(1));
}

async function idleCost(agent: BenchAgent, note: Note): Promise<void> {
  await agent.restart();
  let there = 0;
  for (const count of podSteps) {
    for (; there < count; there++)
      await agent.apply(`idle${there}`, podManifest(`idle${there}`, agent.podFields, marks));
    for (let i = 0; i < there; i++) await mark(`idle${i}`, 1, 180_000);
    await sleep(settleMs);
    note(`CPU s/min idle at ${count} pods`, await cpuPerMinute(agent.pid));
    note(`RSS/anon MB at ${count} pods`, memory(agent.pid));
  }
  for (let i = 0; i < there; i++) await agent.unapply(`idle${i}`);
  await agent.allGone();
}

/** When the container wrote its n-th mark (epoch ms). */
async function mark(name: string, n: number, timeoutMs = 60_000): Promise<number> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (countMarks(name) >= n) return statSync(join(marks, name)).mtimeMs;
    await sleep(2);
  }
  throw new Error(`${name} did not start for the ${n}. time within ${timeoutMs} ms`);
}

function countMarks(name: string): number {
  const file = join(marks, name);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

async function cpuPerMinute(pid: number): Promise<string> {
  const before = cpuSeconds(pid);
  await sleep(cpuWindowMs);
  return (((cpuSeconds(pid) - before) * 60_000) / cpuWindowMs).toFixed(2);
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function memory(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (field: string) =>
    Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  return `${mb('VmRSS')}/${mb('RssAnon')}`;
}

function median(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return String(Math.round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN));
}

function print(): void {
  const columns = [...new Set([...rows.values()].flatMap((row) => [...row.keys()]))];
  const width = Math.max(...[...rows.keys()].map((row) => row.length));
  console.log(`\n${cpus().length} CPUs, load ${loadavg()[0]!.toFixed(1)}, medians of ${rounds}`);
  console.log(`${''.padEnd(width)}  ${columns.map((c) => c.padStart(20)).join('')}`);
  for (const [row, cells] of rows) {
    console.log(`${row.padEnd(width)}  ${columns.map((c) => (cells.get(c) ?? '-').padStart(20)).join('')}`);
  }
}
