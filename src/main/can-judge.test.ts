import { expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import { canJudge } from './can-judge.ts';

const pod = (runtimeClassName: string): Pod => ({
  metadata: { name: 'p', uid: 'u', annotations: { [configSourceAnnotation]: 'api' } },
  spec: { containers: [], runtimeClassName },
});

/** Of a cluster, before a container runtime has told what it can. */
const judged = (handler: string, isHandlerKnown = true) =>
  canJudge(pod('driver'), true, {
    cluster: { isHandlerKnown: () => isHandlerKnown, node: () => ({}), lastNode: () => ({}) },
    handlerOf: () => handler,
    health: { isKnown: () => false },
  });

it('a pod of host processes waits for no container runtime, whatever its class is called', () => {
  expect(judged('host-process')).toBe(true);
  expect(judged('kata')).toBe(false);
  expect(judged('host-process', false)).toBe(false);
});
