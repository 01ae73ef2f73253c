/** What goes wrong around the agent: disks, clocks, runtimes, other agents. It keeps on what it can, and says what is wrong. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Pod } from '../src/api/core.gen.ts';
import { cgroupsBelow, isReady, pidsOf, TestAgent, type TestAgentOptions, until } from './agent.ts';
import { startContainerd } from './peers/containerd.ts';

const pod = (
  name: string,
  { host = true, command = 'while sleep 0.1; do :; done', extra = '' } = {},
) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${host ? 'runtimeClassName: host-process' : ''}
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: docker.io/library/busybox:local
    command: [sh, -c, ${JSON.stringify(`trap "exit 0" TERM; ${command}`)}]
${extra}`;

const restarts = (p: Pod): number => p.status?.containerStatuses?.[0]?.restartCount ?? -1;
const containerId = (p: Pod): string => p.status?.containerStatuses?.[0]?.containerID ?? '';

let agent: TestAgent | undefined;
const undo: (() => void)[] = [];
async function start(options: TestAgentOptions = {}): Promise<TestAgent> {
  agent = await TestAgent.create(options);
  await agent.start();
  return agent;
}
afterEach(async () => {
  for (const step of undo.splice(0)) step();
  const left = await agent?.remove();
  agent = undefined;
  expect(left ?? []).toEqual([]);
});

describe('manifests', () => {
  it('that are wrong are refused with their place and the right name, and hide no others', async () => {
    const a = await start();
    await a.apply('good.yaml', pod('good'));
    await a.apply('bad.yaml', pod('bad').replace('containers:', 'contaners:'));
    await a.ready('good');
    const { code, output } = await a.tryCli('lint', join(a.manifests, 'bad.yaml'));
    expect(code).not.toBe(0);
    expect(output).toMatch(/bad\.yaml:8.*spec\.contaners.*containers/s);
    await until('the log says so', async () => /bad\.yaml/.test(a.log) && /contaners/.test(a.log));
    expect((await a.pods()).map((p) => p.metadata?.name)).toEqual(['good-robot']);
    await a.apply('bad.yaml', pod('bad'));
    await a.ready('bad');
  });

  it('that become wrong do not take the running pod down', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('steady'));
    const before = await a.ready('steady');
    await a.apply('a.yaml', '{{{ not yaml');
    await until('the log says so', async () => /a\.yaml/.test(a.log));
    await a.stop('SIGKILL');
    await a.start();
    await sleep(1500);
    expect(containerId(await a.ready('steady'))).toBe(containerId(before));
  });

  it('that are garbage of any kind are survived', async () => {
    const a = await start();
    await a.apply('good.yaml', pod('good'));
    const garbage = [
      '',
      '\0\0\0',
      '- - -',
      'a: &a [*a]',
      '[]',
      'kind: Pod',
      '{"kind": 3}',
      'x'.repeat(100_000),
      '---\n---\n',
      '\ufeff',
    ];
    for (const [i, text] of garbage.entries()) await a.apply(`g${i}.yaml`, text);
    await mkdir(join(a.manifests, 'dir.yaml'));
    await a.ready('good');
    expect((await a.pods()).length).toBe(1);
  });
});

describe('admission', () => {
  it('refuses a host port that is taken, and admits the pod when it is free', async () => {
    const a = await start();
    const ports = '    ports: [{containerPort: 18080, hostPort: 18080}]\n';
    await a.apply('a.yaml', pod('first', { extra: ports }));
    await a.ready('first');
    await a.apply('b.yaml', pod('second', { extra: ports }));
    const refused = await a.podUntil('second', 'is refused', (p) => p.status?.phase === 'Failed');
    expect(refused.status?.reason).toBe('NodePorts');
    await a.unapply('a.yaml');
    await a.ready('second');
  });

  it('refuses what asks for more than the node has', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('huge', { extra: '    resources: {requests: {cpu: 1000}}\n' }));
    const refused = await a.podUntil('huge', 'is refused', (p) => p.status?.phase === 'Failed');
    expect(refused.status).toMatchObject({
      reason: 'OutOfcpu',
      message: expect.stringContaining('requested: 1000000'),
    });
    expect((await a.events()).some((e) => e.reason === 'OutOfcpu')).toBe(true);
  });
});

describe('a second agent', () => {
  it('of the same root directory is told who is there', async () => {
    const a = await start();
    const { code, output } = await a.tryCli('run', '--config', join(a.dir, 'config.yaml'));
    expect(code).not.toBe(0);
    expect(output).toContain(String(a.pid));
  });

  it('of the same cgroups is refused before it touches a pod of the first, also after a kill of that', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('steady'));
    const before = await a.ready('steady');
    await a.stop('SIGKILL');
    await a.start();
    const other = await TestAgent.create({ args: ['--cgroup-root', a.cgroup] });
    try {
      other.spawn();
      expect(await other.ended()).toBe(1);
      expect(other.log).toMatch(new RegExp(`process ${a.pid}\\).* ${a.cgroup}/kubepods.*--cgroup-root`));
      const after = await a.ready('steady');
      expect(containerId(after)).toBe(containerId(before));
      expect(restarts(after)).toBe(0);
      // Nothing is left of the lock of one that was killed.
      await a.stop('SIGKILL');
      await other.start();
    } finally {
      await other.remove();
    }
  });
});

describe('a root directory', () => {
  it.each(['.', 'log', 'log/pods', 'store', 'store/pod-records'])(
    'with a file where the agent keeps files is refused by that path: %s',
    async (name) => {
      const a = await TestAgent.create();
      try {
        const path = join(a.root, name);
        await mkdir(dirname(path), { recursive: true });
        writeFileSync(path, '');
        a.spawn();
        expect(await a.ended()).toBe(1);
        expect(a.log).toMatch(/^roslet: .*\n$/);
        expect(a.log).toContain(path);
      } finally {
        await rm(a.dir, { recursive: true });
      }
    },
  );
});

describe('a container', () => {
  it('that uses too much memory is killed and says so', async () => {
    const a = await start();
    const eat = 'x=$(head -c 200000000 /dev/zero | tr "\\\\0" x); echo $x | wc -c; sleep 100';
    await a.apply(
      'a.yaml',
      pod('hungry', { command: eat, extra: '    resources: {limits: {memory: 20Mi}}\n' }),
    );
    const p = await a.podUntil('hungry', 'was killed', (p) => restarts(p) > 0);
    expect(p.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });
  });

  it('that cannot be started says why', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('wrong').replace(/command: .*/, 'command: [/no/such/program]'));
    const p = await a.podUntil(
      'wrong',
      'backs off',
      (q) => q.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(JSON.stringify(p.status?.containerStatuses?.[0]?.lastState)).toMatch(/no\/such\/program/);
  });

  it('that waits for a config map starts when that comes', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('waits', { extra: '    envFrom: [{configMapRef: {name: late}}]\n' }));
    const p = await a.podUntil(
      'waits',
      'waits',
      (q) => q.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(p.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('configmap "late" not found');
    await a.apply('late.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\ndata: {A: b}\n');
    await a.ready('waits');
  });
});

