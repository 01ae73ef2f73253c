/** Every field of a sandbox's and a container's configuration, as the container itself sees it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { criRuntime } from '../../runtime/cri/index.ts';
import type {
  ContainerConfig,
  ContainerStatus,
  Mount,
  NamespaceOption,
  PodSandboxConfig,
  Runtime,
} from '../../runtime/runtime.ts';
import { silentLogger } from '../../src/log.ts';
import { relayPath, startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { containerdLines } from '../peers/containerd-binaries.ts';
import { busyboxImage, configuredImage } from '../peers/images.ts';
import { containerConfig, sandboxConfig, securityContext } from './configs.ts';

describe.each(containerdLines)('fields through containerd %s', (line) => {
  let containerd: TestContainerd;
  let runtime: Runtime;
  let pod: { config: PodSandboxConfig; id: string };
  let names = 0;
  const closing = new AbortController();

  beforeAll(async () => {
    containerd = await startContainerd(line);
    runtime = await criRuntime({
      endpoint: containerd.endpoint,
      relayPath,
      log: silentLogger(),
      signal: closing.signal,
    });
    pod = await startPod();
  });
  afterAll(async () => {
    closing.abort();
    await containerd?.stop();
  });

  async function startPod(change: Partial<PodSandboxConfig> = {}, handler = '') {
    const config = sandboxConfig(containerd, `pod-${names++}`, change);
    return { config, id: await runtime.runPodSandbox(config, handler) };
  }

  async function start(script: string, change: Partial<ContainerConfig> = {}, inPod = pod) {
    const name = `c-${names++}`;
    const config = containerConfig(name, script, change);
    const id = await runtime.createContainer(inPod.id, config, inPod.config);
    await runtime.startContainer(id);
    return { id, logPath: join(inPod.config.logDirectory, `${name}.log`) };
  }

  const exited = async (id: string): Promise<ContainerStatus> => {
    await expect.poll(async () => (await runtime.containerStatus(id)).state).toBe('CONTAINER_EXITED');
    return runtime.containerStatus(id);
  };

  /** Runs the script as the container's main process, and returns what it wrote; two streams in no certain order. */
  async function output(script: string, change: Partial<ContainerConfig> = {}, inPod = pod): Promise<string> {
    const { id, logPath } = await start(script, change, inPod);
    await exited(id);
    return readFileSync(logPath, 'utf8')
      .split('\n')
      .map((entry) => entry.replace(/^\S+ \S+ \S+ /, ''))
      .join('\n')
      .trim();
  }

  const secured = (change: Parameters<typeof securityContext>[0]): Partial<ContainerConfig> => ({
    securityContext: securityContext(change),
  });

  test('capabilities', async () => {
    const only = { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } };
    expect(await output('grep CapEff /proc/self/status', secured(only))).toBe('CapEff:\t0000000000001000');
  });

  test('no new privileges', async () => {
    const script = 'grep NoNewPrivs /proc/self/status';
    expect(await output(script, secured({ noNewPrivs: true }))).toBe('NoNewPrivs:\t1');
    expect(await output(script)).toBe('NoNewPrivs:\t0');
  });

  test('seccomp: the default, none, a profile of the node', async () => {
    const script = 'grep Seccomp: /proc/self/status; mkdir /made 2>&1';
    expect(await output(script)).toBe('Seccomp:\t2');
    expect(await output(script, secured({ seccomp: { type: 'Unconfined' } }))).toBe('Seccomp:\t0');
    const profile = join(containerd.root, 'no-mkdir.json');
    const denied = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
    writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [denied] }));
    const localhost = { seccomp: { type: 'Localhost', localhostRef: profile } } as const;
    expect(await output(script, secured(localhost))).toMatch(
      /^Seccomp:\t2\nmkdir: .*Operation not permitted$/,
    );
  });

  test('read-only root, masked and read-only paths', async () => {
    expect(await output('touch /x 2>&1', secured({ readonlyRootfs: true }))).toMatch(/Read-only file system/);
    expect(await output('cat /etc/passwd', secured({ maskedPaths: ['/etc/passwd'] }))).toBe('');
    expect(await output('touch /tmp/x 2>&1', secured({ readonlyPaths: ['/tmp'] }))).toMatch(
      /Read-only file system/,
    );
  });

  test('user, group and supplemental groups', async () => {
    const script = 'id -u; id -g; id -G';
    const numbers = { runAsUser: 1000, runAsGroup: 2000, supplementalGroups: [3000, 3001] };
    expect(await output(script, secured(numbers))).toBe('1000\n2000\n2000 3000 3001');
    expect(await output('id -u', secured({ runAsUsername: 'nobody' }))).toBe('65534');
    expect(await output('id -u', secured({ runAsUser: 0, runAsUsername: 'nobody' }))).toBe('0');
  });

  test("strict supplemental groups leave out the image's, or are refused", async () => {
    const merged = secured({ runAsUser: 65534, supplementalGroupsPolicy: 'Merge' });
    expect((await output('id -G', merged)).split(' ')).toContain('4242');
    expect((await runtime.status()).supplementalGroupsPolicy).toBe(line === '2.x');
    const strict = output('id -G', secured({ runAsUser: 65534, supplementalGroupsPolicy: 'Strict' }));
    if (line === '2.x') expect((await strict).split(' ')).not.toContain('4242');
    else await expect(strict).rejects.toThrow(/does not know supplementalGroupsPolicy Strict/);
  });

  test("command, arguments, environment and directory complete the image's", async () => {
    const image = { image: configuredImage, userSpecifiedImage: configuredImage };
    const args = { ...image, command: [], args: ['id -un; pwd; echo $FROM_IMAGE $MINE $0'] };
    expect(await output('', { ...args, envs: [{ key: 'MINE', value: 'a b' }] })).toBe(
      'nobody\n/tmp\nyes a b /bin/sh',
    );
    expect(
      await output('', { ...args, workingDir: '/etc', envs: [{ key: 'FROM_IMAGE', value: 'no' }] }),
    ).toBe('nobody\n/etc\nno /bin/sh');
  });

  test('mounts: read-write, read-only, propagation', async () => {
    const hostPath = join(containerd.root, 'shared');
    mkdirSync(hostPath);
    execFileSync('mount', ['-t', 'tmpfs', 'test', hostPath]);
    execFileSync('mount', ['--make-shared', hostPath]);
    const mount = (containerPath: string, change: Partial<Mount> = {}): Mount => ({
      containerPath,
      hostPath,
      readonly: false,
      recursiveReadOnly: false,
      selinuxRelabel: false,
      propagation: 'PRIVATE',
      ...change,
    });
    const mounts = [
      mount('/rw'),
      mount('/ro', { readonly: true }),
      mount('/down', { propagation: 'HOST_TO_CONTAINER' }),
      mount('/both', { propagation: 'BIDIRECTIONAL' }),
    ];
    const script = 'echo x >/rw/f; cat /ro/f; touch /ro/g 2>&1; grep test /proc/self/mountinfo';
    const [read, refused, ...info] = (
      await output(script, { mounts, ...secured({ privileged: false }) })
    ).split('\n');
    expect(read).toBe('x');
    expect(refused).toMatch(/Read-only file system/);
    const propagation = (path: string) =>
      info.find((row) => row.split(' ')[4] === path)?.match(/ (shared|master):/)?.[1];
    expect(['/rw', '/down', '/both'].map(propagation)).toEqual([undefined, 'master', 'shared']);
    const status = await runtime.containerStatus((await start('true', { mounts })).id);
    expect(status.mounts).toEqual(
      expect.arrayContaining(mounts.map((each) => expect.objectContaining(each))),
    );
  });

  test('a recursively read-only mount covers what is mounted below, or is refused', async () => {
    const hostPath = join(containerd.root, 'outer');
    mkdirSync(join(hostPath, 'inner'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'test', join(hostPath, 'inner')]);
    const mount: Mount = {
      containerPath: '/data',
      hostPath,
      readonly: true,
      recursiveReadOnly: true,
      selinuxRelabel: false,
      propagation: 'PRIVATE',
    };
    const written = output('touch /data/inner/x 2>&1', { mounts: [mount] });
    if (line === '2.x') expect(await written).toMatch(/Read-only file system/);
    else await expect(written).rejects.toThrow('cannot mount /data recursively read-only');
  });

  test('devices, with their permissions', async () => {
    const devices = [{ hostPath: '/dev/kmsg', containerPath: '/dev/robot', permissions: 'r' }];
    const maySyslog = secured({ capabilities: { add: ['SYSLOG'], drop: [] } });
    const script = 'exec 2>&1; : </dev/robot && echo opened; : >/dev/robot';
    expect(await output(script, { devices, ...maySyslog })).toMatch(/^opened\n.*Operation not permitted$/);
  });

  test('resources, set and updated', async () => {
    const { id } = await start('sleep 1000', {
      resources: {
        cpuPeriodUs: 50_000,
        cpuQuotaUs: 20_000,
        cpuShares: 512,
        memoryLimitBytes: 32 << 20,
        oomScoreAdj: 500,
        cpusetCpus: '0',
        hugepageLimits: [{ pageSize: '2MB', limitBytes: 4 << 20 }],
      },
    });
    const cgroup = `${pod.config.cgroupParent}/${id}`;
    expect(cgroupValue(cgroup, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe(String(32 << 20));
    expect(cgroupValue(cgroup, 'cpuset', 'cpuset.cpus', 'cpuset.cpus')).toBe('0');
    if (hasHugetlb) {
      const limit = cgroupValue(cgroup, 'hugetlb', 'hugetlb.2MB.limit_in_bytes', 'hugetlb.2MB.max');
      expect(limit).toBe(String(4 << 20));
    }
    expect(cpuQuota(cgroup)).toBe('20000 50000');
    const { stdout } = await runtime.execSync(id, ['cat', '/proc/1/oom_score_adj'], 0);
    expect(stdout.toString()).toBe('500\n');

    await runtime.updateContainerResources(id, {
      cpuQuotaUs: 30_000,
      cpuPeriodUs: 100_000,
      memoryLimitBytes: 48 << 20,
    });
    expect(cgroupValue(cgroup, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe(String(48 << 20));
    expect(cpuQuota(cgroup)).toBe('30000 100000');
    expect((await runtime.containerStatus(id)).resources).toMatchObject({
      cpuQuotaUs: 30_000,
      cpuPeriodUs: 100_000,
      cpuShares: 512,
      memoryLimitBytes: 48 << 20,
    });
  });

  test('hostname, DNS and sysctls of the pod', async () => {
    const inPod = await startPod({
      hostname: 'robot-7',
      dnsConfig: { servers: ['192.0.2.53'], searches: ['robots.test'], options: ['ndots:3'] },
      sysctls: { 'net.ipv4.ip_local_port_range': '40000 40100' },
    });
    const script = 'hostname; cat /etc/resolv.conf; cat /proc/sys/net/ipv4/ip_local_port_range';
    expect((await output(script, {}, inPod)).split('\n')).toEqual([
      'robot-7',
      'search robots.test',
      'nameserver 192.0.2.53',
      'options ndots:3',
      '40000\t40100',
    ]);
  });

  test("a port of the pod on the host's address", async () => {
    const hostPort = await freePort();
    const inPod = await startPod({
      portMappings: [{ protocol: 'TCP', containerPort: 8080, hostPort, hostIp: '127.0.0.1' }],
    });
    await start('mkdir /www; echo mapped >/www/index.html; exec httpd -f -p 8080 -h /www', {}, inPod);
    const page = () => fetch(`http://127.0.0.1:${hostPort}/`).then((response) => response.text(), String);
    await expect.poll(page).toBe('mapped\n');
    const { ips } = await runtime.podSandboxStatus(inPod.id);
    expect(await (await fetch(`http://${ips[0]}:8080/`)).text()).toBe('mapped\n');
  });

  const namespaces = (change: Partial<NamespaceOption>) => {
    const namespaceOptions: NamespaceOption = { network: 'POD', pid: 'CONTAINER', ipc: 'POD', ...change };
    return { namespaceOptions };
  };
  const podWith = (change: Partial<NamespaceOption>) =>
    startPod({
      ...(change.network === 'NODE' ? { hostname: '' } : {}),
      securityContext: { ...pod.config.securityContext, ...namespaces(change) },
    });

  test('the namespaces of the node', async () => {
    const node = { network: 'NODE', pid: 'NODE', ipc: 'NODE' } as const;
    const inPod = await podWith(node);
    const own = ['net', 'pid', 'ipc', 'uts'].map((name) =>
      execFileSync('readlink', [`/proc/self/ns/${name}`]),
    );
    const script = 'cd /proc/self/ns; readlink net; readlink pid; readlink ipc';
    expect(await output(script, secured(namespaces(node)), inPod)).toBe(own.slice(0, 3).join('').trim());
    const status = await runtime.podSandboxStatus(inPod.id);
    expect(status.ips).toEqual([]);
    expect(status.namespaceOptions).toMatchObject(node);
  });

  test('one pid namespace for the pod, and that of another container', async () => {
    const inPod = await podWith({ pid: 'POD' });
    expect(await output('cat /proc/1/comm', secured(namespaces({ pid: 'POD' })), inPod)).toBe('pause');
    const target = await start('exec sleep 1234');
    const options = namespaces({ pid: 'TARGET', targetId: target.id });
    expect(await output('tr "\\0" " " </proc/1/cmdline', secured(options))).toBe('sleep 1234');
  });

  test('a privileged container has every capability and sees the devices', async () => {
    const inPod = await startPod({ securityContext: { ...pod.config.securityContext, privileged: true } });
    const script = 'grep CapBnd /proc/self/status; [ -e /dev/kmsg ] && echo devices';
    const own = /^CapBnd:.*$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0];
    expect(await output(script, secured({ privileged: true }), inPod)).toBe(`${own}\ndevices`);
  });

  test('a runtime handler by name; an unknown one is refused', async () => {
    const inPod = await startPod({}, 'other');
    expect((await runtime.podSandboxStatus(inPod.id)).runtimeHandler).toBe('other');
    expect((await runtime.status()).runtimeHandlers.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['', 'runc', 'other']),
    );
    await expect(startPod({}, 'nonesuch')).rejects.toThrow(/nonesuch/);
  });

  test('a stop signal is honoured or refused, and what was refused leaves no container', async () => {
    const listed = async () =>
      (await runtime.listContainers({ podSandboxId: pod.id })).map(({ id }) => id).sort();
    const before = await listed();
    /** A signal that comes before the trap is set ends the shell in its own way. */
    const isListening = (logPath: string) =>
      expect.poll(() => readFileSync(logPath, 'utf8')).toContain('listening');
    const script = 'trap "echo asked nicely; exit 0" USR1; echo listening; while :; do sleep 0.05; done';
    const started = start(script, { stopSignal: 'SIGUSR1' });
    const honoured = await started.then(
      async ({ id, logPath }) => {
        await isListening(logPath);
        await runtime.stopContainer(id, 20);
        return readFileSync(logPath, 'utf8').includes('asked nicely');
      },
      (error: unknown) => {
        expect(String(error)).toMatch(/does not know stopSignal SIGUSR1/);
        return false;
      },
    );
    if (!honoured) expect(await listed()).toEqual(before);
    const fromImage = await start('', {
      image: configuredImage,
      command: [],
      args: ['trap "exit 9" INT; echo listening; while :; do sleep 0.05; done'],
    });
    await isListening(fromImage.logPath);
    await runtime.stopContainer(fromImage.id, 20);
    expect((await exited(fromImage.id)).exitCode).toBe(9);
  });

  test('resource limits of processes are refused, because CRI has no field for them', async () => {
    const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }];
    await expect(start('true', { rlimits })).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  test('an image as a volume is mounted or refused', async () => {
    const mount: Mount = {
      containerPath: '/image',
      hostPath: '',
      readonly: true,
      recursiveReadOnly: false,
      selinuxRelabel: false,
      propagation: 'PRIVATE',
      image: busyboxImage,
    };
    const listed = output('ls /image/bin/busybox', { mounts: [mount] });
    if (line === '2.x') expect(await listed).toBe('/image/bin/busybox');
    else await expect(listed).rejects.toThrow();
  });

  test('statistics count in exact units', async () => {
    const { id } = await start('while :; do :; done', { labels: { burns: 'yes' } });
    await expect
      .poll(async () => (await runtime.containerStats(id)).cpuUsageCoreNanoSeconds ?? 0n)
      .toBeGreaterThan(100_000_000n);
    const [stats, ...others] = await runtime.listContainerStats({ labels: { burns: 'yes' } });
    expect(others).toEqual([]);
    expect(stats).toMatchObject({ id, labels: { burns: 'yes' } });
    expect(stats!.memoryWorkingSetBytes).toBeGreaterThan(0);
    expect(Math.abs(stats!.timestampMs - Date.now())).toBeLessThan(60_000);
    await runtime.stopContainer(id, 0);
  });
});

const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
/** Some machines have no cgroup for huge pages; containerd then leaves the limit out. */
const hasHugetlb = unified
  ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').includes('hugetlb')
  : existsSync('/sys/fs/cgroup/hugetlb');

function cgroupValue(cgroup: string, controller: string, v1: string, v2: string): string {
  const path = unified ? join('/sys/fs/cgroup', cgroup, v2) : join('/sys/fs/cgroup', controller, cgroup, v1);
  return readFileSync(path, 'utf8').trim();
}

function cpuQuota(cgroup: string): string {
  if (unified) return cgroupValue(cgroup, 'cpu', '', 'cpu.max');
  return ['cpu.cfs_quota_us', 'cpu.cfs_period_us']
    .map((file) => cgroupValue(cgroup, 'cpu', file, ''))
    .join(' ');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
