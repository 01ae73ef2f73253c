/** What a pod of host processes must not reach or break, and what a broken helper or disk must not hold up, for real. */
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useBench } from '../../runtime/contract/harness.ts';
import { mountOf } from '../../runtime/contract/lifecycle.ts';
import { processUnderTest } from '../../runtime/contract/process.ts';

const bench = useBench(processUnderTest);
const agentDirectory = (): string => join(bench.running.workDir, 'process');

test("the agent's directory is empty for containers and what is run in them, but not for privileged ones", async () => {
  const pod = await bench.pod();
  const list = ['ls', agentDirectory()];
  const id = await bench.start(pod, 'plain', `ls ${agentDirectory()}; echo listed; sleep 100`);
  await bench.logged(id, /listed/);
  expect((await bench.log(id)).map(({ text }) => text)).toEqual(['listed']);
  expect(String((await bench.runtime.execSync(id, list, 10_000)).stdout)).toBe('');
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

test('an empty launch lock holds up neither the state of a container nor its removal', async () => {
  const pod = await bench.pod();
  const id = await bench.runtime.createContainer(pod.id, bench.config('main', 'true'), pod.config);
  await writeFile(join(agentDirectory(), 'containers', id, 'launched'), '');
  expect(await bench.exited(id)).toMatchObject({ reason: 'ContainerCannotRun' });
  await bench.runtime.removeContainer(id);
  expect(await bench.runtime.listContainers({ podSandboxId: pod.id })).toEqual([]);
});
