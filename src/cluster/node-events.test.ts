import { expect, it } from 'vitest';
import { createEventLog } from '../events/recorder.ts';
import { nodeEvents } from './node-events.ts';

it('tells of each condition of the node when it changes, and not that the node is not ready yet', () => {
  const log = createEventLog({ component: 'kubelet', nodeName: 'n', nowMs: Date.now, monotonicMs: () => 0 });
  const told = nodeEvents('n', log);
  const reasons = () =>
    log.list().map(({ reason, count, message }) => [reason, count, message?.endsWith(`: ${reason}`)]);
  const of = (conditions: Record<string, string>) =>
    told.conditions({
      status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
    });
  of({ MemoryPressure: 'False', Ready: 'False', Foreign: 'True' });
  expect(reasons()).toEqual([['NodeHasSufficientMemory', 1, true]]);
  of({ MemoryPressure: 'False', Ready: 'True' });
  of({ MemoryPressure: 'True', Ready: 'True' });
  of({ MemoryPressure: 'False', Ready: 'False' });
  expect(reasons().sort()).toEqual([
    ['NodeHasInsufficientMemory', 1, true],
    ['NodeHasSufficientMemory', 2, true],
    ['NodeNotReady', 1, true],
    ['NodeReady', 1, true],
  ]);
});
