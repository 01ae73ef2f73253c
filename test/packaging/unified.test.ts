/**
 * The installed product beside systemd as PID 1 on cgroup v2, as on a robot: whose cgroups are whose, what the kernel
 * holds pods to, and what survives what. It installs roslet on the machine that it runs on, so only on one that is there
 * for nothing else: the virtual machine of cgroup-v2.sh (vitest.config.ts leaves it out elsewhere).
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { http, isReady, pidsOf, until } from '../agent.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '..', '..');
const cgroupfs = '/sys/fs/cgroup';
/** Below a root of its own, so as not to meet a kubelet's. */
const allPods = 'roslet/kubepods';
const manifests = '/etc/roslet/manifests';

describe('roslet beside systemd on cgroup v2', () => {
  let untouched: Map<string, string>;

  beforeAll(async () => {
    // A delegated unit has systemd pass on controllers by itself, as that of roslet has: so that only roslet is seen.
    await run('systemd-run', ['--unit=reference', '-p', 'Delegate=yes', 'sleep', 'infinity']);
    untouched = systemdsCgroups();
    await run('make', ['install', '--no-print-directory', 'PREFIX=/usr'], { cwd: repository });
    writeFileSync(join(manifests, 'steady.yaml'), manifest('steady', 'exec sleep 100000'));
    await systemctl('enable', '--now', 'roslet');
    await podUntil('steady', isReady);
  });
  afterAll(async () => {
    rmSync(join(manifests, 'steady.yaml'), { force: true });
    await until('pods are gone', async () => podCgroups().length === 0);
    await run('make', ['uninstall', '--no-print-directory', 'PREFIX=/usr'], { cwd: repository });
    await systemctl('stop', 'reference');
  });

  test('the controllers that pods need are passed on from the root down, beside those of systemd', () => {
    for (const cgroup of ['', 'roslet', allPods, `${allPods}/burstable`]) {
      const passedOn = control(cgroup, 'cgroup.subtree_control').split(' ');
      expect(passedOn, cgroup).toEqual(expect.arrayContaining(available().filter(isForPods)));
    }
  });

  test('the kernel holds containers to their limits', async () => {
    const container = await cgroupOf('steady');
    expect(control(container, 'memory.max')).toBe(`${48 * 2 ** 20}`);
    expect(control(container, 'cpu.max')).toBe('50000 100000');
    expect(control(join(container, '..'), 'memory.max')).toBe(`${48 * 2 ** 20}`);
    expect(control(join(container, '..'), 'cpu.max')).toBe('50000 100000');
  });

  test('a pod that takes too much memory is OOMKilled, as a whole, and neither the unit nor other pods notice', async () => {
    const before = await steadyProcess();
    const greedy = '(tail /dev/zero); echo survived > /dev/termination-log; exit 0';
    writeFileSync(join(manifests, 'greedy.yaml'), manifest('greedy', greedy, 'restartPolicy: Never'));
    const pod = await podUntil('greedy', ({ status }) => status?.phase === 'Failed');
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated?.message).toBeUndefined();
    rmSync(join(manifests, 'greedy.yaml'));
    await until('it is gone', async () => (await pods()).length === 1);
    expect(await unit('ActiveState')).toBe('active');
    expect(await unit('NRestarts')).toBe('0');
    expect(await steadyProcess()).toEqual(before);
  });

  test.each([
    ['is restarted', () => systemctl('restart', 'roslet')],
    ['is killed', () => systemctl('kill', '-s', 'KILL', '--kill-whom=main', 'roslet')],
    ['has its unit read anew', () => systemctl('daemon-reload')],
    ['sees systemd itself replaced', () => systemctl('daemon-reexec')],
    ['is stopped and started', () => systemctl('stop', 'roslet').then(() => systemctl('start', 'roslet'))],
  ])('pods go on, with their limits, when the agent %s', async (_name, disturb) => {
    const before = await steadyProcess();
    await disturb();
    await until('the agent is back', async () => (await unit('ActiveState')) === 'active');
    await podUntil('steady', isReady);
    expect(await steadyProcess()).toEqual(before);
    expect(control(await cgroupOf('steady'), 'memory.max')).toBe(`${48 * 2 ** 20}`);
  });

  test('pods that come later have their limits as well', async () => {
    writeFileSync(join(manifests, 'later.yaml'), manifest('later', 'exec sleep 100000'));
    await podUntil('later', isReady);
    expect(control(await cgroupOf('later'), 'memory.max')).toBe(`${48 * 2 ** 20}`);
    rmSync(join(manifests, 'later.yaml'));
    await until('it is gone', async () => podCgroups().length === 1);
  });

  test("nothing in systemd's own cgroups is changed, and no process of theirs moved", () => {
    const now = systemdsCgroups();
    for (const [name, value] of untouched)
      if (now.has(name)) expect([name, now.get(name)]).toEqual([name, value]);
    expect(now.size).toBeGreaterThan(50);
    // Supervisors of host processes are in the cgroups of their pods, not in that of the unit.
    expect(pidsOf(join(cgroupfs, 'system.slice/roslet.service'))).toHaveLength(1);
  });

  const systemctl = (...args: string[]) => run('systemctl', args);
  const unit = async (property: string) =>
    (await run('systemctl', ['show', 'roslet', '-p', property, '--value'])).stdout.trim();
  const pods = async (): Promise<Pod[]> =>
    (JSON.parse(await http('/var/lib/roslet/roslet.sock', 'GET', '/pods')) as { items: Pod[] }).items;
  const podUntil = (name: string, condition: (pod: Pod) => boolean): Promise<Pod> =>
    until(`pod ${name} is as wanted`, async () =>
      (await pods()).find((pod) => pod.metadata?.name?.startsWith(`${name}-`) && condition(pod)),
    );
  const cgroupOf = async (name: string): Promise<string> => {
    const pod = await podUntil(name, isReady);
    const id = pod.status?.containerStatuses?.[0]?.containerID?.split('//')[1];
    const path = podCgroups().find((cgroup) => existsSync(join(cgroupfs, cgroup, `${id}`)));
    return join(`${path}`, `${id}`);
  };
  const steadyProcess = async () => {
    const pod = await podUntil('steady', isReady);
    const { state, restartCount } = pod.status!.containerStatuses![0]!;
    return { state, restartCount, pids: pidsOf(join(cgroupfs, await cgroupOf('steady'))) };
  };
});

