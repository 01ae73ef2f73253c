import { describe, expect, it } from 'vitest';
import type { PodStatus } from '../../src/api/core.gen.ts';
import type { BridgedPod, PodState } from '../agent-port.ts';
import { DiagnosticStatus } from '../messages/gen/diagnostic_msgs.ts';
import { podDiagnostic } from './diagnostics.ts';

const { ERROR, OK, STALE, WARN } = DiagnosticStatus;
const ready: PodStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const unready: PodStatus = {
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'False', message: 'containers with unready status: [a]' }],
};
const state = (over: Partial<PodState> = {}): PodState => ({
  state: 'active',
  hasFailed: false,
  isHeldBack: false,
  waitsFor: [],
  ...over,
});
const bridged = (status: PodStatus, lifecycle?: PodState, isStale = false): BridgedPod => ({
  pod: {
    metadata: { name: 'camera', namespace: 'default' },
    spec: { containers: [], nodeName: 'robot' },
    status,
  },
  ...(lifecycle === undefined ? {} : { lifecycle }),
  runtime: 'process',
  usage: { cpuCores: 0.5, memoryBytes: 1000 },
  probes: [
    {
      container: 'a',
      kind: 'liveness',
      description: 'tcp :80',
      result: 'success',
      lastFailureMessage: '',
      p99Ms: 12.34,
    },
  ],
  isStale,
});

describe('the level of a pod', () => {
  const backOff = { reason: 'CrashLoopBackOff', message: 'back-off 10s' };
  it.each<[string, BridgedPod, number, string]>([
    ['active and ready', bridged(ready, state()), OK, 'active and ready'],
    ['not ready', bridged(unready, state()), WARN, 'active: containers with unready status: [a]'],
    ['on its way', bridged({ phase: 'Pending' }, state({ state: 'activating' })), WARN, 'activating'],
    ['crashing', bridged(unready, state({ problem: backOff })), ERROR, 'CrashLoopBackOff: back-off 10s'],
    [
      'waiting',
      bridged({ phase: 'Pending' }, state({ state: 'inactive', waitsFor: ['topic /map'] })),
      WARN,
      'waits for topic /map',
    ],
    [
      'held back',
      bridged({ phase: 'Pending' }, state({ state: 'inactive', isHeldBack: true })),
      OK,
      'inactive, as it was told',
    ],
    ['refused', bridged({ phase: 'Failed', reason: 'OutOfcpu', message: 'no cpu' }), ERROR, 'no cpu'],
    ['done', bridged({ phase: 'Succeeded' }, state({ state: 'finalized' })), OK, 'done'],
    ['unknown', bridged({ phase: 'Pending' }), STALE, 'not looked at yet'],
    [
      'of a runtime that is silent',
      bridged(ready, state(), true),
      STALE,
      'the runtime does not answer: this may not be so any more',
    ],
  ])('%s', (_, pod, level, message) => {
    expect(podDiagnostic('robot', pod)).toMatchObject({
      level,
      message,
      name: 'roslet: robot/default/camera',
    });
  });
});

it('a pod is told with what it uses, its restarts, its last end and its probes', () => {
  const status: PodStatus = {
    ...ready,
    containerStatuses: [
      {
        name: 'a',
        image: '',
        imageID: '',
        ready: true,
        restartCount: 2,
        lastState: { terminated: { exitCode: 139, reason: 'Error', finishedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  };
  const { values } = podDiagnostic('robot', bridged(status, state()));
  expect(Object.fromEntries(values.map(({ key, value }) => [key, value]))).toEqual({
    lifecycle: 'active',
    phase: 'Running',
    restarts: '2',
    'last exit': 'a: 139 (Error) at 2026-01-01T00:00:00Z',
    'cpu (cores)': '0.500',
    'memory (bytes)': '1000',
    'liveness probe of a, p99 (ms)': '12.3',
  });
});
