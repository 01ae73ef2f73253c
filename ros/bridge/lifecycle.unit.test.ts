import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LifecycleState } from '../../src/pods/lifecycle-machine.ts';
import { allStates, allTransitions, requested, stepsBetween, transitionsFrom } from './lifecycle.ts';

const labels = allStates()
  .map(({ label }) => label)
  .filter((label) => label !== 'unknown') as LifecycleState[];
const steps = (from: LifecycleState, to: LifecycleState, hasFailed = false) =>
  stepsBetween(from, to, hasFailed).map(
    ({ goal_state, transition }) => `${transition.id} ${goal_state.label}`,
  );

describe('the state machine is that of rcl_lifecycle', () => {
  it('in its states', () => {
    expect(allStates().map(({ id, label }) => `${id} ${label}`)).toEqual([
      '0 unknown',
      '1 unconfigured',
      '2 inactive',
      '3 active',
      '4 finalized',
      '10 configuring',
      '11 cleaningup',
      '12 shuttingdown',
      '13 activating',
      '14 deactivating',
      '15 errorprocessing',
    ]);
  });

  it('in its transitions', () => {
    expect(new Set(allTransitions().map(({ transition }) => transition.id)).size).toBe(25);
    expect(transitionsFrom('inactive').map(({ transition }) => transition)).toEqual([
      { id: 2, label: 'cleanup' },
      { id: 3, label: 'activate' },
      { id: 6, label: 'shutdown' },
    ]);
    expect(
      transitionsFrom('activating').map(({ goal_state, transition }) => [transition.id, goal_state.label]),
    ).toEqual([
      [30, 'active'],
      [31, 'inactive'],
      [32, 'errorprocessing'],
    ]);
    expect(transitionsFrom('finalized')).toEqual([]);
  });
});

describe('what a request means', () => {
  it.each<[LifecycleState, number, string, string | undefined]>([
    ['unconfigured', 1, '', 'configure'],
    ['inactive', 3, '', 'activate'],
    ['inactive', 6, '', 'shutdown'],
    ['active', 7, '', 'shutdown'],
    // The label goes first: `ros2 service call` leaves the id at 0.
    ['active', 0, 'shutdown', 'shutdown'],
    ['active', 1, 'deactivate', 'deactivate'],
    ['active', 4, 'configure', undefined],
    ['active', 3, '', undefined],
    ['active', 5, '', undefined],
    ['activating', 30, '', undefined],
    ['activating', 0, 'transition_success', undefined],
    ['activating', 4, '', undefined],
    ['finalized', 1, '', undefined],
    ['unconfigured', 0, '', undefined],
  ])('%s: %d "%s"', (state, id, label, expected) => {
    expect(requested(state, { id, label })).toBe(expected);
  });
});

describe('steps between two states', () => {
  it.each<[LifecycleState, LifecycleState, boolean, string[]]>([
    ['inactive', 'inactive', false, []],
    ['unconfigured', 'configuring', false, ['1 configuring']],
    ['configuring', 'inactive', false, ['10 inactive']],
    ['configuring', 'unconfigured', false, ['11 unconfigured']],
    ['inactive', 'active', false, ['3 activating', '30 active']],
    ['activating', 'inactive', false, ['31 inactive']],
    ['activating', 'errorprocessing', false, ['32 errorprocessing']],
    ['errorprocessing', 'unconfigured', false, ['60 unconfigured']],
    ['unconfigured', 'active', false, ['1 configuring', '10 inactive', '3 activating', '30 active']],
    ['active', 'unconfigured', false, ['4 deactivating', '40 inactive', '2 cleaningup', '20 unconfigured']],
    ['active', 'finalized', false, ['7 shuttingdown', '50 finalized']],
    ['active', 'finalized', true, ['7 shuttingdown', '52 errorprocessing', '61 finalized']],
    ['activating', 'finalized', true, ['32 errorprocessing', '61 finalized']],
    ['finalized', 'active', false, []],
  ])('from %s to %s (failed: %s)', (from, to, hasFailed, expected) => {
    expect(steps(from, to, hasFailed)).toEqual(expected);
  });

  it('follow each other, each a transition of the machine', () => {
    const any = fc.constantFrom(...labels);
    fc.assert(
      fc.property(any, any, fc.boolean(), (from, to, hasFailed) => {
        const way = stepsBetween(from, to, hasFailed);
        for (const [index, step] of way.entries()) {
          expect(allTransitions()).toContainEqual(step);
          expect(step.start_state.label).toBe(index === 0 ? from : way[index - 1]?.goal_state.label);
        }
        if (from !== to && from !== 'finalized') expect(way.at(-1)?.goal_state.label).toBe(to);
      }),
    );
  });
});
