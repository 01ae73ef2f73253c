/** What others on the ROS domain may ask of an agent. */
import { describe, expect, it } from 'vitest';
import { GetParameters } from '../../../ros/messages/gen/rcl_interfaces.ts';
import { Delete, List, Logs, Restart } from '../../../ros/messages/gen/roslet_msgs.ts';
import { until } from '../../agent.ts';
import { bridgePlace, manifest, ros, sleeping } from './place.ts';

const on = bridgePlace();
const { apply, call, change } = on;

describe('what others may ask for', () => {
  const askedFor = async () => {
    const about = { pod_namespace: 'default', pod_name: 'a-robot' };
    return [
      (await call('/r2_d2/roslet/list', List, { ...about, label_selector: '' })).success,
      await change('a_robot', 'deactivate'),
      (await call('/r2_d2/roslet/restart', Restart, { ...about, pod_name: 'b-robot', container: '' }))
        .success,
      (await apply(manifest('c', sleeping))).success,
    ];
  };

  it.each([
    ['read', [true, false, false, false]],
    ['control', [true, true, true, false]],
    ['all', [true, true, true, true]],
    // The peers of this test are let in by a vendor's configuration, and with one nobody knows who else is.
    ['auto', [true, true, true, false]],
  ])('is what the configuration says: %s', async (requests, allowed) => {
    await on.agent.configure('', ros(requests));
    await on.agent.start();
    for (const name of ['a', 'b']) {
      await on.agent.apply(`${name}.yaml`, manifest(name, sleeping));
      await on.agent.ready(name);
    }
    expect(await askedFor()).toEqual(allowed);
  });

  it('is told what is not allowed, and why', async () => {
    await on.agent.configure('', ros('control'));
    await on.agent.start();
    const { message, success } = await apply(manifest('c', sleeping));
    expect(success).toBe(false);
    expect(message).toContain("ros.requests is 'control'");
    expect(await on.agent.pods()).toEqual([]);
  });

  it('costs the agent little when it asks for a million things', async () => {
    await on.agent.start();
    const names = Array.from({ length: 1_000_000 }, () => '');
    const client = on.node.createClient('/r2_d2/roslet/get_parameters', GetParameters);
    await expect(client.call({ names }, AbortSignal.timeout(3000))).rejects.toThrow();
    client.close();
    const { values } = await call('/r2_d2/roslet/get_parameters', GetParameters, { names: ['maxPods'] });
    expect(values[0]?.integer_value).toBe(110n);
  });
});

it('requests are followed as the Kubernetes API does', async () => {
  await on.agent.start();
  const refused = await apply(manifest('a', sleeping, { annotations: `'roslet.dev/autostrat': 'false'` }));
  expect(refused.success).toBe(false);
  expect(refused.results[0]?.message).toContain('did you mean roslet.dev/autostart?');
  expect((await apply('kind: Pod\napiVersion: v1\nspec: {conatiners: []}')).message).toContain('conatiners');
  const created = await apply(manifest('a', 'echo one; echo two; exec sleep 1000'));
  expect(created).toMatchObject({ success: true, results: [{ kind: 'Pod', object_name: 'a', result: 0 }] });
  const pod = await on.agent.ready('a');
  expect((await apply(manifest('a', 'echo one; echo two; exec sleep 1000'))).results[0]?.result).toBe(2);
  const { pods } = await call('/r2_d2/roslet/list', List, {
    pod_namespace: '',
    pod_name: 'a',
    label_selector: '',
  });
  expect(pods.map(({ pod_name, ready }) => [pod_name, ready])).toEqual([['a', true]]);
  expect(
    await call('/r2_d2/roslet/list', List, { pod_namespace: '', pod_name: '', label_selector: '((' }),
  ).toMatchObject({
    success: false,
  });
  const query = { pod_namespace: '', pod_name: 'a', container: '', tail_lines: 1, previous: false };
  expect(await call('/r2_d2/roslet/logs', Logs, query)).toMatchObject({
    success: true,
    lines: ['two'],
    truncated: true,
  });
  const restart = { pod_namespace: '', pod_name: 'a', container: '' };
  expect(await call('/r2_d2/roslet/restart', Restart, restart)).toEqual({ success: true, message: '' });
  await on.agent.podUntil('a', 'runs anew', (p) => p.status?.containerStatuses?.[0]?.restartCount === 1);
  expect((await on.agent.pod('a'))?.metadata?.uid).toBe(pod.metadata?.uid);
  expect(await call('/r2_d2/roslet/restart', Restart, { ...restart, pod_name: 'x' })).toMatchObject({
    success: false,
    message: 'pods "x" not found',
  });
  const deletion = { pod_namespace: '', pod_name: 'a', grace_period_seconds: -1 };
  expect(await call('/r2_d2/roslet/delete', Delete, deletion)).toEqual({ success: true, message: '' });
  await until('it is gone', async () => (await on.agent.pods()).length === 0);
});