describe('the disk', () => {
  async function onSmallDisk(use: (a: TestAgent) => Promise<void>): Promise<void> {
    const a = await TestAgent.create();
    await mkdir(a.root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', a.root]);
    try {
      await a.start();
      await use(a);
    } finally {
      await a.discard();
    }
  }

  function fill(dir: string): string {
    const filler = join(dir, 'filler');
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'], { stdio: 'ignore' });
    } catch {
      // It ends when the disk is full: that is what it is for.
    }
    return filler;
  }

  it('that is full stops nothing that runs, and what was asked for comes when there is room', () =>
    onSmallDisk(async (a) => {
      await a.apply('a.yaml', pod('before'));
      const before = await a.ready('before');
      const filler = fill(a.root);
      await a.apply('b.yaml', pod('after'));
      await sleep(2000);
      expect(isReady((await a.pod('before'))!)).toBe(true);
      const node = JSON.parse(await a.get('/api/v1/nodes/robot'));
      await a.stop('SIGKILL');
      a.spawn();
      await sleep(1000);
      rmSync(filler);
      await a.stop('SIGKILL');
      await a.start();
      await a.ready('after');
      const same = await a.ready('before');
      expect(containerId(same)).toBe(containerId(before));
      expect(node.kind).toBe('Node');
      await a.unapply('a.yaml');
      await a.unapply('b.yaml');
      await until('the pods are gone', async () => (await a.pods()).length === 0);
    }));

  it.each(['the agent looks on', 'the agent is dead'])('that is full loses no exit code while %s', (when) =>
    onSmallDisk(async (a) => {
      const go = join(a.dir, 'go');
      const job = (name: string, code: number) =>
        pod(name, { command: `until [ -e ${go} ]; do sleep 0.05; done; exit ${code}` }).replace(
          'containers:',
          'restartPolicy: Never\n  containers:',
        );
      await a.apply('done.yaml', job('done', 0));
      await a.apply('failed.yaml', job('failed', 7));
      await Promise.all([a.ready('done'), a.ready('failed')]);
      const filler = fill(a.root);
      if (when === 'the agent is dead') await a.stop('SIGKILL');
      writeFileSync(go, '');
      if (when === 'the agent is dead') {
        const waiting = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(go);
        await until('both have ended', () => !cgroupsBelow(a.cgroup).flatMap(pidsOf).some(waiting));
        rmSync(filler);
        await a.start();
      }
      const [done, failed] = await Promise.all(
        ['done', 'failed'].map((name) =>
          a.podUntil(name, 'has ended', ({ status }) => /Succeeded|Failed/.test(status?.phase ?? '')),
        ),
      );
      expect([done?.status?.phase, failed?.status?.phase]).toEqual(['Succeeded', 'Failed']);
      expect(failed?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(7);
    }),
  );
});

describe('a disk that fails and turns read-only', () => {
  it('stops nothing that runs, and the node says so', async () => {
    const a = await TestAgent.create({ config: 'nodeStatusUpdateFrequency: 1s\n' });
    const image = join(a.dir, 'disk.img');
    execFileSync('truncate', ['-s', '64M', image]);
    execFileSync('mkfs.ext4', ['-q', image]);
    await mkdir(a.root);
    execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, a.root]);
    const device = execFileSync('findmnt', ['-no', 'SOURCE', a.root], { encoding: 'utf8' }).trim();
    try {
      await a.start();
      await a.apply('a.yaml', pod('before', { command: 'while sleep 0.1; do echo tick; done' }));
      const before = await a.ready('before');
      writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'test');
      await until('the node says so', async () => /read-only/.test(await a.get('/api/v1/nodes/robot')));
      await a.apply('b.yaml', pod('after'));
      await sleep(2000);
      expect(containerId((await a.pod('before'))!)).toBe(containerId(before));
      expect(isReady((await a.pod('before'))!)).toBe(true);
      expect(await a.cli('pods')).toContain('before-robot');
    } finally {
      await a.discard();
    }
  });
});

