import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isReady, TestAgent, until } from '../agent.ts';
import { driverPod, publishing, restarts } from './heartbeat-driver.ts';

let agent: TestAgent | undefined;
afterEach(async () => {
  const left = await agent?.remove();
  agent = undefined;
  expect(left ?? []).toEqual([]);
});

async function start(
  ros = '{transport: cyclone, domainId: 97, discoveryRange: localhost}',
  env: Record<string, string> = {},
): Promise<TestAgent> {
  agent = await TestAgent.create({ ros, env });
  await agent.start();
  return agent;
}

const publish = (options: string) => publishing('/driver/heartbeat', 97, options);

const driver = (command: string, deadline = '1s') => {
  const probe = `  exec: {command: [ros2-probe, heartbeat, /driver/heartbeat, --deadline, ${deadline}]}
  periodSeconds: 1`;
  return driverPod(
    command,
    `startupProbe:
${probe}
  failureThreshold: 60
livenessProbe:
${probe}
  failureThreshold: 1
readinessProbe:
${probe}
  failureThreshold: 1
`,
  );
};

describe('a heartbeat on the ROS graph', () => {
  it('makes the pod ready, and when it stops the container is started anew with the reason', async () => {
    const a = await start();
    await a.apply('driver.yaml', driver(`${publish('--times 100')}; exec sleep 1000`));
    await a.ready('driver');
    await until('it was restarted', async () => restarts((await a.pod('driver'))!) > 0, 60_000);
    const events = await a.cli('events');
    expect(events).toMatch(
      /Liveness probe failed: no heartbeat on \/driver\/heartbeat for .*, deadline 1 s, the last came at \d\d:\d\d/,
    );
    await a.ready('driver');
  });

  it('is not needed while the agent is away, and its absence kills nothing when the agent comes back', async () => {
    const a = await start();
    await a.apply('driver.yaml', driver(`exec ${publish('')}`, '5s'));
    const before = await a.ready('driver');
    for (let life = 0; life < 3; life++) {
      // What an agent knew of readiness is on disk a second later.
      await sleep(1500);
      await a.stop('SIGKILL');
      await a.start();
      const after = (await a.pod('driver'))!;
      expect(isReady(after)).toBe(true);
      expect(restarts(after)).toBe(0);
    }
    const after = await a.ready('driver');
    expect(after.status?.containerStatuses?.[0]?.containerID).toBe(
      before.status?.containerStatuses?.[0]?.containerID,
    );
  });

  it('cannot be had where the bridge is off: the pod is refused aloud', async () => {
    const a = await start('{transport: "off"}');
    await a.apply('driver.yaml', driver('exec sleep 1000'));
    await until('it is refused', async () => (await a.pod('driver'))?.status?.phase === 'Failed');
    expect((await a.pod('driver'))?.status).toMatchObject({
      reason: 'RosProbeNotSupported',
      message: expect.stringContaining('ros.transport: off'),
    });
  });

  it('of a pod on another ROS domain cannot be had: it is refused, or told and not restarted', async () => {
    const a = await start();
    const there = driver(`exec ${publish('').replace('ROS_DOMAIN_ID=97', '')}`);
    const said = there.replace(
      '    image: none',
      '    image: none\n    env: [{name: ROS_DOMAIN_ID, value: "96"}]',
    );
    const unsaid = driver(`exec ${publish('').replace('=97', '=96')}`).replace(
      'name: driver',
      'name: unsaid',
    );
    await a.apply('said.yaml', said);
    await a.apply('unsaid.yaml', unsaid);
    await until('it is refused', async () => (await a.pod('driver'))?.status?.phase === 'Failed');
    expect((await a.pod('driver'))?.status).toMatchObject({
      reason: 'RosProbeNotSupported',
      message: expect.stringContaining('its ROS_DOMAIN_ID is 96, and the agent is on domain 97'),
    });
    await until('it is told', async () =>
      (await a.cli('describe', 'unsaid-robot')).includes(
        'the processes of the pod are on ROS domain 96, and the agent on 97',
      ),
    );
    expect(restarts((await a.pod('unsaid'))!)).toBe(0);
  });

  it('that nobody can hear any more is told of a pod that runs already, which goes on', async () => {
    const a = await start();
    await a.apply('driver.yaml', driver(`exec ${publish('')}`));
    await a.ready('driver');
    await sleep(1500);
    await a.stop();
    await a.configure('', '{transport: "off"}');
    await a.start();
    for (const probe of ['Liveness', 'Readiness']) {
      await until('it is told', async () =>
        (await a.cli('describe', 'driver-robot')).includes(
          `${probe} probe errored and resulted in unknown state: the ROS 2 bridge is off (ros.transport)`,
        ),
      );
    }
    const pod = (await a.pod('driver'))!;
    expect(isReady(pod)).toBe(true);
    expect(restarts(pod)).toBe(0);
  });

  it('that nobody can hear yet is told with the reason', async () => {
    const a = await start(undefined, { CYCLONEDDS_URI: '<CycloneDDS><Nonsense/></CycloneDDS>' });
    await a.apply('driver.yaml', driver(`exec ${publish('')}`));
    await until('it is told', async () =>
      /Startup probe errored and resulted in unknown state: No DDS participant .*Correct CYCLONEDDS_URI/.test(
        await a.cli('describe', 'driver-robot'),
      ),
    );
    expect(restarts((await a.pod('driver'))!)).toBe(0);
  });

  it('that is missed while the agent ends does not trouble that end', async () => {
    const a = await start();
    // Judged every 10 ms, and never enough.
    const restless = driver(`${publish('--times 20')}; exec sleep 1000`, '10ms').replaceAll(
      'failureThreshold: 1\n',
      'failureThreshold: 1000000\n',
    );
    for (const i of [1, 2, 3])
      await a.apply(`${i}.yaml`, restless.replace('name: driver', `name: driver${i}`));
    for (const i of [1, 2, 3]) {
      await until('it is missed', async () =>
        (await a.cli('events')).match(new RegExp(`driver${i}.*Liveness probe failed: no heartbeat`)),
      );
    }
    expect(await a.stop()).toBe(0);
    expect(a.log).not.toMatch(/unhandled|probe errored|watch|defect/i);
  });
});
