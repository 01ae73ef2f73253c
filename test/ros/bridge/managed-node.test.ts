/** Pods as managed nodes: their states, and what they wait for. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiagnosticArray } from '../../../ros/messages/gen/diagnostic_msgs.ts';
import {
  GetAvailableStates,
  GetAvailableTransitions,
  GetState,
  TransitionEvent,
} from '../../../ros/messages/gen/lifecycle_msgs.ts';
import { Log } from '../../../ros/messages/gen/rcl_interfaces.ts';
import { PodStatus } from '../../../ros/messages/gen/roslet_msgs.ts';
import { until } from '../../agent.ts';
import { bridgePlace, manifest, manual, podNode, ros, sleeping, steps, volatile } from './place.ts';

const on = bridgePlace();
const { apply, call, change, heard, published, stateOf } = on;

describe('a pod as a managed node', () => {
  it('goes through all states, and tells every step', async () => {
    await on.agent.start();
    await apply(manifest('a', sleeping, { annotations: manual }));
    const events = heard(`${podNode('a')}/transition_event`, TransitionEvent, volatile);
    await published(`${podNode('a')}/transition_event`);
    expect(await stateOf('a')).toBe('unconfigured');
    const none = {} as never;
    const states = await call(`${podNode('a')}/get_available_states`, GetAvailableStates, none);
    expect(states.available_states).toHaveLength(11);
    const transitions = await call(
      `${podNode('a')}/get_available_transitions`,
      GetAvailableTransitions,
      none,
    );
    expect(transitions.available_transitions.map(({ transition }) => transition.label)).toEqual([
      'configure',
      'shutdown',
    ]);
    const graph = await call(`${podNode('a')}/get_transition_graph`, GetAvailableTransitions, none);
    expect(graph.available_transitions).toHaveLength(25);

    expect(await change('a', 'activate')).toBe(false);
    expect(await change('a', 'configure')).toBe(true);
    expect(await stateOf('a')).toBe('inactive');
    expect(await change('a', 'activate')).toBe(true);
    await on.agent.podUntil('a', 'runs', (pod) => pod.status?.phase === 'Running');
    expect(await change('a', 'deactivate')).toBe(true);
    expect(await change('a', 'cleanup')).toBe(true);
    expect(await stateOf('a')).toBe('unconfigured');
    expect(await change('a', 'shutdown')).toBe(true);
    await until('it is gone', async () => (await on.agent.pods()).length === 0);
    await until('the last step', async () => steps(events).includes('transition_success finalized'), 8000);
    expect(steps(events)).toEqual([
      'configure configuring',
      'transition_success inactive',
      'activate activating',
      'transition_success active',
      'deactivate deactivating',
      'transition_success inactive',
      'cleanup cleaningup',
      'transition_success unconfigured',
      'shutdown shuttingdown',
      'transition_success finalized',
    ]);
    await until(
      'its node is gone',
      async () => !on.transport.graph.nodes().some((each) => each.name === 'a'),
    );
  });

  it('goes through errorprocessing when it does not come up', async () => {
    await on.agent.start();
    const container = 'readinessProbe: {exec: {command: ["false"]}}, ';
    await apply(manifest('a', 'exit 3', { annotations: manual, container }));
    const events = heard(`${podNode('a')}/transition_event`, TransitionEvent, volatile);
    await published(`${podNode('a')}/transition_event`);
    await change('a', 'configure');
    const activation = change('a', 'activate');
    await until('it is activating', async () => (await stateOf('a')) === 'activating');
    // One at a time.
    expect(await change('a', 'cleanup')).toBe(false);
    expect(await activation).toBe(false);
    await until('the last step', async () => steps(events).at(-1) === 'transition_success unconfigured');
    expect(steps(events).slice(2)).toEqual([
      'activate activating',
      'transition_error errorprocessing',
      'transition_success unconfigured',
    ]);
  });

  it('is taken over by an agent that is started again, without a false step', async () => {
    await on.agent.start();
    await on.agent.apply('a.yaml', manifest('a', sleeping));
    await on.agent.ready('a');
    await apply(manifest('b', sleeping, { annotations: `${manual}, 'roslet.dev/after': topic /map` }));
    const active = heard(`${podNode('a_robot')}/transition_event`, TransitionEvent, volatile);
    const inactive = heard(`${podNode('b')}/transition_event`, TransitionEvent, volatile);
    await published(`${podNode('b')}/transition_event`);
    await change('b', 'configure');
    // Killed in the middle of a transition.
    void change('b', 'activate').catch(() => undefined);
    await until('it is activating', async () => (await stateOf('b')) === 'activating');
    await on.agent.stop('SIGKILL');
    await on.agent.start();
    await until('the agent is back', async () => (await stateOf('a_robot')) === 'active', 60_000);
    expect(steps(active)).toEqual([]);
    // What it waits for comes: the goal that was set before goes on.
    on.node.createPublisher('/map', Log, volatile);
    await until('it is active', async () => (await stateOf('b')) === 'active');
    expect(steps(active)).toEqual([]);
    expect(steps(inactive).slice(0, 3)).toEqual([
      'configure configuring',
      'transition_success inactive',
      'activate activating',
    ]);
  });
});

describe('start order', () => {
  it('waits for topics, nodes and services of the graph', async () => {
    await on.agent.start();
    const after = 'topic /map, node /nav/planner, service /plan';
    await apply(manifest('a', sleeping, { annotations: `'roslet.dev/after': '${after}'` }));
    const statuses = heard(`${podNode('a')}/status`, PodStatus);
    const waiting = await until('it waits', async () =>
      statuses.find(({ waits_for }) => waits_for.length === 3),
    );
    expect(waiting.waits_for[0]).toBe('topic /map (nobody publishes it)');
    expect(waiting.lifecycle_state.label).toBe('inactive');
    const planner = on.transport.createNode('planner', '/nav');
    planner.createPublisher('/map', Log, volatile);
    await until('it waits for less', async () => statuses.at(-1)?.waits_for.length === 1);
    planner.createService('/plan', GetState, () => ({ current_state: { id: 1, label: '' } }));
    await on.agent.ready('a');
  });
});

it('a critical pod says what it waits for while others make room for it', async () => {
  await on.agent.configure('maxPods: 1', ros('all'));
  await on.agent.start();
  // It goes when it is told by the test, or is killed in the end.
  const stubborn = `trap : TERM; while ! test -e ${join(on.agent.dir, 'go')}; do sleep 0.1; done`;
  await apply(manifest('other', stubborn).replace('PeriodSeconds: 1', 'PeriodSeconds: 600'));
  await on.agent.ready('other');
  await on.agent.apply('critical.yaml', manifest('critical', sleeping));
  const statuses = heard(`${podNode('critical_robot')}/status`, PodStatus);
  const diagnostics = heard('/diagnostics', DiagnosticArray, volatile);
  const events = heard(`${podNode('critical_robot')}/transition_event`, TransitionEvent, volatile);
  const waiting = await until('it waits', async () => statuses.find(({ waits_for }) => waits_for.length > 0));
  expect(waiting).toMatchObject({
    waits_for: ['pod/default/other finalized (it is to make room)'],
    reason: 'WaitingForPreemption',
    lifecycle_state: { label: 'unconfigured' },
  });
  expect(await stateOf('critical_robot')).toBe('unconfigured');
  const shown = await until('its diagnostics', async () =>
    diagnostics.at(-1)?.status.find(({ name }) => name.endsWith('/critical-robot')),
  );
  expect(shown.message).toBe('waits for pod/default/other finalized (it is to make room)');
  await published(`${podNode('critical_robot')}/transition_event`);
  await writeFile(join(on.agent.dir, 'go'), '');
  await on.agent.ready('critical');
  await until('it does not wait any more', async () => statuses.at(-1)?.waits_for.length === 0);
  await until('its last step', async () => steps(events).at(-1) === 'transition_success active');
});