describe('a pod', () => {
  it('whose config map was deleted is restarted all the same', async () => {
    const a = await start();
    await a.apply(
      'settings.yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {A: b}\n',
    );
    const volume =
      '    volumeMounts: [{name: v, mountPath: /settings}]\n  volumes: [{name: v, configMap: {name: settings}}]\n';
    await a.apply('a.yaml', pod('crashy', { command: 'sleep 1; exit 1', extra: volume }));
    await a.podUntil('crashy', 'runs', (p) => restarts(p) === 0);
    await a.unapply('settings.yaml');
    await a.podUntil('crashy', 'was restarted', (p) => restarts(p) >= 2, 40_000);
  });

  it('that ends well when its liveness probe fails is started again with OnFailure', async () => {
    const a = await start();
    const probe =
      '    livenessProbe: {exec: {command: ["false"]}, periodSeconds: 1, failureThreshold: 1}\n  restartPolicy: OnFailure\n';
    await a.apply('a.yaml', pod('graceful', { extra: probe }));
    await a.podUntil('graceful', 'was restarted', (p) => restarts(p) >= 1);
  });

  it('that is changed in place and ends well is started with its new spec, with Never', async () => {
    const a = await start();
    const never = (command: string) => pod('once', { command, extra: '  restartPolicy: Never\n' });
    await a.apply('a.yaml', never('while sleep 0.1; do :; done'));
    await a.ready('once');
    await a.apply('a.yaml', never('echo new; while sleep 0.1; do :; done'));
    const p = await a.podUntil('once', 'runs the new spec', (q) => restarts(q) === 1 && isReady(q));
    expect(p.status?.phase).toBe('Running');
    expect(await a.cli('logs', 'once-robot')).toBe('new\n');
  });

  it('that is deleted by force in a long grace goes at once, and its name is free', async () => {
    const a = await start();
    const stubborn = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'stubborn' },
      spec: {
        runtimeClassName: 'host-process',
        hostNetwork: true,
        terminationGracePeriodSeconds: 600,
        containers: [
          { name: 'main', image: 'x', command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] },
        ],
      },
    };
    const path = '/api/v1/namespaces/default/pods';
    await a.send('POST', path, stubborn);
    const before = await a.ready('stubborn');
    await a.send('DELETE', `${path}/stubborn`, {});
    await sleep(500);
    await a.send('DELETE', `${path}/stubborn`, { gracePeriodSeconds: 0 });
    await a.send('POST', path, stubborn);
    const after = await a.podUntil(
      'stubborn',
      'is another',
      (p) => p.metadata?.uid !== before.metadata?.uid && isReady(p),
    );
    expect(restarts(after)).toBe(0);
    await a.send('DELETE', `${path}/stubborn`, { gracePeriodSeconds: 0 });
  });

  it('whose preStop hook the agent was killed in runs it once', async () => {
    const a = await start();
    const hook = `    lifecycle: {preStop: {exec: {command: [sh, -c, "echo stop >> /out/hooks; sleep 3"]}}}
    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: ${a.dir}}}]
`;
    await a.apply(
      'a.yaml',
      pod('hooked', { extra: hook }).replace(
        'terminationGracePeriodSeconds: 1',
        'terminationGracePeriodSeconds: 20',
      ),
    );
    await a.ready('hooked');
    await a.unapply('a.yaml');
    await until('the hook runs', async () => existsSync(join(a.dir, 'hooks')));
    await a.stop('SIGKILL');
    await a.start();
    await until('it is gone', async () => (await a.pods()).length === 0);
    expect(readFileSync(join(a.dir, 'hooks'), 'utf8')).toBe('stop\n');
  });

  it('that nobody knows any more is taken down with its grace', async () => {
    const a = await start();
    const trap = `    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: ${a.dir}}}]
`;
    await a.apply(
      'a.yaml',
      pod('lost', {
        command: 'trap "echo ended > /out/end; exit 0" TERM; while sleep 0.1; do :; done',
        extra: trap,
      }),
    );
    await a.ready('lost');
    await a.stop('SIGKILL');
    rmSync(join(a.root, 'store', 'pod-records'), { recursive: true });
    rmSync(join(a.root, 'store', 'manifests'), { recursive: true, force: true });
    rmSync(join(a.manifests, 'a.yaml'));
    await a.start();
    await until('it is gone', async () => a.leftovers().length === 0, 60_000);
    expect(readFileSync(join(a.dir, 'end'), 'utf8')).toBe('ended\n');
  });
});

