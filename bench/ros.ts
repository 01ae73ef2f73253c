/**
 * The ROS part of `make bench`, also alone: `node bench/ros.ts [--quick] [--minutes N]`.
 *
 * - From the last beat of a heartbeat with a deadline of 100 ms until the agent has decided to kill, and until the
 *   process hears of it, idle and with every processor kept busy twice over by others.
 * - A thousand heartbeats at 10 Hz, watched for `--minutes`.
 * - From a change of a pod's readiness in the agent until a peer in another process has its status.
 * - What the bridge costs: the agent's start and memory with and without it.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { latchedQos } from '../ros/bridge/qos.ts';
import { PodStatus } from '../ros/messages/gen/roslet_msgs.ts';
import type { RosNode } from '../ros/transport.ts';
import { TestAgent, until } from '../test/agent.ts';
import { quick } from './options.ts';
import { median, memoryMb } from './process.ts';
import { type BeatRecord, openTransport, type WatchReport, type WriteReport, wallMs } from './ros-peers.ts';

const { values: options } = parseArgs({
  options: { minutes: { type: 'string', default: quick ? '1' : '10' } },
  strict: false,
});
const rounds = quick ? 3 : 15;
const atOnce = 3;
const writers = 1000;
const settleMs = quick ? 2000 : 10_000;
const domainId = 98;
const deadlineMs = 100;
const peers = join(import.meta.dirname, 'ros-peers.ts');
const ros = `{transport: cyclone, domainId: ${domainId}, discoveryRange: localhost, robotName: bench}`;

const rows: [what: string, measured: string][] = [];
const note = (what: string, measured: string): void => {
  console.error(`ROS: ${what}: ${measured}`);
  rows.push([what, measured]);
};

await bridgeCost();
await heartbeats('idle');
const busy = cpus().flatMap(() => [keepBusy(), keepBusy()]);
try {
  await heartbeats('busy');
} finally {
  for (const child of busy) child.kill('SIGKILL');
}
await thousandWriters(Number(options.minutes) * 60_000);
print();

async function bridgeCost(): Promise<void> {
  for (const [name, section] of [
    ['without the bridge', '{transport: "off"}'],
    ['with the bridge', ros],
  ] as const) {
    const agent = await TestAgent.create({ ros: section });
    try {
      const startsMs: number[] = [];
      for (let i = 0; i < rounds; i++) {
        const from = performance.now();
        await agent.start();
        startsMs.push(performance.now() - from);
        if (i < rounds - 1) await agent.stop();
      }
      if (section === ros) await until('it is on the graph', () => agent.log.includes('on the ROS 2 graph'));
      await sleep(settleMs);
      note(`start of the agent ${name}, ms`, summary(startsMs));
      note(`RSS/anon of the agent ${name}, MB`, memory(agent.pid));
    } finally {
      await agent.remove();
    }
  }
}

/** Rounds of pods that fall silent, each at a moment of its own. */
async function heartbeats(load: string): Promise<void> {
  const agent = await TestAgent.create({ ros });
  const transport = openTransport(domainId);
  const decided: number[] = [];
  const told: number[] = [];
  const stages: [what: string, ms: number[]][] = [
    ['seen by a peer', []],
    ['written by the agent', []],
    ["in the peer's middleware from then", []],
    ["in the peer's program from then", []],
  ];
  let early = 0;
  try {
    await agent.start();
    const node = transport.createNode('bench', '/');
    for (let round = 0; round < rounds; round++) {
      const names = Array.from({ length: atOnce }, (_, i) => `r${round}p${i}`);
      const statuses = new Map(names.map((name) => [name, readiness(node, name)]));
      for (const name of names) await agent.apply(`${name}.yaml`, podManifest(agent, name));
      for (const name of names) {
        const record = await recordOf(agent, name);
        const atMs = await until(
          'it is in the log',
          () => resultAt(agent, name, 'liveness', 'failure'),
          60_000,
        );
        const lastMs = record.beatsMs.findLast((beatMs) => beatMs <= atMs);
        // Not silent by itself: it had no processor for that long.
        if (record.silentAtMs === undefined || record.silentAtMs > atMs) early += 1;
        else if (lastMs !== undefined) {
          decided.push(atMs - lastMs);
          told.push(record.endMs - lastMs);
        }
        const readyAtMs = resultAt(agent, name, 'readiness', 'success');
        const ready = statuses.get(name)?.ready();
        if (readyAtMs === undefined || ready === undefined) continue;
        const { readMs, receivedMs, writtenMs } = ready;
        const took = [readMs - readyAtMs, writtenMs - readyAtMs, receivedMs - writtenMs, readMs - receivedMs];
        for (const [index, ms] of took.entries()) stages[index]![1].push(ms);
      }
      for (const name of names) {
        statuses.get(name)?.close();
        await agent.unapply(`${name}.yaml`);
      }
      await until('the pods are gone', async () => (await agent.pods()).length === 0, 60_000);
    }
  } finally {
    await transport.close();
    await agent.remove();
  }
  note(`last beat to kill decided, deadline ${deadlineMs} ms, ${load}, ms`, summary(decided));
  note(`last beat to SIGTERM in the process, ${load}, ms`, summary(told));
  for (const [what, ms] of stages) note(`change of readiness to topic ${what}, ${load}, ms`, summary(ms, 1));
  note(`killed before it fell silent, ${load}`, `${early} of ${rounds * atOnce}`);
}

