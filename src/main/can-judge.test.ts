import { expect, it } from 'vitest';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Pod, PodSpec } from '../api/core.gen.ts';
import { RuntimeSet } from '../pods/runtimes.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import { canJudge } from './can-judge.ts';

const pod = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'p', uid: 'u', annotations: { [configSourceAnnotation]: 'api' } },
  spec: { containers: [], ...spec },
});

const [process, cri] = [{ name: 'process' }, { name: 'cri' }] as Runtime[];

/** Of a cluster, before a container runtime has told what it can; that of host processes has. */
const judged = (
  handler: string,
  { isHandlerKnown = true, ...spec }: Partial<PodSpec> & { isHandlerKnown?: boolean },
) =>
  canJudge(pod(spec), true, {
    cluster: { isHandlerKnown: () => isHandlerKnown, node: () => ({}), lastNode: () => ({}) },
    handlerOf: () => handler,
    runtimes: new RuntimeSet({ process: process!, cri: cri!, default: 'cri' }),
    health: {
      isKnown: () => false,
      supplementalGroupsPolicy: (runtime) => (runtime === process ? true : undefined),
    },
  });

it('a pod of host processes waits for no container runtime, whatever its class is called', () => {
  const runtimeClassName = 'driver';
  expect(judged('host-process', { runtimeClassName })).toBe(true);
  expect(judged('kata', { runtimeClassName })).toBe(false);
  expect(judged('host-process', { runtimeClassName, isHandlerKnown: false })).toBe(false);
});

it('a pod that is to be in no other groups waits until its own runtime has told whether it can keep to that', () => {
  const securityContext = { supplementalGroupsPolicy: 'Strict' };
  expect(judged('', { securityContext })).toBe(false);
  expect(judged('', { securityContext: { supplementalGroupsPolicy: 'Merge' } })).toBe(true);
  expect(judged('host-process', { securityContext })).toBe(true);
});
