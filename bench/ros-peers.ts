/**
 * The other processes of ros.ts, told by their arguments what to be: what beats in a pod, and the two ends of a thousand
 * heartbeats.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cycloneTransport } from '../ros/cyclone/index.ts';
import * as std_msgs from '../ros/messages/gen/std_msgs.ts';
import { watchOn } from '../ros/probes/kinds.ts';
import { rosProber } from '../ros/probes/prober.ts';
import type { QosProfile, RosTransport } from '../ros/transport.ts';
import { silentLogger } from '../src/log.ts';

export const heartbeatQos: QosProfile = {
  reliability: 'best_effort',
  durability: 'volatile',
  history: 'keep_last',
  depth: 1,
};

export function openTransport(domainId: number): RosTransport {
  return cycloneTransport({
    addonPath: join(import.meta.dirname, '..', 'dist', 'roslet-dds.node'),
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
}

/** Of the wall clock, in parts of milliseconds. */
export const wallMs = (): number => performance.timeOrigin + performance.now();

/** What `beat` leaves behind: when it beat last, and when it was told to end. */
export interface BeatRecord {
  beatsMs: number[];
  silentAtMs?: number;
  endMs: number;
}

/** What `write` tells: how often it had no processor for so long that all of its beats were late. */
export interface WriteReport {
  heldUp: number;
}

/** What `watch` tells. */
export interface WatchReport {
  alive: number;
  missed: number;
  cpuSeconds: number;
}

const roles = { beat, write, watch };
const [role, ...args] = process.argv.slice(2);
if (import.meta.main) await roles[role as keyof typeof roles](...(args as [string, string, string, string]));

/** Beats until it falls silent, and goes on without a sign of life until it is ended. */
async function beat(domainId: string, topic: string, silentAfterMs: string, file: string): Promise<void> {
  const publisher = openTransport(Number(domainId))
    .createNode('driver', '/')
    .createPublisher(topic, std_msgs.Empty, heartbeatQos);
  const record: Omit<BeatRecord, 'endMs'> = { beatsMs: [] };
  process.once('SIGTERM', () => {
    writeFileSync(file, JSON.stringify({ ...record, endMs: wallMs() }));
    process.exit();
  });
  const timer = setInterval(() => {
    publisher.publish(std_msgs.Empty.create());
    record.beatsMs.push(wallMs());
    record.beatsMs.splice(0, record.beatsMs.length - 100);
  }, 20);
  await sleep(Number(silentAfterMs));
  clearInterval(timer);
  record.silentAtMs = wallMs();
  await new Promise(() => setInterval(() => undefined, 1000));
}

async function write(domainId: string, count: string, hz: string, deadlineMs: string): Promise<void> {
  const node = openTransport(Number(domainId)).createNode('writers', '/');
  const publishers = Array.from({ length: Number(count) }, (_, i) =>
    node.createPublisher(`/beat${i}`, std_msgs.Empty, heartbeatQos),
  );
  const cdr = std_msgs.Empty.encode(std_msgs.Empty.create());
  const startedMs = performance.now();
  let written = 0;
  let lastMs = startedMs;
  let heldUp = 0;
  process.send?.('ready');
  process.on('message', () => process.send?.({ heldUp } satisfies WriteReport));
  process.once('disconnect', () => process.exit());
  // Spread over the period, and caught up with after a hold-up.
  setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - lastMs > Number(deadlineMs) - 1000 / Number(hz)) heldUp += 1;
    lastMs = nowMs;
    const due = Math.floor(((nowMs - startedMs) / 1000) * Number(hz) * publishers.length);
    written = Math.max(written, due - publishers.length);
    for (; written < due; written++) publishers[written % publishers.length]!.publishRaw(cdr);
  }, 5);
}

/** As an agent watches the heartbeats of its pods. */
async function watch(domainId: string, count: string, deadlineMs: string, writersPid: string): Promise<void> {
  const transport = openTransport(Number(domainId));
  const prober = rosProber('');
  prober.attach(watchOn({ transport, node: transport.createNode('watcher', '/'), log: silentLogger() }));
  const target = { addresses: [], pids: async () => [Number(writersPid)] };
  let missed = 0;
  const watches = Array.from({ length: Number(count) }, (_, i) => {
    let wasAlive = false;
    const watched = prober.watch(
      { kind: 'heartbeat', topic: `/beat${i}`, deadlineMs: Number(deadlineMs) },
      target,
      () => {
        const isAlive = watched.check().state === 'alive';
        if (wasAlive && !isAlive) missed += 1;
        wasAlive = isAlive;
      },
    );
    return watched;
  });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    const report: WatchReport = {
      alive: watches.filter((each) => each.check().state === 'alive').length,
      missed,
      cpuSeconds: (user + system) / 1e6,
    };
    process.send?.(report);
  });
  process.once('disconnect', () => process.exit());
}
