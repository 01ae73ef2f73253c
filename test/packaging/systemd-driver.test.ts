/**
 * `cgroupDriver: systemd` beside systemd as PID 1 on cgroup v2: pods are slices, and keep their limits whatever systemd does.
 * Only on a machine that is there for nothing else (vitest.config.ts).
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pidsOf, TestAgent, until } from '../agent.ts';
import { startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { busyboxImage } from '../peers/images.ts';

const run = promisify(execFile);
const cgroupfs = '/sys/fs/cgroup';
const mib = 2 ** 20;

describe.each(['engine', 'host processes'])('pods as slices of systemd: %s', (kind) => {
  const isEngine = kind === 'engine';
  let containerd: TestContainerd | undefined;
  let agent: TestAgent;
  /** Of all pods, without its ending. */
  let pods: string;

  beforeAll(async () => {
    if (isEngine) containerd = await startContainerd('1.6', { systemdCgroup: true });
    agent = await TestAgent.create({
      config: 'cgroupDriver: systemd\n',
      ...(containerd === undefined ? {} : { criEndpoint: containerd.endpoint }),
    });
    pods = `${agent.cgroup.slice(1).replaceAll('-', '_')}-kubepods`;
    await agent.start();
    await agent.apply('steady.yaml', manifest('steady', '{cpu: 500m, memory: 48Mi}', isEngine));
    await agent.apply('free.yaml', manifest('free', undefined, isEngine));
    await agent.ready('steady');
    await agent.ready('free');
  });
  afterAll(async () => {
    const left = await agent.remove();
    await run('systemctl', ['stop', `${pods.split('-')[0]}.slice`]);
    await containerd?.stop();
    expect(left).toEqual([]);
  });

  test('are where the kubelet has them, in units that systemd knows', async () => {
    const steady = await sliceOf('steady');
    expect(steady).toMatch(/-kubepods-burstable-pod[0-9a-z_]+\.slice$/);
    expect(await sliceOf('free')).toMatch(/-kubepods-besteffort-pod[0-9a-z_]+\.slice$/);
    for (const name of [`${pods}.slice`, `${pods}-burstable.slice`, steady]) {
      expect(await property(name, 'ActiveState'), name).toBe('active');
      expect(await property(name, 'ControlGroup'), name).toBe(pathOf(name));
    }
    expect(containersOf(steady).flatMap((dir) => pidsOf(dir)).length).toBeGreaterThan(0);
  });

  test('are held to their limits by systemd and by the kernel', async () => {
    const steady = await sliceOf('steady');
    expect(await property(steady, 'MemoryMax')).toBe(`${48 * mib}`);
    expect(await property(steady, 'CPUQuotaPerSecUSec')).toBe('500ms');
    expect(await property(steady, 'CPUWeight')).toBe(control(steady, 'cpu.weight'));
    expectLimits(steady);
    expect(await property(`${pods}-besteffort.slice`, 'CPUWeight')).toBe('1');
  });

  test.each([
    ['reads its units anew', ['daemon-reload']],
    ['is replaced', ['daemon-reexec']],
    ['is told another limit of all pods', ['set-property', '--runtime', 'SLICE', 'CPUWeight=77']],
  ])('keep their limits when systemd %s', async (_, args) => {
    const steady = await sliceOf('steady');
    const before = await state('steady');
    await run(
      'systemctl',
      args.map((arg) => (arg === 'SLICE' ? `${pods}.slice` : arg)),
    );
    // It is asked for something, so that what it does at leisure has been done.
    await property(steady, 'MemoryMax');
    expectLimits(steady);
    expect(await state('steady')).toEqual(before);
    await agent.apply('later.yaml', manifest('later', '{cpu: 500m, memory: 48Mi}', isEngine));
    await agent.ready('later');
    expectLimits(await sliceOf('later'));
    expectLimits(steady);
    await agent.unapply('later.yaml');
    await until('it is gone', async () => (await agent.pod('later')) === undefined);
  });

  test('go on when the agent is killed, and it finds them', async () => {
    const before = await state('steady');
    await agent.stop('SIGKILL');
    await agent.start();
    await agent.ready('steady');
    expect(await state('steady')).toEqual(before);
    expectLimits(await sliceOf('steady'));
  });

  test('are measured', async () => {
    const text = await until('what it takes is measured', async () => {
      const metrics = await agent.get('/metrics/resource');
      return /^pod_memory_working_set_bytes\{[^}]*steady[^}]*\} [1-9]/m.test(metrics) && metrics;
    });
    expect(text).toMatch(/^container_memory_working_set_bytes\{[^}]*steady[^}]*\} [1-9]/m);
  });

  test('take their limits from a resize', async () => {
    await agent.apply('steady.yaml', manifest('steady', '{cpu: 500m, memory: 64Mi}', isEngine));
    const steady = await sliceOf('steady');
    await until('it is resized', () => control(steady, 'memory.max') === `${64 * mib}`);
    expect(await property(steady, 'MemoryMax')).toBe(`${64 * mib}`);
    await until('its container is', () =>
      containersOf(steady).some(
        (dir) => readFileSync(join(dir, 'memory.max'), 'utf8').trim() === `${64 * mib}`,
      ),
    );
    expect((await agent.ready('steady')).status?.containerStatuses?.[0]?.restartCount).toBe(0);
  });

  test('leave nothing of them in systemd', async () => {
    const slice = await sliceOf('free');
    await agent.unapply('free.yaml');
    await until('it is gone', async () => (await agent.pod('free')) === undefined);
    await until(
      'its slice is',
      async () => (await property(slice, 'LoadState')) !== 'loaded' || !existsSync(dirOf(slice)),
    );
    const { stdout } = await run('systemctl', [
      'list-units',
      '--all',
      '--plain',
      '--no-legend',
      `${slice.slice(0, -6)}*`,
    ]);
    expect(stdout).toBe('');
    expect(existsSync(dirOf(slice))).toBe(false);
  });

  const property = async (unit: string, name: string) =>
    (await run('systemctl', ['show', unit, '-p', name, '--value'])).stdout.trim();
  const dirOf = (slice: string) => join(cgroupfs, pathOf(slice));
  const control = (slice: string, file: string) => readFileSync(join(dirOf(slice), file), 'utf8').trim();
  const sliceOf = async (name: string): Promise<string> => {
    const uid = (await agent.ready(name)).metadata!.uid!.replaceAll('-', '_');
    const found = ['', '-burstable', '-besteffort']
      .map((qos) => `${pods}${qos}-pod${uid}.slice`)
      .find((slice) => existsSync(dirOf(slice)));
    if (found === undefined) throw new Error(`${name} (${uid}) has no slice`);
    return found;
  };
  const state = async (name: string) => {
    const [status] = (await agent.ready(name)).status!.containerStatuses!;
    return { state: status!.state, restartCount: status!.restartCount };
  };
  /** Of the pod and its container. */
  const expectLimits = (slice: string) => {
    const limited = containersOf(slice).filter(
      (dir) => readFileSync(join(dir, 'memory.max'), 'utf8').trim() === `${48 * mib}`,
    );
    expect(limited, slice).toHaveLength(1);
    expect(readFileSync(join(limited[0]!, 'cpu.max'), 'utf8').trim()).toBe('50000 100000');
    expect(control(slice, 'memory.max')).toBe(`${48 * mib}`);
    expect(control(slice, 'cpu.max')).toBe('50000 100000');
  };
  const containersOf = (slice: string): string[] =>
    readdirSync(dirOf(slice), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(dirOf(slice), entry.name));
});

/** systemd.slice(5): the name is the place. */
function pathOf(slice: string): string {
  const parts = basename(slice, '.slice').split('-');
  return `/${parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/')}`;
}

const manifest = (name: string, limits: string | undefined, isEngine: boolean) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${isEngine ? '' : 'runtimeClassName: host-process'}
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    ${isEngine ? `image: ${busyboxImage}` : ''}
    command: [sleep, '100000']
    ${limits === undefined ? '' : `resources: {limits: ${limits}, requests: {cpu: 50m, memory: 16Mi}}`}
`;
