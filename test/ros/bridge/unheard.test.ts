/** Pods and agents that nobody on the ROS graph would hear. */
import { describe, expect, it } from 'vitest';
import { Log } from '../../../ros/messages/gen/rcl_interfaces.ts';
import { TestAgent, until } from '../../agent.ts';
import { bridgePlace, domainId, manifest, sleeping, volatile } from './place.ts';

const on = bridgePlace();

describe('an agent without a way onto the graph', () => {
  it('goes on when the environment is wrong about it, and says how', async () => {
    await on.agent.remove();
    on.agent = await TestAgent.create({ ros: '{transport: cyclone}', env: { ROS_DOMAIN_ID: 'five' } });
    await on.agent.start();
    await on.agent.apply('a.yaml', manifest('a', sleeping));
    await on.agent.ready('a');
    const event = await until('the reason', async () =>
      (await on.agent.events()).find(({ reason }) => reason === 'RosBridgeUnavailable'),
    );
    expect(event.message).toContain("ROS_DOMAIN_ID is 'five'");
    expect(await on.agent.get('/healthz')).toBe('ok');
  });

  it.each([
    ['with security, which the embedded transport has not', 'cyclone', { ROS_SECURITY_ENABLE: 'true' }],
    ['with another RMW than DDS', 'auto', { RMW_IMPLEMENTATION: 'rmw_zenoh_cpp', AMENT_PREFIX_PATH: '' }],
  ])('says so and is silent, and fails no pod for it: %s', async (_, name, env) => {
    await on.agent.remove();
    const ros = `{transport: ${name}, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`;
    on.agent = await TestAgent.create({ ros, env: env as Record<string, string> });
    await on.agent.start();
    const [variable] = Object.keys(env);
    await until('the reason', async () =>
      (await on.agent.events()).some(
        ({ reason, message }) =>
          reason === 'RosBridgeUnavailable' && message?.startsWith(`${variable} is`) === true,
      ),
    );
    const container =
      'livenessProbe: {exec: {command: [ros2-probe, heartbeat, /beat, --deadline, 100ms]}, periodSeconds: 1, failureThreshold: 1}, ';
    await on.agent.apply('a.yaml', manifest('a', sleeping, { container }));
    await until('the probe says why', async () =>
      (await on.agent.events()).some(({ message }) => message?.includes(`unknown state: ${variable} is`)),
    );
    const [status] = (await on.agent.ready('a')).status?.containerStatuses ?? [];
    expect(status?.restartCount).toBe(0);
    expect(on.transport.graph.nodes().map(({ name }) => name)).not.toContain('roslet');
  });

  it('supervises pods, says why, and joins when it can', async () => {
    // All places of the domain on this host are taken.
    const config = `<CycloneDDS><Domain><Discovery><Tag>${on.tag}</Tag><MaxAutoParticipantIndex>1</MaxAutoParticipantIndex></Discovery></Domain></CycloneDDS>`;
    await on.agent.remove();
    on.agent = await TestAgent.create({
      ros: `{domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
      env: { CYCLONEDDS_URI: config },
    });
    await on.agent.start();
    await on.agent.apply(
      'a.yaml',
      manifest('a', sleeping, { annotations: `'roslet.dev/after': topic /map` }),
    );
    await on.agent.apply('b.yaml', manifest('b', sleeping));
    await on.agent.ready('b');
    const event = await until('the reason', async () =>
      (await on.agent.events()).find(({ reason }) => reason === 'RosBridgeUnavailable'),
    );
    expect(event.message).toContain('ROS_DOMAIN_ID');
    const pod = await on.agent.podUntil(
      'a',
      'waits',
      (p) => p.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'StartConditionUnmet',
    );
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain(
      'it is not known: No DDS participant',
    );
    await on.transport.close();
    await until('the bridge is up', async () => on.agent.log.includes('on the ROS 2 graph'), 20_000).catch(
      (e) => {
        console.log(on.agent.log.slice(-3000));
        throw e;
      },
    );
    on.transport = on.openPeer();
    on.node = on.transport.createNode('peer', '/');
    on.node.createPublisher('/map', Log, volatile);
    await on.agent.ready('a');
  });
});

it('a pod on Fast DDS that will not be heard is told so, with what to do about it', async () => {
  await on.agent.start();
  const container = 'env: [{name: ROS_AUTOMATIC_DISCOVERY_RANGE, value: LOCALHOST}], ';
  await on.agent.apply('deaf.yaml', manifest('deaf', sleeping, { container }));
  await on.agent.apply(
    'fine.yaml',
    manifest('fine', sleeping, { container }).replace(
      'hostNetwork: true',
      'hostNetwork: true, hostIPC: true',
    ),
  );
  for (const name of ['deaf', 'fine']) await on.agent.ready(name);
  const unheard = (await on.agent.events()).filter(({ reason }) => reason === 'RosNodesUnheard');
  expect(unheard.map(({ involvedObject: { name } }) => name)).toEqual(['deaf-robot']);
  expect(await on.agent.cli('describe', 'deaf-robot')).toMatch(/RosNodesUnheard.*Set hostIPC: true/);
  const linted = await on.agent.tryCli('lint', on.agent.manifests);
  expect(linted.code).toBe(0);
  expect(linted.output).toMatch(/deaf\.yaml:\d+:\d+: .*Set hostIPC: true.*\(a warning\)/);
  expect(linted.output).toMatch(/fine\.yaml: Pod default\/fine is fine/);
});
