/**
 * The processes of robustness.test.ts: `agent` makes and closes nodes with all that the node of a pod has, watches, and says
 * after every turn what it holds; `lonely` makes and closes publishers that tell much of themselves, with nobody else there;
 * `peer` comes and goes as a whole; `crowd` is there and has nothing to do with anybody; `callers` ask an agent much at once, and say
 * so when all have asked.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { echoType, latched, reliable, textType } from '../../ros/contract/types.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { ChangeState } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { Logs } from '../../ros/messages/gen/roslet_msgs.ts';
import { watchOn } from '../../ros/probes/kinds.ts';
import { rosProber } from '../../ros/probes/prober.ts';
import type { RosTransport } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';

/** What a process holds, when garbage is collected. */
export interface Holding {
  rssMb: number;
  files: number;
  /** Timers, sockets and the like of the event loop. */
  resources: number;
  endpoints: number;
  participants: number;
}

const [role, domainId, ...counts] = process.argv.slice(2);
if (import.meta.main) {
  process.once('disconnect', () => process.exit());
  if (role === 'agent') await agent(Number(counts[0]), Number(counts[1]));
  else if (role === 'lonely') await lonely(Number(counts[0]), Number(counts[1]));
  else if (role === 'peer') await peer();
  else if (role === 'callers') await callers(Number(counts[0]));
  else crowd(Number(counts[0]));
}

function open(range: 'localhost' | 'off' = 'localhost'): RosTransport {
  return cycloneTransport({
    addonPath: join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node'),
    discovery: { domainId: Number(domainId), range, staticPeers: [] },
    log: silentLogger(),
  });
}

async function agent(turns: number, rounds: number): Promise<void> {
  const transport = open();
  const prober = rosProber('');
  prober.attach(watchOn({ transport, node: transport.createNode('prober', '/'), log: silentLogger() }));
  const target = { addresses: [], pids: async () => [] };
  for (let turn = 0; turn < turns; turn++) {
    for (let round = 0; round < rounds; round++) {
      const node = transport.createNode(`pod${turn}_${round}`, '/robot');
      const publisher = node.createPublisher(`/robot/pod${round}/status`, textType, latched);
      publisher.publish({ data: 'ready' });
      node.createSubscription('/churn', textType, reliable, () => undefined);
      node.createService(`/robot/pod${round}/get_state`, echoType, (request) => request);
      const client = node.createClient('/peer/echo', echoType);
      const limit = new AbortController();
      const asked = client.call({ data: 'x' }, limit.signal).catch(() => undefined);
      const watch = prober.watch(
        { kind: 'heartbeat', topic: '/churn', deadlineMs: 50 },
        target,
        () => undefined,
      );
      await sleep(2);
      watch.check();
      limit.abort();
      await asked;
      watch.close();
      node.close();
    }
    await tell(transport);
  }
  // From now on when it is asked.
  process.on('message', () => void tell(transport));
}

async function lonely(turns: number, publishers: number): Promise<void> {
  const transport = open('off');
  const node = transport.createNode('lonely', '/');
  const talkative = { ...textType, typeHash: `RIHS01_${'0'.repeat(4000)}` };
  for (let turn = 0; turn < turns; turn++) {
    for (let i = 0; i < publishers; i++) {
      node.createPublisher('/lonely', talkative, latched).close();
      // The library takes its time to let go: what waits for that is not to be what is measured. Two are the transport's own.
      if (i % 50 < 49) continue;
      do await sleep(10);
      while (transport.graph.endpoints().length > 2);
    }
    await tell(transport);
  }
}

async function tell(transport: RosTransport): Promise<void> {
  // What was closed is forgotten by the threads of the library, too.
  await sleep(500);
  globalThis.gc?.();
  const holding: Holding = {
    rssMb: process.memoryUsage.rss() / 2 ** 20,
    files: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().length,
    endpoints: transport.graph.endpoints().length,
    participants: transport.graph.participants().length,
  };
  process.send?.(holding);
}

async function peer(): Promise<void> {
  for (;;) {
    const transport = open();
    const node = transport.createNode('peer', '/');
    const publisher = node.createPublisher('/churn', textType, latched);
    node.createService('/peer/echo', echoType, (request) => request);
    for (let i = 0; i < 20; i++) {
      const late = node.createSubscription(`/robot/pod${i}/status`, textType, latched, () => undefined);
      publisher.publish({ data: 'beat' });
      await sleep(2);
      late.close();
    }
    await transport.close();
  }
}

/** Each a participant of its own. */
async function callers(count: number): Promise<void> {
  const never = new AbortController().signal;
  const loud = { pod_namespace: '', pod_name: 'loud', container: '', tail_lines: 10_000, previous: false };
  const asking = Array.from({ length: count }, () => {
    const node = open().createNode('caller', '/');
    const logs = node.createClient('/r2_d2/roslet/logs', Logs);
    const change = node.createClient('/r2_d2/pods/default/late/change_state', ChangeState);
    return { logs, change };
  });
  while (asking.some(({ logs, change }) => !logs.isReady || !change.isReady)) await sleep(5);
  for (const { logs, change } of asking) {
    void change.call({ transition: { id: 0, label: 'activate' } }, never).catch(() => undefined);
    // As many as are kept for a client that does not read them.
    for (let i = 0; i < 10; i++) void logs.call(loud, never).catch(() => undefined);
  }
  await new Promise(setImmediate);
  process.send?.('asked');
}

function crowd(publishers: number): void {
  const node = open().createNode('crowd', '/');
  const all = Array.from({ length: publishers }, (_, i) =>
    node.createPublisher(`/crowd${i}`, textType, reliable),
  );
  setInterval(() => {
    for (const publisher of all) publisher.publish({ data: 'noise' });
  }, 200);
  process.send?.('ready');
}