describe('processes', () => {
  it('of one pod cannot use up those of the machine', async () => {
    agent = await TestAgent.create({ config: 'podPidsLimit: 20\n' });
    const a = agent;
    await a.start();
    const bomb = 'i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; echo all; wait';
    await a.apply('a.yaml', pod('bomb', { command: bomb }));
    await a.apply('b.yaml', pod('neighbour'));
    await a.ready('neighbour');
    await until('the bomb fizzles', async () =>
      /fork|Resource temporarily unavailable/.test(await a.cli('logs', 'bomb-robot').catch(() => '')),
    );
    expect(restarts(await a.ready('neighbour'))).toBe(0);
  });
});

describe('the clock', () => {
  const preload = [
    '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
    '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
  ].find((f) => existsSync(f));
  it.each(['+3600s', '-3600s'])('that steps by %s restarts nothing and unreadies nothing', async (step) => {
    expect(preload, 'libfaketime is part of the test set-up').toBeDefined();
    const a = await TestAgent.create();
    agent = a;
    const clock = join(a.dir, 'clock');
    writeFileSync(clock, '+0s');
    await a.stop();
    agent = await TestAgent.create({
      env: {
        LD_PRELOAD: preload!,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    const b = agent;
    await b.start();
    const probe =
      '    readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n    livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n';
    await b.apply('a.yaml', pod('steady', { extra: probe }));
    const before = await b.ready('steady');
    writeFileSync(clock, step);
    for (let i = 0; i < 10; i++) {
      await sleep(300);
      const p = (await b.pod('steady'))!;
      expect(isReady(p)).toBe(true);
      expect(containerId(p)).toBe(containerId(before));
    }
    // Life goes on at the new time.
    await b.apply('b.yaml', pod('later'));
    const later = await b.ready('later');
    const steppedMs = Date.parse(later.status!.startTime!) - Date.now();
    expect(Math.abs(steppedMs - Number.parseInt(step, 10) * 1000)).toBeLessThan(60_000);
    await a.remove();
  });
});

describe('the container runtime', () => {
  it('that is killed and comes back costs no pod, and the node says so meanwhile', async () => {
    const containerd = await startContainerd('1.6');
    try {
      const a = await start({ criEndpoint: containerd.endpoint });
      await a.apply('a.yaml', pod('contained', { host: false }));
      await a.apply('b.yaml', pod('native'));
      const before = await a.ready('contained');
      await a.ready('native');
      await containerd.kill9();
      const ready = async () =>
        (
          JSON.parse(await a.get('/api/v1/nodes/robot')) as {
            status: { conditions: { type: string; status: string; message: string }[] };
          }
        ).status.conditions.find((c) => c.type === 'Ready')!;
      await until('the node says so', async () => (await ready()).status === 'False');
      expect((await ready()).message).toMatch(/runtime/);
      // Host processes do not care.
      await a.apply('c.yaml', pod('native-too'));
      await a.ready('native-too');
      // What is not known stays as it was.
      expect(isReady((await a.pod('contained'))!)).toBe(true);
      await a.apply('d.yaml', pod('late', { host: false }));
      await sleep(1000);
      await containerd.restart();
      await a.ready('late');
      await until('the node is ready', async () => (await ready()).status === 'True');
      const after = await a.ready('contained');
      expect(containerId(after)).toBe(containerId(before));
      expect(restarts(after)).toBe(0);
      const left = await a.remove();
      agent = undefined;
      expect(left).toEqual([]);
    } finally {
      await containerd.stop();
    }
  });

  it('that hangs holds up nothing else, and goes on when it wakes', async () => {
    const containerd = await startContainerd('1.6');
    try {
      const a = await start({ criEndpoint: containerd.endpoint });
      await a.apply('a.yaml', pod('contained', { host: false }));
      const before = await a.ready('contained');
      await containerd.freeze();
      await a.apply('d.yaml', pod('late', { host: false }));
      await a.apply('b.yaml', pod('native'));
      const native = await a.ready('native');
      const pid = Number(await a.cli('exec', 'native-robot', '--', 'sh', '-c', 'echo $PPID'));
      expect(Number.isInteger(pid)).toBe(true);
      await a.stop('SIGKILL');
      await a.start();
      expect(containerId(await a.ready('native'))).toBe(containerId(native));
      await sleep(3000);
      containerd.thaw();
      await a.ready('late');
      expect(containerId(await a.ready('contained'))).toBe(containerId(before));
      const left = await a.remove();
      agent = undefined;
      expect(left).toEqual([]);
    } finally {
      containerd.thaw();
      await containerd.stop();
    }
  });

  it('that is gone when the agent starts does not keep it from starting', async () => {
    const containerd = await startContainerd('1.6');
    try {
      await containerd.kill9();
      const a = await start({ criEndpoint: containerd.endpoint });
      await a.apply('b.yaml', pod('native'));
      await a.ready('native');
      await a.apply('a.yaml', pod('contained', { host: false }));
      await containerd.restart();
      await a.ready('contained');
      const left = await a.remove();
      agent = undefined;
      expect(left).toEqual([]);
    } finally {
      await containerd.stop();
    }
  });
});

describe('state on disk', () => {
  it('that is corrupt is set aside, and the pod goes on', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('steady'));
    const before = await a.ready('steady');
    await sleep(1500);
    await a.stop('SIGKILL');
    const records = join(a.root, 'store', 'pod-records');
    for (const name of readdirSync(records)) writeFileSync(join(records, name), 'garbage');
    await a.start();
    const after = await a.ready('steady');
    expect(containerId(after)).toBe(containerId(before));
    expect(restarts(after)).toBe(0);
    expect(a.log).toMatch(/set aside/);
  });
});
