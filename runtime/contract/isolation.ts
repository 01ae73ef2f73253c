/** Namespaces: which are shared between the containers of a pod, which with the host. */
import { readFileSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { NamespaceOption } from '../runtime.ts';
import type { Bench, Pod } from './harness.ts';

const hostNamespace = (kind: string): string => readlinkSync(`/proc/self/ns/${kind}`);

const listNamespaces = 'for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done';

const byKind = (listed: string): Record<string, string> =>
  Object.fromEntries(
    listed
      .trim()
      .split('\n')
      .map((line) => [line.split(':')[0], line]),
  );

export function isolationCases(bench: Bench): void {
  const podWith = async (options: Partial<NamespaceOption>, hostname = ''): Promise<Pod> =>
    bench.pod({
      hostname,
      securityContext: {
        namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD', ...options },
        readonlyRootfs: false,
        supplementalGroups: [],
        privileged: false,
        seccomp: { type: 'Unconfined' },
      },
    });

  const namespacesOf = async (pod: Pod, name: string): Promise<Record<string, string>> => {
    const script = 'for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done';
    const { stdout } = await bench.runToEnd(pod, name, script);
    return Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => [line.split(':')[0], line]),
    );
  };

  test('containers of a pod share ipc, and each has its own mounts and processes', async () => {
    const pod = await podWith({});
    const first = await bench.start(pod, 'first', 'sleep 100');
    const { stdout } = await bench.runtime.execSync(first, ['sh', '-c', listNamespaces], 10_000);
    const [a, b] = [byKind(String(stdout)), await namespacesOf(pod, 'second')];
    expect(a.ipc).toBe(b.ipc);
    expect(a.ipc).not.toBe(hostNamespace('ipc'));
    expect(a.mnt).not.toBe(b.mnt);
    expect(a.mnt).not.toBe(hostNamespace('mnt'));
    expect(a.net).toBe(hostNamespace('net'));
    expect(a.pid).not.toBe(hostNamespace('pid'));
  });

  test('with host namespaces a container has those of the host', async () => {
    const found = await namespacesOf(await podWith({ pid: 'NODE', ipc: 'NODE' }), 'main');
    for (const kind of ['net', 'ipc', 'pid']) expect(found[kind]).toBe(hostNamespace(kind));
    expect(found.mnt).not.toBe(hostNamespace('mnt'));
  });

  if (!bench.traits.needsCni)
    test('a pod with its own network has a loopback device that is up, and its own hostname', async () => {
      const pod = await podWith({ network: 'POD' }, 'robot-arm');
      const script = 'hostname; echo $HOSTNAME; cat /sys/class/net/lo/flags; ls /sys/class/net';
      const { stdout } = await bench.runToEnd(pod, 'main', script);
      const [name, variable, flags, ...devices] = stdout.trim().split('\n');
      expect([name, variable]).toEqual(['robot-arm', 'robot-arm']);
      expect(Number(flags) & 1).toBe(1);
      expect(devices).toContain('lo');
      const found = await namespacesOf(pod, 'other');
      expect(found.net).not.toBe(hostNamespace('net'));
      expect(found.uts).not.toBe(hostNamespace('uts'));
    });

  if (!bench.traits.needsCni)
    test('sysctls of the pod are set in it and not on the host', async () => {
      const before = readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8');
      const pod = await bench.pod({
        hostname: 'x',
        sysctls: { 'net.ipv4.ip_unprivileged_port_start': '77', 'kernel.shm_rmid_forced': '1' },
        securityContext: {
          namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
          readonlyRootfs: false,
          supplementalGroups: [],
          privileged: false,
          seccomp: { type: 'Unconfined' },
        },
      });
      const script = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced';
      expect((await bench.runToEnd(pod, 'main', script)).stdout).toBe('77\n1\n');
      expect(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')).toBe(before);
    });

  test('/dev/shm is shared in the pod and is not that of the host', async () => {
    const pod = await podWith({});
    await bench.runToEnd(pod, 'writer', 'echo $$ shared > /dev/shm/contract-shm');
    const { stdout } = await bench.runToEnd(pod, 'reader', 'cat /dev/shm/contract-shm');
    expect(stdout).toContain('shared');
    const other = await bench.runToEnd(await podWith({}), 'main', 'ls /dev/shm | wc -l');
    expect(other.stdout.trim()).toBe('0');
    const host = await bench.runToEnd(await podWith({ ipc: 'NODE' }), 'main', 'cat /dev/shm/contract-shm');
    expect(host.status.exitCode).not.toBe(0);
  });

  test('with a shared process namespace containers see each other', async () => {
    const pod = await podWith({ pid: 'POD' });
    const id = await bench.start(pod, 'a', 'sleep 4711');
    await bench.runtime.execSync(id, ['true'], 10_000);
    const { stdout } = await bench.runToEnd(pod, 'b', 'ps -o args');
    expect(stdout).toContain('sleep 4711');
    expect((await namespacesOf(pod, 'c')).pid).not.toBe(hostNamespace('pid'));
  });

  test('in a shared process namespace a container that is stopped leaves the others alone', async () => {
    const pod = await podWith({ pid: 'POD' });
    const a = await bench.start(pod, 'a', 'sleep 100');
    const b = await bench.start(pod, 'b', 'sleep 100');
    await bench.runtime.stopContainer(a, 1);
    expect((await bench.runtime.containerStatus(b)).state).toBe('CONTAINER_RUNNING');
  });

  test('a container can join the process namespace of another', async () => {
    const pod = await podWith({});
    const target = await bench.start(pod, 'target', 'sleep 4712');
    await bench.runtime.execSync(target, ['true'], 10_000);
    const { stdout } = await bench.runToEnd(pod, 'debugger', 'ps -o args', {
      securityContext: {
        namespaceOptions: { network: 'NODE', pid: 'TARGET', ipc: 'POD', targetId: target },
      },
    });
    expect(stdout).toContain('sleep 4712');
  });

  test('a container in the host process namespace is stopped with all its children', async () => {
    const pod = await podWith({ pid: 'NODE' });
    const id = await bench.start(pod, 'main', '(trap "" TERM; sleep 4713) & sleep 4713');
    await bench.runtime.stopContainer(id, 1);
    const { stdout } = await bench.runToEnd(pod, 'check', 'ps -o args 2>/dev/null || ps');
    expect(stdout).not.toMatch(/^sleep 4713/m);
  });

  test('orphans are reaped', async () => {
    const script = '(sh -c "sleep 0.1 & exit" ); sleep 0.5; grep -l "^State:.Z" /proc/[0-9]*/status | wc -l';
    expect((await bench.runToEnd(await podWith({}), 'main', script)).stdout.trim()).toBe('0');
  });
}
