/**
 * An hour's comings and goings in half a minute, and a domain that is crowded and rude: nothing grows, and pods are looked
 * after all the same. `ROSLET_CHURN_TURNS=100` goes on for longer.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { echoType, textType } from '../../ros/contract/types.ts';
import { cycloneTransport } from '../../ros/cyclone/index.ts';
import { GetState } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { List } from '../../ros/messages/gen/roslet_msgs.ts';
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
