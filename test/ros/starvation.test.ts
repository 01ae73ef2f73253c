/**
 * Whom the agent takes for guilty when a heartbeat is missed: a pod that got no processor is not, one that is silent is,
 * however busy the machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestAgent, until } from '../agent.ts';
import { driverPod, publishing, restarts } from './heartbeat-driver.ts';

let agent: TestAgent;
const loops: ChildProcess[] = [];
beforeEach(async () => {
  agent = await TestAgent.create({ ros: '{transport: cyclone, domainId: 99, discoveryRange: localhost}' });
  await agent.start();
});
afterEach(async () => {
  for (const loop of loops.splice(0)) loop.kill('SIGKILL');
  expect(await agent.remove()).toEqual([]);
});

/** Every processor, twice over, with processes that are no pod's. */
function keepMachineBusy(): void {
  for (let i = 0; i < 2 * availableParallelism(); i++) {
    loops.push(spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  }
}

const publish = (options = '') => publishing('/beat', 99, options);

const manifest = (
  command: string,
  { deadline = '500ms', failureThreshold = 1, limits = '{}' } = {},
): string =>
  driverPod(
    command,
    `resources: {limits: ${limits}}
livenessProbe:
  exec: {command: [ros2-probe, heartbeat, /beat, --deadline, ${deadline}]}
  failureThreshold: ${failureThreshold}
  periodSeconds: 120
readinessProbe:
  exec: {command: [ros2-probe, heartbeat, /beat, --deadline, 5s]}
`,
  );

const excuses = async (): Promise<string[]> =>
  (await agent.events())
    .filter(({ reason, message }) => reason === 'ProbeExcused' && message?.startsWith('Liveness'))
    .map(({ message }) => message!);

describe('a heartbeat that is missed', () => {
  it('because the pod is held back by its CPU limit is told, and not counted', async () => {
    const go = join(agent.dir, 'go');
    // Behind loops of the same cgroup, which eat what the limit leaves, for as long as the file is there.
    const loop = `(while [ ! -e ${go} ]; do sleep 0.1; done; while [ -e ${go} ]; do :; done) &`;
    const command = `${loop} ${loop} ${loop} exec nice -n 19 ${publish()}`;
    await agent.apply(
      'driver.yaml',
      manifest(command, { deadline: '300ms', failureThreshold: 1000, limits: '{cpu: 100m}' }),
    );
    await agent.ready('driver');
    spawn('touch', [go]);
    const [first] = await until('it is excused', async () => {
      const told = await excuses();
      return told.length > 0 && told;
    });
    expect(first).toMatch(
      /^Liveness probe failed, which is not counted as (its CPU limit holds it back|the node has too little CPU): \d+ of its threads wanted to run and ran \d+ % of the time: no heartbeat on \/beat for .*, deadline 300 ms/,
    );
    spawn('rm', [go]);
    expect(
      (await agent.events()).filter(({ message }) => message?.startsWith('Liveness probe failed: ')),
    ).toEqual([]);
    await agent.ready('driver');
    expect(restarts(await agent.pod('driver'))).toBe(0);
  });

  it('because its node is silent ends the container at once, however busy the machine', async () => {
    keepMachineBusy();
    await agent.apply('driver.yaml', manifest(`${publish('--times 100')}; exec sleep 1000`));
    await until('it was restarted', async () => restarts(await agent.pod('driver')) > 0, 120_000);
    expect(await excuses()).toEqual([]);
  });

  it('does not hide for long behind a process of the pod that lacks CPU', async () => {
    keepMachineBusy();
    const loop = 'while :; do :; done';
    await agent.apply(
      'driver.yaml',
      manifest(`${publish('--times 100')}; (${loop}) & exec sleep 1000`, {
        failureThreshold: 2,
        limits: '{cpu: 200m}',
      }),
    );
    await until('it was restarted', async () => restarts(await agent.pod('driver')) > 0, 120_000);
    expect((await excuses()).length).toBeLessThanOrEqual(2);
  });
});
