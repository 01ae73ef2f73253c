/** A row of the tables of plans, and what it is made of. */
import type { Container, Pod } from '../../api/core.gen.ts';
import type { ProbeResult } from '../../probes/results.ts';
import type { Action, Plan } from '../actions.ts';
import type { ActualPod } from '../actual.ts';
import { crashLoopBackoffAnnotation, defaultBackoff } from '../backoff.ts';
import { plan } from '../plan.ts';
import { resourcesAnnotation } from '../resize.ts';
import { testContainer, testNowMs, testPod, testProbes, testSandbox } from '../testing.ts';
import type { Intent } from './input.ts';

export interface PlanCase {
  name: string;
  pod?: Pod;
  actual: ActualPod;
  probes?: Record<string, ProbeResult>;
  intent?: Intent;
  startedAtMs?: number;
  replaced?: string[];
  pulled?: string[];
  restartCounts?: Record<string, number>;
  resizing?: boolean;
  prepared?: boolean;
  /** Short forms of the actions, in order. */
  actions: string[];
  end?: Plan['end'];
  waiting?: string[];
  stopped?: boolean;
}

export const sidecar: Container = { name: 's', image: 'i', restartPolicy: 'Always' };
export const init = (name: string): Container => ({ name, image: 'i' });
export const two = [init('a'), init('b')];
export const ready = testSandbox();
export const dead = testSandbox({ state: 'SANDBOX_NOTREADY' });
export const running = (name: string, over = {}) => testContainer(name, 'running', over);
export const exited = (name: string, exitCode: number, over = {}) =>
  testContainer(name, 'exited', { exitCode, ...over });
/** It has ended, and the runtime still takes it down. */
export const ending = (name: string, exitCode: number, over = {}) =>
  running(name, { exitCode, finishedAtMs: testNowMs - 1000, ...over });
export const delay = (ms: number) => ({ annotations: { [crashLoopBackoffAnnotation]: String(ms) } });
const gate = {
  reason: 'StartConditionUnmet',
  message: '',
  unmet: ['topic /map (nobody publishes it)'],
};
export const gated: Intent = { kind: 'run', gate };
export const inactive: Intent = { kind: 'prepare', why: { reason: 'Inactive', message: '' } };
export const unconfigured: Intent = { kind: 'clear', why: { reason: 'Unconfigured', message: '' } };
export const stopAt = (ms: number): Intent => ({ kind: 'stop', graceMs: ms });

export const debugged = testPod({ ephemeralContainers: [{ name: 'd', image: 'i' }] });

export const resized = (over: Partial<Container> = {}) =>
  testPod({ containers: [{ ...init('a'), resources: { requests: { cpu: '2' } }, ...over }, init('b')] });
export const withOneCpu = { annotations: { [resourcesAnnotation]: '{"requests":{"cpu":"1"}}' } };
export const withTwoCpus = { annotations: { [resourcesAnnotation]: '{"requests":{"cpu":"2"}}' } };
export const restarts = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };

export function planOf(c: Pick<PlanCase, 'actual'> & Partial<PlanCase>): Plan {
  return plan({
    pod: c.pod ?? testPod(),
    intent: c.intent ?? { kind: 'run' },
    actual: c.actual,
    probes: testProbes(c.probes),
    backoff: defaultBackoff,
    containerHash: () => 'h',
    replaced: new Set(c.replaced),
    pulled: new Set(c.pulled),
    restartCounts: new Map(Object.entries(c.restartCounts ?? {})),
    resizing: c.resizing ?? false,
    startedAtMs: c.startedAtMs ?? testNowMs,
    nowMs: testNowMs,
  });
}

/** What a row says of its plan. */
export const wanted = ({ actions, end, prepared, stopped = false, waiting = [] }: PlanCase) => ({
  actions,
  end,
  waiting,
  stopped,
  ...(prepared !== undefined && { prepared }),
});

/** The same of the plan itself. */
export function planned(c: PlanCase): ReturnType<typeof wanted> {
  const { actions, end, prepared, stopped, waiting } = planOf(c);
  return {
    actions: actions.map(short),
    end,
    waiting: [...waiting].map(([name, { reason }]) => `${name} ${reason}`),
    stopped,
    ...(c.prepared !== undefined && { prepared }),
  };
}

function short(action: Action): string {
  switch (action.do) {
    case 'createSandbox':
      return `sandbox ${action.attempt}${action.replaces.length > 0 ? ` for ${action.replaces.join()}` : ''}`;
    case 'stopSandbox':
      return `stop sandbox ${action.podSandboxId}`;
    case 'startContainer':
      return `start ${action.containerId ?? action.name} ${action.kind} #${action.restartCount} in ${action.podSandboxId}`;
    case 'killContainer':
      return `kill ${action.containerId} ${action.reason}`;
    case 'removeContainer':
      return `remove ${action.containerId}`;
    case 'pullImage':
      return `pull ${action.name}`;
    case 'resize':
      return `resize ${action.names.join()}`;
  }
}
