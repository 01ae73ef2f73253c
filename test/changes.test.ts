/** What changes under a running agent: the network, the clock over a restart, the room for a change, sandboxes that die. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { latched } from '../ros/contract/types.ts';
import { cycloneTransport } from '../ros/cyclone/index.ts';
import { Log } from '../ros/messages/gen/rcl_interfaces.ts';
import type { Node, Pod } from '../src/api/core.gen.ts';
import { silentLogger } from '../src/log.ts';
import { isReady, TestAgent, until } from './agent.ts';
import { startContainerd } from './peers/containerd.ts';

const pod = (name: string, { spec = '', container = '', command = 'while sleep 0.1; do :; done' } = {}) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
${spec}
  containers:
  - name: main
    command: [sh, -c, ${JSON.stringify(command)}]
${container}
`;
const containerId = (p: Pod): string => p.status?.containerStatuses?.[0]?.containerID ?? '';

let agent: TestAgent | undefined;
async function start(options: Parameters<typeof TestAgent.create>[0] = {}): Promise<TestAgent> {
  agent = await TestAgent.create(options);
  await agent.start();
  return agent;
}
afterEach(async () => {
  const left = await agent?.remove();
  agent = undefined;
  expect(left ?? []).toEqual([]);
});

it('a robot that gets its network after the agent has started tells its address', async () => {
  const config = 'syncFrequency: 1s\nnodeStatusUpdateFrequency: 1s\n';
  const a = await start({ config, through: ['unshare', '--net', '--'] });
  await a.apply('a.yaml', pod('early'));
  expect((await a.ready('early')).status?.hostIPs).toEqual([{ ip: '127.0.0.1' }]);
  const inside = (...command: string[]) => execFileSync('nsenter', ['-n', '-t', String(a.pid), ...command]);
  inside('ip', 'link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
  inside('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'late0');
  for (const link of ['late0', 'late1']) inside('ip', 'link', 'set', link, 'up');
  const has = ({ status }: Pod) => status?.hostIP === '192.0.2.10' && status.podIP === '192.0.2.10';
  const later = await a.podUntil('early', 'has the address', has);
  expect(later.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  await until('the node has the address', async () => {
    const node = JSON.parse(await a.get('/api/v1/nodes/robot')) as Node;
    return node.status?.addresses?.some(({ address }) => address === '192.0.2.10');
  });
});

it('a robot that gets its network after the agent has started is found there over ROS 2', async () => {
  const ros = '{domainId: 98, discoveryRange: subnet}';
  const roslet = join(import.meta.dirname, '..', 'bin', 'roslet');
  const a = await start({ ros, through: ['unshare', '--net', '--'] });
  const inside = (...command: string[]) =>
    execFileSync('nsenter', ['-n', '-t', String(a.pid), ...command], {
      encoding: 'utf8',
      env: { ...process.env, ROS_DOMAIN_ID: '98' },
    });
  inside('ip', 'link', 'set', 'lo', 'up');
  inside('ip', 'link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
  inside('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'late0');
  for (const link of ['late0', 'late1']) inside('ip', 'link', 'set', link, 'up');
  await until('the bridge is opened anew', async () =>
    (await a.events()).some(
      ({ reason, message }) => reason === 'RosBridgeUnavailable' && message?.includes('192.0.2.10'),
    ),
  );
  await until('it is found', async () => inside(roslet, 'ros', 'nodes').includes('/robot/roslet'));
});

describe('a clock that is set', () => {
  const preload = [
    '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
    '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
  ].find((f) => existsSync(f));
  const clock = join(tmpdir(), `roslet-clock-${process.pid}`);
  afterAll(() => rmSync(clock, { force: true }));
  const deadline = { spec: '  activeDeadlineSeconds: 1200' };
  const stubborn = { command: 'trap "" TERM; while sleep 0.1; do :; done' };

  async function startWithClock(ros?: string): Promise<{ a: TestAgent; set(step: string): void }> {
    expect(preload, 'libfaketime is part of the test set-up').toBeDefined();
    writeFileSync(clock, '+0s');
    const a = await start({
      ...(ros === undefined ? {} : { ros }),
      config: 'syncFrequency: 1s\n',
      env: {
        LD_PRELOAD: preload!,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    return { a, set: (step) => writeFileSync(clock, step) };
  }
  const record = (a: TestAgent): { firstSeenMs: number; stop?: { deadlineMs: number } } => {
    const dir = join(a.root, 'store', 'pod-records');
    const text = readFileSync(join(dir, readdirSync(dir)[0]!), 'utf8');
    return JSON.parse(text.slice(text.indexOf('\n') + 1)).value;
  };

  it.each([3600, -3600])('by %i s and a restart of the agent move no deadline of a pod', async (step) => {
    const { a, set } = await startWithClock();
    await a.apply(
      'a.yaml',
      pod('timed', { ...deadline, ...stubborn }).replace('Seconds: 1\n', 'Seconds: 600\n'),
    );
    const before = await a.ready('timed');
    const { firstSeenMs } = record(a);
    set(`${step < 0 ? '' : '+'}${step}s`);
    const moved = (ms: number, from: number) => Math.abs(ms - from - step * 1000) < 60_000;
    await until('the record follows', async () => moved(record(a).firstSeenMs, firstSeenMs));
    await a.stop('SIGKILL');
    await a.start();
    await sleep(2000);
    expect(containerId(await a.ready('timed'))).toBe(containerId(before));

    // The same of the grace of a pod that ends.
    await a.unapply('a.yaml');
    const stop = await until('it is being stopped', async () => record(a).stop);
    set('+0s');
    await until('the record follows', async () => moved(stop.deadlineMs, record(a).stop!.deadlineMs));
    await a.stop('SIGKILL');
    await a.start();
    await sleep(2000);
    expect(containerId((await a.pod('timed'))!)).toBe(containerId(before));
    expect((await a.pod('timed'))?.status?.containerStatuses?.[0]?.state?.running).toBeDefined();
    await a.stop('SIGKILL');
    await a.killPods();
  });

  it('back silences no pod on /rosout, and one that was adopted goes on there', async () => {
    const domainId = 91;
    const { a, set } = await startWithClock(`{domainId: ${domainId}, discoveryRange: localhost}`);
    const transport = cycloneTransport({
      addonPath: join(import.meta.dirname, '..', 'dist', 'roslet-dds.node'),
      discovery: { domainId, range: 'localhost', staticPeers: [] },
      log: silentLogger(),
    });
    try {
      const lines: Log[] = [];
      const heard = ({ name }: Log) => name === 'robot.pods.default.loud_robot';
      transport
        .createNode('peer', '/')
        .createSubscription(
          '/rosout',
          Log,
          { ...latched, depth: 1000 },
          (line) => heard(line) && lines.push(line),
        );
      const command = 'i=0; while sleep 0.2; do i=$((i+1)); echo line $i; done';
      const annotated = 'metadata: {annotations: {roslet.dev/rosout: "true"}, ';
      await a.apply('a.yaml', pod('loud', { command }).replace('metadata: {', annotated));
      const since = (count: number) => until('it goes on', async () => lines.length > count + 3);
      await since(0);
      set('-3600s');
      await since(lines.length);
      await a.stop('SIGKILL');
      const told = lines.length;
      await a.start();
      await since(told);
      const numbers = lines.map(({ msg }) => Number(msg.replace('line ', '')));
      expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
    } finally {
      await transport.close();
    }
  });
});

it('a change that the node has no room for waits, and is taken when there is some', async () => {
  const a = await start();
  const port = '    ports: [{containerPort: 18081, hostPort: 18081}]';
  await a.apply('a.yaml', pod('first', { container: port }));
  await a.ready('first');
  await a.apply('b.yaml', pod('second'));
  const before = await a.ready('second');
  await a.apply('b.yaml', pod('second', { container: port }));
  const refusals = async () =>
    (await a.events()).filter(({ message }) => message?.includes('change of the manifest'));
  await until('the change is refused', async () => (await refusals()).length > 0);
  await sleep(1000);
  const meanwhile = (await a.pod('second'))!;
  expect(isReady(meanwhile)).toBe(true);
  expect(containerId(meanwhile)).toBe(containerId(before));
  expect(meanwhile.spec?.containers[0]?.ports ?? []).toEqual([]);
  expect(await refusals()).toMatchObject([{ reason: 'NodePorts', type: 'Warning', count: 1 }]);
  await a.unapply('a.yaml');
  const taken = (p: Pod) => containerId(p) !== containerId(before) && isReady(p);
  const after = await a.podUntil('second', 'has the change', taken);
  expect(after.spec?.containers[0]?.ports).toMatchObject([{ hostPort: 18081 }]);
});

it('a sandbox that dies at once is made anew a few times, then only now and then', async () => {
  const a = await start();
  const sandboxes = join(a.root, 'process', 'sandboxes');
  const killed = new Set<string>();
  const killAll = (): void => {
    for (const id of existsSync(sandboxes) ? readdirSync(sandboxes) : []) {
      const pause = join(sandboxes, id, 'pause');
      if (id.startsWith('.') || killed.has(id) || !existsSync(join(sandboxes, id, 'ready'))) continue;
      const pid = Number(readFileSync(pause, 'utf8').split(' ')[0]);
      if (!existsSync(`/proc/${pid}`)) continue;
      process.kill(pid, 'SIGKILL');
      killed.add(id);
    }
  };
  await a.apply('a.yaml', pod('doomed'));
  await until('several are made', async () => {
    killAll();
    return killed.size >= 4;
  });
  // A loop without back off would make dozens.
  for (let i = 0; i < 200; i++) {
    killAll();
    await sleep(20);
  }
  expect(killed.size).toBeLessThanOrEqual(5);
  const p = await a.ready('doomed');
  expect(p.status?.phase).toBe('Running');
  expect((await a.events()).some(({ reason }) => reason === 'SandboxChanged')).toBe(true);
});

it('an agent whose container runtime is gone when it starts keeps what it had there', async () => {
  const containerd = await startContainerd('1.6');
  try {
    const a = await start({ criEndpoint: containerd.endpoint });
    const image = '    image: docker.io/library/busybox:local';
    await a.apply(
      'a.yaml',
      pod('contained', { container: image }).replace('  runtimeClassName: host-process\n', ''),
    );
    const before = await a.ready('contained');
    // Its status is kept a moment later.
    await sleep(1500);
    await a.stop('SIGKILL');
    await containerd.kill9();
    await a.start();
    await a.apply('b.yaml', pod('native'));
    await a.ready('native');
    const meanwhile = (await a.pod('contained'))!;
    expect(containerId(meanwhile)).toBe(containerId(before));
    expect(isReady(meanwhile)).toBe(true);
    await containerd.restart();
    await until('it is looked at', async () => /answers again/.test(a.log));
    await sleep(1000);
    const after = await a.ready('contained');
    expect(containerId(after)).toBe(containerId(before));
    expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    const left = await a.remove();
    agent = undefined;
    expect(left).toEqual([]);
  } finally {
    await containerd.stop();
  }
});
