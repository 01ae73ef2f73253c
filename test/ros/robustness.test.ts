/**
 * An hour's comings and goings in half a minute, and a domain that is crowded and rude: nothing grows, and pods are looked
 * after all the same; nor by clients that die before they have their answer. `ROSLET_CHURN_TURNS=100` goes on for longer.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { echoType, reliable, textType } from '../../ros/contract/types.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { ChangeState, GetState } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { Apply, List } from '../../ros/messages/gen/roslet_msgs.ts';
import type { RosTransport, ServiceType } from '../../ros/transport.ts';
import { silentLogger } from '../../src/log.ts';
import { TestAgent, until } from '../agent.ts';
import type { Holding } from './churn-peer.ts';

const domainId = 100;
const turns = Number(process.env.ROSLET_CHURN_TURNS ?? 8);
const rounds = 300;

/** What the launcher gives the agent: without it garbage is collected later, and freed memory kept for each thread. */
const launcher = (() => {
  const script = readFileSync(join(import.meta.dirname, '..', '..', 'packaging', 'roslet.sh'), 'utf8');
  const [, flags] = /^exec "\$node" (.+) "\$program"/m.exec(script)!;
  const [, name, value] = /^export (\w+)="\$\{\w+:-(\w+)\}"/m.exec(script)!;
  return { flags: flags!.split(' '), environment: { [name!]: value! } };
})();

const processes: ChildProcess[] = [];
let agent: TestAgent | undefined;
let transport: RosTransport | undefined;
afterEach(async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL');
  await transport?.close();
  const left = await agent?.remove();
  agent = undefined;
  transport = undefined;
  expect(left ?? []).toEqual([]);
});

function start(...args: (string | number)[]): ChildProcess {
  const [role, ...counts] = args.map(String);
  const child = fork(join(import.meta.dirname, 'churn-peer.ts'), [role!, String(domainId), ...counts], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning', ...launcher.flags],
    env: { ...process.env, ...launcher.environment },
  });
  processes.push(child);
  return child;
}

it('thousands of nodes, endpoints and peers that come, go, stop and die leave nothing behind', async () => {
  const held: Holding[] = [];
  const peers = [start('peer'), start('peer')];
  const churner = start('agent', turns, rounds);
  churner.on('message', (holding: Holding) => held.push(holding));
  const hasEnded = () => churner.exitCode !== null || churner.signalCode !== null;
  // In the middle of whatever they do.
  for (let turn = 0; held.length < turns && !hasEnded(); turn++) {
    const [stopped, killed] = turn % 2 === 0 ? [0, 1] : [1, 0];
    peers[stopped]!.kill('SIGSTOP');
    await sleep(300);
    peers[stopped]!.kill('SIGCONT');
    peers[killed]!.kill('SIGKILL');
    peers[killed] = start('peer');
    await sleep(700);
  }
  for (const peer of peers) peer.kill('SIGKILL');
  await until('the peers are forgotten', async () => {
    churner.send('tell');
    await once(churner, 'message');
    return held.at(-1)!.participants === 1 && held.at(-1);
  });
  const last = held.at(-1)!;
  // Until then memory is taken for what is there at most at a time.
  const settled = held[Math.floor(turns / 2)]!;
  expect(last.files).toBeLessThanOrEqual(settled.files);
  expect(last.resources).toBeLessThanOrEqual(settled.resources);
  // What the one node that stays is announced with.
  expect(last.endpoints).toBeLessThanOrEqual(2);
  // What is allocated lies in pieces between what was freed.
  expect(last.rssMb - settled.rssMb).toBeLessThan(25);
}, 600_000);

it('what an endpoint told of itself is forgotten when it is closed', async () => {
  const held: Holding[] = [];
  const lonely = start('lonely', 4, 3000);
  lonely.on('message', (holding: Holding) => held.push(holding));
  await until('all turns are over', () => held.length === 4, 120_000);
  // Four kilobytes of each are 35 MB.
  expect(held.at(-1)!.rssMb - held[0]!.rssMb).toBeLessThan(15);
}, 200_000);

