import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dead,
  inactive,
  init,
  type PlanCase,
  planned,
  planOf,
  ready,
  running,
  sidecar,
  stopAt,
  two,
  unconfigured,
  wanted,
} from './plan/testing.ts';
import { testActual, testContainer, testPod } from './testing.ts';

describe('a pod that is to be unconfigured', () => {
  const cases: PlanCase[] = [
    {
      name: 'has nothing to do for a pod of which nothing is there',
      intent: unconfigured,
      actual: testActual([]),
      actions: [],
      waiting: ['a Unconfigured'],
      stopped: true,
    },
    {
      name: 'cleans up: stops the sandbox',
      intent: unconfigured,
      actual: testActual([ready]),
      actions: ['stop sandbox sb0'],
      waiting: ['a Unconfigured'],
    },
    {
      name: 'cleans up: containers before the sandbox',
      intent: unconfigured,
      actual: testActual([ready], [running('a')]),
      actions: ['kill a0 deactivated'],
      waiting: ['a Unconfigured'],
    },
  ];
  it.each(cases)('$name', (c) => {
    expect(planned(c)).toEqual(wanted(c));
  });
});

describe('whatever the facts', () => {
  const state = fc.constantFrom('created', 'running', 'exited', 'unknown' as const);
  const anyActual = fc
    .record({
      sandbox: fc.constantFrom('none', 'ready', 'dead'),
      containers: fc.array(
        fc.record({
          name: fc.constantFrom('a', 'b', 'i', 's', 'x'),
          state,
          attempt: fc.nat(3),
          exitCode: fc.nat(2),
        }),
        { maxLength: 8 },
      ),
    })
    .map(({ sandbox, containers }) =>
      testActual(
        sandbox === 'none' ? [] : [sandbox === 'ready' ? ready : dead],
        containers
          .sort((x, y) => y.attempt - x.attempt)
          .map((c) =>
            testContainer(c.name, c.state as 'running', { attempt: c.attempt, exitCode: c.exitCode }),
          ),
      ),
    );
  const anyPod = fc
    .constantFrom('Always', 'OnFailure', 'Never')
    .map((restartPolicy) =>
      testPod({ restartPolicy, containers: two, initContainers: [init('i'), sidecar] }),
    );

  it('never starts a container beside a living instance of it', () => {
    fc.assert(
      fc.property(anyPod, anyActual, (pod, actual) => {
        for (const action of planOf({ pod, actual }).actions) {
          if (action.do !== 'startContainer') continue;
          const newest = actual.containers.find((c) => c.metadata.name === action.name);
          expect(newest?.state === 'CONTAINER_RUNNING' && newest.podSandboxId === action.podSandboxId).toBe(
            false,
          );
        }
      }),
    );
  });

  it('never starts anything in a pod that is to end', () => {
    fc.assert(
      fc.property(anyPod, anyActual, (pod, actual) => {
        const result = planOf({ pod, actual, intent: stopAt(0) });
        expect(result.actions.every((a) => a.do === 'killContainer' || a.do === 'stopSandbox')).toBe(true);
        const alive = actual.containers.some(
          (c) => c.state === 'CONTAINER_RUNNING' || c.state === 'CONTAINER_UNKNOWN',
        );
        expect(result.stopped).toBe(!alive && actual.sandboxes.every((s) => s.state !== 'SANDBOX_READY'));
      }),
    );
  });

  it('starts nothing in a pod that is not to be active, and comes to an end', () => {
    const done = { inactive, unconfigured };
    fc.assert(
      fc.property(anyPod, anyActual, fc.constantFrom(...Object.values(done)), (pod, actual, intent) => {
        const { actions, prepared, stopped } = planOf({ pod, actual, intent, pulled: ['a', 'b', 'i', 's'] });
        expect(actions.some((a) => a.do === 'startContainer')).toBe(false);
        const isIdle = intent === inactive ? prepared : stopped;
        // Only a wait for yet another sandbox has neither actions nor an end.
        if (actual.sandboxes.length === 0 || intent === unconfigured)
          expect(isIdle).toBe(actions.length === 0);
      }),
    );
  });

  it('gives the same plan for the same facts', () => {
    fc.assert(
      fc.property(anyPod, anyActual, (pod, actual) => {
        expect(planOf({ pod, actual })).toEqual(planOf({ pod, actual }));
      }),
    );
  });
});
