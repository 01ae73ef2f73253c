import { describe, expect, it } from 'vitest';
import type { ContainerState, ContainerStatus, Pod } from '../api/core.gen.ts';
import { summarizePod } from './pod-summary.ts';

const running: ContainerState = { running: { startedAt: '2026-01-01T00:00:00Z' } };
const waiting = (reason: string): ContainerState => ({ waiting: { reason } });
const ended = (exitCode: number, reason?: string, signal?: number): ContainerState => ({
  terminated: { exitCode, reason, signal },
});

const status = (
  name: string,
  state: ContainerState,
  over: Partial<ContainerStatus> = {},
): ContainerStatus => ({
  name,
  state,
  ready: state.running !== undefined,
  restartCount: 0,
  image: '',
  imageID: '',
  ...over,
});

interface Case {
  init?: ContainerStatus[];
  sidecars?: string[];
  main?: ContainerStatus[];
  phase?: string;
  reason?: string;
  conditions?: Record<string, string>;
  deleted?: boolean;
}

const podOf = ({
  init = [],
  sidecars = [],
  main = [],
  phase = 'Running',
  reason,
  conditions = {},
  deleted,
}: Case): Pod => ({
  metadata: { name: 'p', ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
  spec: {
    containers: (main.length > 0 ? main : [status('main', {})]).map(({ name }) => ({ name })),
    initContainers: init.map(({ name }) => ({
      name,
      ...(sidecars.includes(name) && { restartPolicy: 'Always' }),
    })),
  },
  status: {
    phase,
    reason,
    initContainerStatuses: init,
    containerStatuses: main,
    conditions: Object.entries(conditions).map(([type, value]) => ({ type, status: value })),
  },
});

describe('summarizePod', () => {
  it.each<[string, Case, { status: string; ready: string; restarts?: number }]>([
    ['a running pod', { main: [status('a', running)] }, { status: 'Running', ready: '1/1' }],
    ['one that waits', { phase: 'Pending' }, { status: 'Pending', ready: '0/1' }],
    ['a reason of the pod', { phase: 'Failed', reason: 'Evicted' }, { status: 'Evicted', ready: '0/1' }],
    [
      'crash loop',
      { main: [status('a', waiting('CrashLoopBackOff'), { restartCount: 3 })] },
      { status: 'CrashLoopBackOff', ready: '0/1', restarts: 3 },
    ],
    [
      'the first container that tells',
      { main: [status('a', running), status('b', waiting('ErrImagePull')), status('c', ended(1, 'Error'))] },
      { status: 'ErrImagePull', ready: '1/3' },
    ],
    [
      'an end by signal',
      { main: [status('a', ended(137, undefined, 9))] },
      { status: 'Signal:9', ready: '0/1' },
    ],
    ['an end by exit code', { main: [status('a', ended(3))] }, { status: 'ExitCode:3', ready: '0/1' }],
    [
      'completed',
      { phase: 'Succeeded', main: [status('a', ended(0, 'Completed'))] },
      { status: 'Completed', ready: '0/1' },
    ],
    [
      'one of two completed, ready',
      { main: [status('a', ended(0, 'Completed')), status('b', running)], conditions: { Ready: 'True' } },
      { status: 'Running', ready: '1/2' },
    ],
    [
      'one of two completed, not ready',
      { main: [status('a', ended(0, 'Completed')), status('b', running)] },
      { status: 'NotReady', ready: '1/2' },
    ],
    [
      'init in progress',
      { phase: 'Pending', init: [status('i', ended(0, 'Completed')), status('j', running)] },
      { status: 'Init:1/2', ready: '0/1' },
    ],
    [
      'init not begun',
      { phase: 'Pending', init: [status('i', waiting('PodInitializing'))] },
      { status: 'Init:0/1', ready: '0/1' },
    ],
    [
      'init that fails',
      { phase: 'Pending', init: [status('i', ended(1, 'Error'), { restartCount: 2 })] },
      { status: 'Init:Error', ready: '0/1', restarts: 2 },
    ],
    [
      'init in a crash loop',
      { phase: 'Pending', init: [status('i', waiting('CrashLoopBackOff'))] },
      { status: 'Init:CrashLoopBackOff', ready: '0/1' },
    ],
    [
      'a sidecar counts',
      {
        init: [status('s', running, { started: true })],
        sidecars: ['s'],
        main: [status('a', running)],
        conditions: { Initialized: 'True' },
      },
      { status: 'Running', ready: '2/2' },
    ],
    [
      'a sidecar that starts',
      { phase: 'Pending', init: [status('s', running, { ready: false })], sidecars: ['s'] },
      { status: 'Init:0/1', ready: '0/2' },
    ],
    ['terminating', { deleted: true, main: [status('a', running)] }, { status: 'Terminating', ready: '1/1' }],
    [
      'deleted after its end',
      { deleted: true, phase: 'Succeeded', main: [status('a', ended(0, 'Completed'))] },
      { status: 'Completed', ready: '0/1' },
    ],
  ])('%s', (_name, input, expected) => {
    const { status: text, ready, total, restarts } = summarizePod(podOf(input));
    expect({ status: text, ready: `${ready}/${total}`, restarts }).toEqual({ restarts: 0, ...expected });
  });

  it('tells when a container last ended', () => {
    const at = (finishedAt: string): Partial<ContainerStatus> => ({
      lastState: { terminated: { exitCode: 1, finishedAt } },
    });
    const main = [
      status('a', running, at('2026-01-01T00:00:05Z')),
      status('b', running, at('2026-01-01T00:00:03Z')),
    ];
    expect(summarizePod(podOf({ main })).lastRestartMs).toBe(Date.parse('2026-01-01T00:00:05Z'));
  });
});