it('a crowd on the domain and requests that are none keep nobody from their pods', async () => {
  const crowd = start('crowd', 1000);
  await once(crowd, 'message');
  agent = await TestAgent.create({
    ros: `{transport: cyclone, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
  });
  await agent.start();
  await agent.apply(
    'a.yaml',
    `apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: none, command: [sleep, "1000"]}]
`,
  );
  await agent.ready('a');
  transport = cycloneTransport({
    addonPath: join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node'),
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
  const node = transport.createNode('rude', '/');
  const client = <Request, Response>(name: string, type: ServiceType<Request, Response>) =>
    node.createClient(name, type);
  const garbage = ['', '00', '00010000', '00010000ffffffff', `00010000${'ff'.repeat(5000)}`];
  const list = '/r2_d2/roslet/list';
  for (const bytes of garbage) {
    const request = { ...textType, encode: () => Buffer.from(bytes, 'hex') };
    const rude = client(list, { ...echoType, name: List.name, typeHash: List.typeHash, request });
    await rude.call({ data: '' }, AbortSignal.timeout(500)).catch(() => undefined);
    rude.close();
  }
  const { pods } = await client(list, List).call(List.request.create(), AbortSignal.timeout(30_000));
  expect(pods).toMatchObject([{ pod_name: 'a-robot', ready: true }]);
  const answer = await client('/r2_d2/pods/default/a_robot/get_state', GetState).call(
    {},
    AbortSignal.timeout(30_000),
  );
  expect(answer).toMatchObject({ current_state: { label: 'active' } });
  expect(agent.log).toContain('dropped a request that cannot be decoded');
  crowd.kill('SIGSTOP');
  await agent.unapply('a.yaml');
  await until('the pod is gone', async () => (await agent!.pods()).length === 0);
});

it('clients that die between their question and the answer, or do not read it, cost the agent nothing', async () => {
  agent = await TestAgent.create({
    ros: `{transport: cyclone, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
  });
  await agent.start();
  const spec = (command: string) =>
    `spec: {runtimeClassName: host-process, hostNetwork: true, terminationGracePeriodSeconds: 1, containers: [{name: main, image: none, command: [sh, -c, "${command}"]}]}`;
  // As much as an answer holds.
  const script = `i=0; while [ $i -lt 8000 ]; do i=$((i+1)); echo ${'x'.repeat(110)} $i; done; exec sleep 1000`;
  const about = (name: string, annotations: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, annotations: {${annotations}}}\n`;
  transport = cycloneTransport({
    addonPath: join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node'),
    discovery: { domainId, range: 'localhost', staticPeers: [] },
    log: silentLogger(),
  });
  const node = transport.createNode('witness', '/');
  const call = <Request, Response>(name: string, type: ServiceType<Request, Response>, request: Request) =>
    node.createClient(name, type).call(request, AbortSignal.timeout(60_000));
  const apply = (manifest: string) => call('/r2_d2/roslet/apply', Apply, { manifest, dry_run: false });
  await apply(about('loud', '') + spec(script));
  const late = `roslet.dev/autostart: "false", roslet.dev/after: topic /never, roslet.dev/transition-timeout: 10m`;
  await apply(about('late', late) + spec('exec sleep 1000'));
  const { pid } = await agent.ready('loud').then(() => agent!);
  const change = (label: string) =>
    call('/r2_d2/pods/default/late/change_state', ChangeState, { transition: { id: 0, label } });
  const state = async () =>
    (await call('/r2_d2/pods/default/late/get_state', GetState, {})).current_state.label;
  expect(await change('configure')).toEqual({ success: true });

  const files = () => readdirSync(`/proc/${pid}/fd`).length;
  const filesBefore = files();
  const rssMb: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const clients = start('callers', 6);
    await once(clients, 'message');
    if (turn === 0)
      await until('one of them was heard', async () => (await state()) === 'activating', 30_000);
    // Every other one lives until all is answered, and reads nothing of it.
    if (turn % 2 === 0) {
      clients.kill('SIGSTOP');
      await sleep(100);
      await until('what they asked for is done', () => files() <= filesBefore, 30_000);
      expect((await call('/r2_d2/roslet/list', List, List.request.create())).pods).toHaveLength(2);
    }
    clients.kill('SIGKILL');
    await until('they are forgotten', () => transport!.graph.participants().length === 2, 30_000);
    // What they had asked for goes on.
    expect(await state()).toBe('activating');
    await until('what they asked for is done', () => files() <= filesBefore, 30_000);
    rssMb.push(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024);
  }
  // Until then memory is taken for what is there at most at a time.
  expect(rssMb.at(-1)! - rssMb[1]!).toBeLessThan(40);
  node.createPublisher('/never', textType, reliable);
  await until('it is active', async () => (await state()) === 'active', 30_000);
  const pods = await agent.pods();
  expect(pods.map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual([0, 0]);
}, 300_000);