const isForPods = (controller: string): boolean =>
  ['cpu', 'cpuset', 'io', 'memory', 'hugetlb', 'pids'].includes(controller);

const control = (cgroup: string, file: string): string =>
  readFileSync(join(cgroupfs, cgroup, file), 'utf8').trim();

const available = (): string[] => control('', 'cgroup.controllers').split(' ');

const podCgroups = (): string[] =>
  [allPods, `${allPods}/burstable`, `${allPods}/besteffort`].flatMap((parent) =>
    readdirSync(join(cgroupfs, parent))
      .filter((name) => name.startsWith('pod'))
      .map((name) => join(parent, name)),
  );

/** What can be set in systemd's cgroups, and the processes in them, but for units that come and go by themselves. */
function systemdsCgroups(): Map<string, string> {
  const found = new Map<string, string>();
  const files = /^(cgroup\.(subtree_control|type|freeze|max)|(cpu|cpuset|io|memory|pids|hugetlb)\..*)$/;
  const walk = (cgroup: string): void => {
    for (const entry of readdirSync(join(cgroupfs, cgroup), { withFileTypes: true })) {
      const path = join(cgroup, entry.name);
      if (entry.isDirectory()) {
        if (path !== 'roslet' && !path.endsWith('roslet.service')) walk(path);
      } else if (cgroup !== '' && files.test(entry.name) && isSetting(entry.name)) {
        found.set(path, control(cgroup, entry.name));
      }
    }
    for (const pid of cgroup === '' ? [] : pidsOf(join(cgroupfs, cgroup))) {
      const startTime = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
      found.set(`process ${pid} of ${startTime}`, cgroup);
    }
  };
  walk('');
  return found;
}

/** Not what the kernel counts. */
const isSetting = (file: string): boolean =>
  /\.(weight|max|high|low|min|subtree_control|type|freeze|cpus|mems|group|nice|idle|partition)$/.test(file);

const manifest = (name: string, script: string, more = 'restartPolicy: Always') => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${more}
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    command: [sh, -c, ${JSON.stringify(script)}]
    resources: {limits: {cpu: 500m, memory: 48Mi}, requests: {cpu: 50m, memory: 16Mi}}
`;
