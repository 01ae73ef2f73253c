/** conmon of a container is killed, for real: the container is known to be lost at once, and goes without a trace. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually, useBench } from '../../runtime/contract/harness.ts';
import { mountOf } from '../../runtime/contract/lifecycle.ts';
import { processUnderTest } from '../../runtime/contract/process.ts';
import { cgroups } from '../../runtime/process/cgroups.ts';
import { freeze } from './freeze.ts';

const bench = useBench(processUnderTest);
const file = (id: string, name: string): string =>
  join(bench.running.workDir, 'process', 'containers', id, name);

const killConmon = (id: string): void => {
  process.kill(Number(readFileSync(file(id, 'conmon.pid'), 'utf8')), 'SIGKILL');
};
const stateOf = async (id: string) => (await bench.runtime.containerStatus(id)).state;
const lost = { exitCode: 255, reason: 'ContainerStatusUnknown', message: expect.stringContaining('conmon') };

test('a container without conmon is unknown, takes commands and its grace, and ends as lost', async () => {
  const script =
    'trap "echo stopped >/shared/end; exit 7" TERM; touch /shared/up; while sleep 0.1; do :; done';
  const folder = await bench.directory();
  const id = await bench.start(await bench.pod(), 'main', script, { mounts: [mountOf(folder)] });
  await eventually(async () => expect(existsSync(join(folder, 'up'))).toBe(true));
  killConmon(id);
  await eventually(async () => expect(await stateOf(id)).toBe('CONTAINER_UNKNOWN'));
  const status = await bench.runtime.containerStatus(id);
  expect(status.message).toContain('conmon was killed');
  expect(status.startedAtMs).toBeGreaterThan(0);
  await expect(bench.runtime.reopenContainerLog(id)).rejects.toThrow('CONTAINER_UNKNOWN');
  expect((await bench.runtime.execSync(id, ['true'], 10_000)).exitCode).toBe(0);
  await bench.runtime.stopContainer(id, 20);
  expect(readFileSync(join(folder, 'end'), 'utf8')).toBe('stopped\n');
  expect(await bench.runtime.containerStatus(id)).toMatchObject({ ...lost, state: 'CONTAINER_EXITED' });
});

test('the end of conmon is an event, also to an agent that came later', async () => {
  const id = await bench.start(await bench.pod(), 'main', 'while sleep 0.1; do :; done');
  const closing = new AbortController();
  const agents = [bench.runtime, await bench.running.reopen()];
  const told = agents.map(async (runtime) => {
    const events = runtime.events(closing.signal);
    for await (const { containerId, type } of events) if (containerId === id && type === 'stopped') return;
  });
  // A listing is what an agent begins with.
  await Promise.all(agents.map((runtime) => runtime.listContainers()));
  killConmon(id);
  await Promise.all(told);
  closing.abort();
});

test('what ends by itself for want of a reader is over only when all that it started is', async () => {
  const pod = await bench.pod();
  const folder = await bench.directory();
  const stubborn = '(trap "" TERM PIPE; touch /shared/up; while sleep 0.1; do :; done) &';
  const id = await bench.start(pod, 'main', `${stubborn} while sleep 0.05; do echo tick; done`, {
    mounts: [mountOf(folder)],
    // No pid namespace ends what it leaves behind.
    securityContext: { namespaceOptions: { network: 'NODE', pid: 'NODE', ipc: 'POD' } },
  });
  await eventually(async () => expect(existsSync(join(folder, 'up'))).toBe(true));
  killConmon(id);
  await eventually(async () => expect(commandOf(Number(readFileSync(file(id, 'pid'), 'utf8')))).toBe(''));
  const container = `${pod.config.cgroupParent}/${id}`;
  // In cgroup v1 what is frozen does not even die.
  freeze(container, true);
  try {
    // As the agent asks: again before it has an answer, and each answer may start the next instance.
    const answers = Array.from({ length: 3 }, async (_, i) => {
      await sleep(i * 100);
      while ((await stateOf(id)) !== 'CONTAINER_EXITED') await sleep(1);
      return cgroups().processes(container);
    });
    await Promise.race([...answers, sleep(300)]);
    freeze(container, false);
    expect((await Promise.all(answers)).flat()).toEqual([]);
  } finally {
    freeze(container, false);
  }
  expect(await bench.runtime.containerStatus(id)).toMatchObject(lost);
});

test('conmon killed at any moment of a start leaves nothing, and the next instance is alone', async () => {
  const pod = await bench.pod();
  const folder = await bench.directory();
  writeFileSync(join(folder, 'lock'), '');
  const script = 'exec 9>/shared/lock; flock -n 9 || echo twice >>/shared/twice; while sleep 0.1; do :; done';
  for (let attempt = 0; attempt < 24; attempt++) {
    const config = bench.config('main', script, {
      metadata: { name: 'main', attempt },
      mounts: [mountOf(folder)],
    });
    const id = await bench.runtime.createContainer(pod.id, config, pod.config);
    const started = bench.runtime.startContainer(id).catch(() => undefined);
    await eventually(async () => expect(existsSync(file(id, 'launched'))).toBe(true));
    await sleep(attempt * 1.5);
    await eventually(async () => {
      const supervisors = cgroups().processes(`${pod.config.cgroupParent}/${pod.id}`);
      for (const pid of supervisors) if (commandOf(pid).includes(id)) process.kill(pid, 'SIGKILL');
      expect(['CONTAINER_EXITED', 'CONTAINER_UNKNOWN']).toContain(await stateOf(id));
    });
    await started;
    await bench.runtime.stopContainer(id, 0);
    expect(await stateOf(id)).toBe('CONTAINER_EXITED');
  }
  expect(existsSync(join(folder, 'twice'))).toBe(false);
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