function recordPath(agent: TestAgent, name: string): string {
  return join(agent.dir, `${name}.json`);
}

function recordOf(agent: TestAgent, name: string): Promise<BeatRecord> {
  const path = recordPath(agent, name);
  const read = () => existsSync(path) && (JSON.parse(readFileSync(path, 'utf8')) as BeatRecord);
  return until(`${name} was ended`, read, 60_000);
}

/** When the agent logged that result of a probe first. */
function resultAt(agent: TestAgent, name: string, probe: string, result: string): number | undefined {
  for (const line of agent.log.split('\n')) {
    if (!line.includes(`${probe} probe: ${result}`) || !line.includes(`/${name}-`)) continue;
    return Date.parse((JSON.parse(line) as { time: string }).time);
  }
  return undefined;
}

/** Of the wall clock: when the status with `ready` was written, came to the peer's middleware and to its program. */
interface ReadyTimes {
  writtenMs: number;
  receivedMs: number;
  readMs: number;
}

function readiness(node: RosNode, name: string): { ready(): ReadyTimes | undefined; close(): void } {
  let times: ReadyTimes | undefined;
  const topic = `/bench/pods/default/${name}_robot/status`;
  const subscription = node.createSubscription(topic, PodStatus, latchedQos, ({ ready }, info) => {
    if (!ready) return;
    times ??= {
      writtenMs: info.sourceTimeMs,
      receivedMs: performance.timeOrigin + info.receivedMs,
      readMs: wallMs(),
    };
  });
  return { ready: () => times, close: () => subscription.close() };
}

function podManifest(agent: TestAgent, name: string): string {
  const silentAfterMs = Math.round(2000 + Math.random() * 2000);
  const beat = [
    process.execPath,
    peers,
    'beat',
    domainId,
    `/${name}`,
    silentAfterMs,
    recordPath(agent, name),
  ];
  const probe = `      exec: {command: [ros2-probe, heartbeat, /${name}, --deadline, ${deadlineMs}ms]}
      failureThreshold: 1
      periodSeconds: 30
`;
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  restartPolicy: Never
  terminationGracePeriodSeconds: 2
  containers:
  - name: main
    image: none
    command: ${JSON.stringify(beat.map(String))}
    livenessProbe:
${probe}    readinessProbe:
${probe}`;
}

async function thousandWriters(durationMs: number): Promise<void> {
  const started: ChildProcess[] = [];
  try {
    const silenceMs = 1000;
    const args = (role: string, last: number) =>
      [role, domainId, writers, role === 'write' ? 10 : silenceMs, last].map(String);
    const writer = fork(peers, args('write', silenceMs));
    started.push(writer);
    await once(writer, 'message');
    const watcher = fork(peers, args('watch', writer.pid!));
    started.push(watcher);
    const ask = async <T>(child: ChildProcess): Promise<T> => {
      child.send('report');
      return (await once(child, 'message'))[0] as T;
    };
    const all = async () => (await ask<WatchReport>(watcher)).alive === writers;
    await until('all are heard', all, 60_000);
    await sleep(settleMs);
    const [before, beats, fromMs] = [
      await ask<WatchReport>(watcher),
      await ask<WriteReport>(writer),
      performance.now(),
    ];
    await sleep(durationMs);
    const [after, tookMs] = [await ask<WatchReport>(watcher), performance.now() - fromMs];
    const { heldUp } = await ask<WriteReport>(writer);
    const share = ((after.cpuSeconds - before.cpuSeconds) * 1000) / tookMs;
    note(`watching ${writers} writers at 10 Hz, share of a processor`, `${(share * 100).toFixed(1)} %`);
    note(
      `misses in ${Math.round(tookMs / 1000)} s, deadline ${silenceMs} ms`,
      `${after.missed - before.missed}, while all writers were held up as long ${heldUp - beats.heldUp} times`,
    );
    note('RSS/anon of who watches them, MB', memory(watcher.pid!));
  } finally {
    for (const child of started) child.kill();
  }
}

function keepBusy(): ChildProcess {
  return spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
}

function memory(pid: number): string {
  const { anonymous, rss } = memoryMb(pid);
  return `${Math.round(rss)}/${Math.round(anonymous)}`;
}

/** `median (longest)` */
function summary(values: number[], digits = 0): string {
  return `${median(values).toFixed(digits)} (up to ${Math.max(...values).toFixed(digits)})`;
}

function print(): void {
  const width = Math.max(...rows.map(([what]) => what.length));
  console.log(`\nROS 2: ${cpus().length} CPUs, load ${loadavg()[0]!.toFixed(1)}, medians`);
  for (const [what, measured] of rows) console.log(`${what.padEnd(width)}  ${measured}`);
}
