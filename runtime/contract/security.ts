/** Who a container runs as and what it may do: users, groups, capabilities, no-new-privileges, seccomp, limits. */
import { expect, test } from 'vitest';
import type { ContainerSecurityContext } from '../runtime.ts';
import { type Bench, type ContainerOverrides, eventually, sandboxSecurity } from './harness.ts';

/** Bits of linux/capability.h. */
const cap = {
  chown: 0,
  netBindService: 10,
  netAdmin: 12,
  netRaw: 13,
  sysChroot: 18,
  sysAdmin: 21,
  sysTime: 25,
};

export function securityCases(bench: Bench): void {
  const processStatus = async (
    securityContext: Partial<ContainerSecurityContext>,
    overrides: ContainerOverrides = {},
  ): Promise<Map<string, string>> => {
    const command = ['cat', '/proc/self/status']; // A shell has its own ideas of signals.
    const options = { command, ...overrides, securityContext };
    const privileged = securityContext.privileged ?? false;
    const pod = await bench.pod({ securityContext: sandboxSecurity({ privileged }) });
    const { stdout } = await bench.runToEnd(pod, 'main', '', options);
    return new Map(
      stdout.split('\n').map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
      }),
    );
  };
  const has = (status: Map<string, string>, field: string, bit: number): boolean =>
    ((BigInt(`0x${status.get(field)}`) >> BigInt(bit)) & 1n) === 1n;

  test('user, group and supplementary groups are as asked', async () => {
    const status = await processStatus({
      runAsUser: 1001,
      runAsGroup: 1002,
      supplementalGroups: [1003, 1004],
    });
    expect(status.get('Uid')).toBe('1001\t1001\t1001\t1001');
    expect(status.get('Gid')).toBe('1002\t1002\t1002\t1002');
    expect(status.get('Groups')?.split(' ').map(Number)).toEqual(expect.arrayContaining([1003, 1004]));
  });

  test('a user is found by name', async () => {
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'id -u', {
      securityContext: { runAsUsername: 'nobody' },
    });
    expect(stdout).toMatch(/^6553[34]\n$/);
  });

  test('a user name that nobody has is refused', async () => {
    const pod = await bench.pod();
    const config = bench.config('main', 'true', { securityContext: { runAsUsername: 'no-such-user' } });
    const started = bench.runtime
      .createContainer(pod.id, config, pod.config)
      .then((id) => bench.runtime.startContainer(id));
    await expect(started).rejects.toThrow(/user/);
  });

  test('root holds the capabilities that runtimes grant by default, and no others', async () => {
    const status = await processStatus({});
    for (const bit of [cap.chown, cap.netBindService, cap.netRaw, cap.sysChroot])
      expect(has(status, 'CapEff', bit)).toBe(true);
    for (const bit of [cap.netAdmin, cap.sysAdmin, cap.sysTime]) {
      expect(has(status, 'CapEff', bit)).toBe(false);
      expect(has(status, 'CapBnd', bit)).toBe(false);
    }
  });

  test('capabilities are added and dropped', async () => {
    const status = await processStatus({
      capabilities: { add: ['NET_ADMIN', 'SYS_TIME'], drop: ['CHOWN', 'NET_RAW'] },
    });
    for (const bit of [cap.netAdmin, cap.sysTime]) expect(has(status, 'CapEff', bit)).toBe(true);
    for (const bit of [cap.chown, cap.netRaw]) expect(has(status, 'CapBnd', bit)).toBe(false);
  });

  test('all are dropped but those added', async () => {
    const status = await processStatus({ capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] } });
    expect(BigInt(`0x${status.get('CapEff')}`)).toBe(1n << BigInt(cap.netBindService));
  });

  test('a user who is not root holds none', async () => {
    const status = await processStatus({ runAsUser: 1001 });
    expect(BigInt(`0x${status.get('CapEff')}`)).toBe(0n);
    expect(BigInt(`0x${status.get('CapPrm')}`)).toBe(0n);
  });

  test('a privileged container may administer the system', async () => {
    expect(has(await processStatus({ privileged: true }), 'CapEff', cap.sysAdmin)).toBe(true);
  });

  test('an unknown capability is refused', async () => {
    const pod = await bench.pod();
    const config = bench.config('main', 'true', {
      securityContext: { capabilities: { add: ['NO_SUCH_CAPABILITY'], drop: [] } },
    });
    const started = bench.runtime
      .createContainer(pod.id, config, pod.config)
      .then((id) => bench.runtime.startContainer(id));
    await expect(started).rejects.toThrow(/NO_SUCH_CAPABILITY/);
  });

  test('no-new-privileges and the seccomp profile are set as asked', async () => {
    const strict = await processStatus({ noNewPrivs: true, seccomp: { type: 'RuntimeDefault' } });
    expect([strict.get('NoNewPrivs'), strict.get('Seccomp')]).toEqual(['1', '2']);
    const plain = await processStatus({});
    expect([plain.get('NoNewPrivs'), plain.get('Seccomp')]).toEqual(['0', '0']);
  });

  test('the default seccomp profile refuses namespaces and lets ordinary programs run', async () => {
    const script = 'unshare -U true 2>/dev/null && echo made; (echo a; echo b) | sort -r; sleep 0.01; exit 3';
    const { stdout, status } = await bench.runToEnd(await bench.pod(), 'main', script, {
      securityContext: { seccomp: { type: 'RuntimeDefault' } },
    });
    expect(stdout).toBe('b\na\n');
    expect(status.exitCode).toBe(3);
  });

  test('the workload gets no signal blocked or ignored and no descriptor but its three', async () => {
    const status = await processStatus({});
    expect(status.get('SigBlk')).toBe('0000000000000000');
    // 32 and 33 are the C library's own: what starts the tests may leave them ignored, and containerd passes that on.
    const ignored = BigInt(`0x${status.get('SigIgn')}`) & ~(3n << 31n);
    expect(ignored).toBe(0n);
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'ls /proc/$$/fd; umask');
    expect(stdout.split('\n').filter((name) => /^\d$/.test(name) && Number(name) > 2)).toEqual([]);
    expect(stdout).toContain('0022');
  });

  test('an unprivileged user can open the standard streams by name', async () => {
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'echo named > /dev/stdout', {
      securityContext: { runAsUser: 1001 },
    });
    expect(stdout).toBe('named\n');
  });

  test('the oom score asked for is set, or the status says why not', async () => {
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'cat /proc/self/oom_score_adj; sleep 100', {
      resources: { oomScoreAdj: 321 },
    });
    await eventually(async () => expect(await bench.log(id)).toHaveLength(1));
    expect((await bench.log(id))[0]?.text).toBe('321');
  });
}
