/** What a user sees of a container whose conmon was killed: one event, one restart, one instance at a time. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Pod } from '../src/api/core.gen.ts';
import { cgroupsBelow, isReady, pidsOf, TestAgent, until } from './agent.ts';

/** Each instance, with all that it starts, holds a lock: `twice` is written when another is there still. */
const guarded = (policy: string, command: string) => `apiVersion: v1
kind: Pod
metadata: {name: guarded}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  hostPID: true
  restartPolicy: ${policy}
  terminationGracePeriodSeconds: 20
  containers:
  - name: main
    command:
    - sh
    - -c
    - |
      exec 9>>/out/lock
      flock -n 9 || echo twice >>/out/twice
      echo start >>/out/starts
      (trap "" TERM PIPE; while sleep 0.1; do :; done) &
      ${command}
    lifecycle: {preStop: {exec: {command: [sh, -c, 'echo hook >>/out/hooks']}}}
    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: DIR}}]
`;
const quiet = 'trap "exit 0" TERM; while sleep 0.1; do :; done';
const chatty = 'while sleep 0.02; do echo tick; done';

let agent: TestAgent;
afterEach(async () => {
  expect(await agent.remove()).toEqual([]);
});

async function start(policy: string, command: string): Promise<Pod> {
  agent = await TestAgent.create();
  await agent.start();
  await agent.apply('a.yaml', guarded(policy, command).replace('DIR', agent.dir));
  return agent.ready('guarded');
}
const main = (pod: Pod) => pod.status!.containerStatuses![0]!;
const told = (name: string): string => {
  const path = join(agent.dir, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};

function conmons(): number[] {
  const pids = new Set(cgroupsBelow(agent.cgroup).flatMap(pidsOf));
  return [...pids].filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'conmon\n';
    } catch {
      return false;
    }
  });
}
const killConmons = (): void => {
  for (const pid of conmons()) process.kill(pid, 'SIGKILL');
};

const isRestarted = (pod: Pod): boolean =>
  main(pod).restartCount === 1 && main(pod).state?.running !== undefined;

async function expectTold(pod: Pod): Promise<void> {
  expect(main(pod).lastState?.terminated).toMatchObject({
    exitCode: 255,
    reason: 'ContainerStatusUnknown',
    message: expect.stringContaining('conmon was killed'),
  });
  const events = (await agent.events()).filter((e) => e.reason === 'ContainerStatusUnknown');
  expect(events).toMatchObject([{ type: 'Warning', count: 1 }]);
  expect(events[0]!.message).toContain('conmon was killed');
  expect(told('starts')).toBe('start\nstart\n');
  expect(told('twice')).toBe('');
}

it.each([
  ['a quiet container', quiet, 'hook\n'],
  ['a container that writes', chatty, undefined],
])('%s is started anew at once', async (_what, command, hooks) => {
  await start('OnFailure', command);
  killConmons();
  await expectTold(await agent.podUntil('guarded', 'was restarted', isRestarted));
  if (hooks !== undefined) expect(told('hooks')).toBe(hooks);
});

it('that was killed while the agent was down is noticed when it comes back', async () => {
  await start('Always', quiet);
  await agent.stop('SIGKILL');
  killConmons();
  await agent.start();
  await expectTold(await agent.podUntil('guarded', 'was restarted', isRestarted));
});

it('that was killed in a start leaves nothing, and the container comes up', async () => {
  agent = await TestAgent.create();
  await agent.start();
  await agent.apply('a.yaml', guarded('Always', quiet).replace('DIR', agent.dir));
  await until('conmon is there', async () => conmons().length > 0);
  killConmons();
  await agent.podUntil('guarded', 'was restarted', (pod) => isRestarted(pod) && isReady(pod));
  expect(told('twice')).toBe('');
});

it('is not started anew where nothing is, and the pod fails', async () => {
  await start('Never', quiet);
  killConmons();
  const pod = await agent.podUntil('guarded', 'failed', (p) => p.status?.phase === 'Failed');
  expect(main(pod).state?.terminated).toMatchObject({ exitCode: 255, reason: 'ContainerStatusUnknown' });
  expect(told('starts')).toBe('start\n');
});
