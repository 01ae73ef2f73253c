/** What a pod of host processes must not reach or break, and what a broken helper or disk must not hold up, for real. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, useBench } from '../../runtime/contract/harness.ts';
import { mountOf } from '../../runtime/contract/lifecycle.ts';
import { processUnderTest } from '../../runtime/contract/process.ts';
import { cgroups } from '../../runtime/process/cgroups.ts';
import { exitsRoot } from '../../runtime/process/exits-dir.ts';
import { freeze } from './freeze.ts';

const bench = useBench(processUnderTest);
const agentDirectory = (): string => join(bench.running.workDir, 'process');

test("the agent's directory is empty for containers and what is run in them, but not for privileged ones", async () => {
  const pod = await bench.pod();
  const list = ['ls', agentDirectory()];
  const id = await bench.start(pod, 'plain', `ls ${agentDirectory()}; echo listed; sleep 100`);
  await bench.logged(id, /listed/);
  expect((await bench.log(id)).map(({ text }) => text)).toEqual(['listed']);
  for (const command of [list, ['ls', exitsRoot]])
    expect(String((await bench.runtime.execSync(id, command, 10_000)).stdout)).toBe('');
  const { stdout } = await bench.runToEnd(pod, 'privileged', '', {
    command: list,
    securityContext: { privileged: true },
  });
  expect(stdout).toContain('containers\n');
});

test("volumes that lie in the agent's directory are mounted, and itself where a volume asks for it", async () => {
  const volume = join(agentDirectory(), 'starts', 'volume');
  await mkdir(volume);
  await writeFile(join(volume, 'mark'), 'here\n');
  const mounts = [mountOf(volume), mountOf(agentDirectory(), '/agent')];
  const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'cat /shared/mark; ls /agent', {
    mounts,
  });
  expect(stdout).toBe('here\ncontainers\ncorrupt\nexits\nsandboxes\nstarts\n');
  await rm(volume, { recursive: true });
});

test("nothing is mounted inside the agent's directory", async () => {
  const pod = await bench.pod();
  const mounts = [mountOf(await bench.directory(), join(agentDirectory(), 'inside'))];
  const config = bench.config('main', 'true', { mounts });
  const id = await bench.runtime.createContainer(pod.id, config, pod.config);
  await expect(bench.runtime.startContainer(id)).rejects.toThrow('belongs to the agent');
});

test("a volume at /dev does not give the host's devices away", async () => {
  const before = await stat('/dev/null');
  const mounts = [mountOf(await bench.directory(), '/dev')];
  const securityContext = { runAsUser: 1001 };
  const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'echo ran', { mounts, securityContext });
  expect(stdout).toBe('ran\n');
  expect((await stat('/dev/null')).uid).toBe(before.uid);
});

test('with a read-only root what the host mounts later cannot be written either', async () => {
  const folder = await bench.directory();
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]);
  try {
    execFileSync('mount', ['--make-shared', folder]);
    await mkdir(join(folder, 'late'));
    const script = 'while :; do sleep 0.1; done';
    const securityContext = { readonlyRootfs: true };
    const id = await bench.start(await bench.pod(), 'main', script, { securityContext });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(folder, 'late')]);
    const touched = await bench.runtime.execSync(id, ['touch', join(folder, 'late', 'x')], 10_000);
    expect(touched.exitCode).not.toBe(0);
  } finally {
    execFileSync('umount', ['--recursive', '--lazy', folder]);
  }
});

test('an empty launch lock holds up neither the state of a container nor its removal', async () => {
  const pod = await bench.pod();
  const id = await bench.runtime.createContainer(pod.id, bench.config('main', 'true'), pod.config);
  await writeFile(join(agentDirectory(), 'containers', id, 'launched'), '');
  expect(await bench.exited(id)).toMatchObject({ reason: 'ContainerCannotRun' });
  await bench.runtime.removeContainer(id);
  expect(await bench.runtime.listContainers({ podSandboxId: pod.id })).toEqual([]);
});

test('a command in a container that is frozen ends in time all the same, and for good once it can', async () => {
  const pod = await bench.pod();
  const id = await bench.start(pod, 'main', 'sleep 100');
  const container = `${pod.config.cgroupParent}/${id}`;
  freeze(container, true);
  try {
    await expect(bench.runtime.execSync(id, ['sleep', '0.4545'], 500)).rejects.toMatchObject({
      code: 'DeadlineExceeded',
    });
  } finally {
    freeze(container, false);
  }
  await eventually(async () => expect(await programs('0.4545')).toEqual([]));
  await eventually(async () => expect(execCgroups(container)).toEqual([]));
});

test('a command that is being started cannot speak to the agent as its helper', async () => {
  const pod = await bench.pod();
  const id = await bench.start(pod, 'main', 'sleep 100');
  const container = `${pod.config.cgroupParent}/${id}`;
  const abort = new AbortController();
  freeze(container, true);
  try {
    const given = expect(
      bench.runtime.execSync(id, ['sleep', '0.4848'], 0, abort.signal),
    ).rejects.toMatchObject({ code: 'Cancelled' });
    await eventually(async () => {
      const starting = (await programs('0.4848')).filter(({ pid }) => inContainer(pid, id));
      expect(starting).toHaveLength(1);
      const folder = `/proc/${starting[0]?.pid}/fd`;
      const others = readdirSync(folder).filter((fd) => Number(fd) > 2);
      const kinds = others.map((fd) => readlinkSync(join(folder, fd)).split(':')[0]);
      expect(kinds).toContain('pipe');
      // The agent's control channel is one.
      expect(kinds).not.toContain('socket');
    });
    abort.abort();
    await given;
  } finally {
    freeze(container, false);
  }
});

test('a command ends with its helper', async () => {
  const pod = await bench.pod();
  const id = await bench.start(pod, 'main', 'sleep 100');
  const session = await bench.runtime.exec(id, { command: ['sleep', '46464646'], tty: false });
  const helper = (await programs('46464646')).find(({ args }) => args[1] === 'exec');
  expect(helper).toBeDefined();
  if (helper) process.kill(helper.pid, 'SIGKILL');
  expect(await session.exitCode).toBe(137);
  await eventually(async () => expect(await programs('46464646')).toEqual([]));
  await eventually(async () => expect(execCgroups(`${pod.config.cgroupParent}/${id}`)).toEqual([]));
});

test('the cgroup of a command goes when what the command left running has ended', async () => {
  const pod = await bench.pod();
  const id = await bench.start(pod, 'main', 'while :; do sleep 0.1; done');
  const fifo = join(await bench.directory(), 'fifo');
  const leave = ['sh', '-c', `mkfifo ${fifo}; cat ${fifo} >/dev/null 2>&1 &`];
  await bench.runtime.execSync(id, leave, 10_000);
  await bench.runtime.execSync(id, ['true'], 10_000);
  const container = `${pod.config.cgroupParent}/${id}`;
  expect(execCgroups(container)).toHaveLength(1);
  await bench.runtime.execSync(id, ['sh', '-c', `: > ${fifo}`], 10_000);
  await eventually(async () => {
    await bench.runtime.execSync(id, ['true'], 10_000);
    expect(execCgroups(container)).toEqual([]);
  });
});

test('a pod is removed though conmon does not answer', async () => {
  const pod = await bench.pod();
  const id = await bench.start(pod, 'main', 'sleep 100');
  const conmon = Number(await readFile(join(agentDirectory(), 'containers', id, 'conmon.pid'), 'utf8'));
  process.kill(conmon, 'SIGSTOP');
  const abort = new AbortController();
  const given = expect(bench.runtime.removeContainer(id, abort.signal)).rejects.toMatchObject({
    code: 'Cancelled',
  });
  abort.abort();
  await given;
  await bench.runtime.removePodSandbox(pod.id);
  expect(await bench.runtime.listContainers({ podSandboxId: pod.id })).toEqual([]);
});

interface Program {
  pid: number;
  args: string[];
}

/** With the word among their arguments. */
async function programs(word: string): Promise<Program[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(
    pids.map(async (pid) => ({
      pid: Number(pid),
      args: (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0'),
    })),
  );
  return all.filter(({ args }) => args.includes(word));
}

function execCgroups(container: string): string[] {
  const directory = cgroups().trackingDirectory(container);
  return readdirSync(directory).filter((name) => name.startsWith('exec-'));
}

const inContainer = (pid: number, id: string): boolean =>
  readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
