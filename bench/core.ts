/**
 * The standalone part of `make bench`: manifests in, containers out, each runtime in a column. Medians; one warm-up.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestAgent, until } from '../test/agent.ts';
import { startContainerd } from '../test/peers/containerd.ts';
import { busyboxImage } from '../test/peers/images.ts';
import { Marks, markStart } from './marks.ts';
import { quick } from './options.ts';
import { cpuPerMinute, median, memoryMb } from './process.ts';
import { Table } from './table.ts';

const rounds = quick ? 3 : 7;
const settleMs = quick ? 2000 : 5000;
const windowMs = quick ? 5000 : 15_000;
const podSteps = quick ? [0, 10] : [0, 10, 50, 100];
const burst = quick ? 10 : 50;

interface Subject {
  column: string;
  agent: TestAgent;
  /** Lines of a PodSpec that put the pod on the measured runtime. */
  podFields: string;
  marks: Marks;
}

const table = new Table('standalone');
const scratch = await mkdtemp(join(tmpdir(), 'roslet-bench-'));
const containerd = await startContainerd('1.6');
const subjects: Subject[] = [];
try {
  const config = 'maxPods: 250\n';
  await add('host processes', '  runtimeClassName: host-process\n', { config });
  await add('containerd', '', { config, criEndpoint: containerd.endpoint });
  // Beside each other, as both do next to nothing then.
  await Promise.all(subjects.map(idleCost));
  for (const each of subjects) {
    await startLatency(each);
    await restartLatency(each);
    await probeCost(each);
    await burstOf(each);
  }
} finally {
  for (const { agent } of subjects) await agent.remove();
  await containerd.stop();
  await rm(scratch, { recursive: true, force: true });
}
table.print();

/** Told at once, and all of it in the end. */
function note(row: string, column: string, value: string): void {
  console.error(`${column}: ${row}: ${value}`);
  table.note(row, column, value);
}

async function add(
  column: string,
  podFields: string,
  options: { config: string; criEndpoint?: string },
): Promise<void> {
  const agent = await TestAgent.create(options);
  subjects.push({ column, agent, podFields, marks: new Marks(await mkdtemp(join(scratch, 'marks-'))) });
  await agent.start();
}

/** From the manifest being in place to the container's first act. */
async function startLatency(subject: Subject): Promise<void> {
  const { column, agent, marks } = subject;
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const from = Date.now();
    await apply(subject, `start${i}`);
    const at = await marks.started(`start${i}`, 1);
    if (i > 0) times.push(at - from);
    await removeAll(agent, [`start${i}`]);
  }
  note('manifest to started, ms', column, median(times).toFixed(0));
}

/** From the death of the main process to the next one's first act. The first restart knows no back off. */
async function restartLatency(subject: Subject): Promise<void> {
  const { column, agent, marks } = subject;
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const name = `crash${i}`;
    await apply(subject, name, { crashOnce: true });
    const second = await marks.started(name, 2);
    if (i > 0) times.push(second - marks.at(`${name}.end`));
    await removeAll(agent, [name]);
  }
  note('crash to restarted, ms', column, median(times).toFixed(0));
}

async function probeCost(subject: Subject): Promise<void> {
  const { column, agent, marks } = subject;
  const names = Array.from({ length: burst }, (_, i) => `probed${i}`);
  for (const name of names) await apply(subject, name, { probe: true });
  for (const name of names) await marks.started(name, 1);
  await sleep(settleMs);
  const cpu = await cpuPerMinute(agent.pid, windowMs);
  note(`CPU s/min, ${burst} pods with 1 s exec probes`, column, cpu.toFixed(2));
  await removeAll(agent, names);
}

/** All manifests at once, until every container has acted; then the agent's own restart beside them. */
async function burstOf(subject: Subject): Promise<void> {
  const { column, agent, marks } = subject;
  const names = Array.from({ length: burst }, (_, i) => `burst${i}`);
  const from = Date.now();
  for (const name of names) await apply(subject, name);
  const ends = await Promise.all(names.map((name) => marks.started(name, 1)));
  note(`${burst} at once, all started, s`, column, ((Math.max(...ends) - from) / 1000).toFixed(1));
  await sleep(settleMs);
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    await agent.stop('SIGKILL');
    const killed = performance.now();
    await agent.start();
    times.push(performance.now() - killed);
  }
  note(`restart of the agent with ${burst} pods, ms`, column, median(times).toFixed(0));
  const again = names.filter((name) => marks.starts(name) > 1);
  note('containers restarted by that', column, String(again.length));
  const gone = Date.now();
  await removeAll(agent, names);
  note(`delete ${burst}, s`, column, ((Date.now() - gone) / 1000).toFixed(1));
}

async function idleCost(subject: Subject): Promise<void> {
  const { column, agent, marks } = subject;
  const names: string[] = [];
  for (const count of podSteps) {
    while (names.length < count) {
      const name = `idle${names.length}`;
      names.push(name);
      await apply(subject, name);
    }
    for (const name of names) await marks.started(name, 1);
    await sleep(settleMs);
    const cpu = await cpuPerMinute(agent.pid, windowMs);
    const { rss, anonymous } = memoryMb(agent.pid);
    note(`CPU s/min idle at ${count} pods`, column, cpu.toFixed(2));
    note(`RSS/anon MB at ${count} pods`, column, `${rss.toFixed(0)}/${anonymous.toFixed(0)}`);
  }
  await removeAll(agent, names);
}

/** A pod that goes on, or whose first container ends at once. */
async function apply(
  { agent, podFields, marks }: Subject,
  name: string,
  options: { crashOnce?: boolean; probe?: boolean } = {},
): Promise<void> {
  const live = 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done';
  const crash = `[ $(wc -l < /marks/${name}) -gt 1 ] || { : > /marks/${name}.end; exit 1; }`;
  const script = [markStart(name), ...(options.crashOnce ? [crash] : []), live].join('; ');
  const probe = '    readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n';
  await agent.apply(
    `${name}.yaml`,
    `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
${podFields}  hostNetwork: true
  terminationGracePeriodSeconds: 5
  volumes: [{name: marks, hostPath: {path: ${marks.dir}}}]
  containers:
  - name: main
    image: ${busyboxImage}
    command: [sh, -c, ${JSON.stringify(script)}]
    volumeMounts: [{name: marks, mountPath: /marks}]
${options.probe ? probe : ''}`,
  );
}

async function removeAll(agent: TestAgent, names: readonly string[]): Promise<void> {
  for (const name of names) await agent.unapply(`${name}.yaml`);
  await until('nothing of any pod runs', async () => (await agent.pods()).length === 0, 180_000);
}
