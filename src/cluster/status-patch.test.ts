import { describe, expect, it } from 'vitest';
import type { ContainerState, Pod, PodStatus } from '../api/core.gen.ts';
import { patienceMs, type StatusPatch, statusPatch } from './status-patch.ts';

const t1 = '2026-01-01T00:00:01Z';
const t2 = '2026-01-01T00:00:02Z';
const ready = (status: string, rest: object = {}) => ({
  type: 'Ready',
  status,
  lastTransitionTime: t1,
  ...rest,
});

const container = (state: ContainerState) => ({
  name: 'a',
  ready: true,
  image: 'i',
  imageID: '',
  restartCount: 0,
  state,
});

describe('the patch of a status', () => {
  it.each<[string, PodStatus, PodStatus, object | undefined]>([
    ['says nothing when there is nothing to say', { phase: 'Running' }, { phase: 'Running' }, undefined],
    [
      'names only what differs',
      { phase: 'Pending', hostIP: '10.0.0.1' },
      { phase: 'Running', hostIP: '10.0.0.1', podIP: '10.1.0.1' },
      { phase: 'Running', podIP: '10.1.0.1' },
    ],
    ['takes away what is over', { reason: 'Evicted', message: 'm' }, {}, { reason: null, message: null }],
    [
      'does not take for a difference what the server leaves out',
      { containerStatuses: [{ name: 'a', ready: false, image: 'i', imageID: '', restartCount: 0 }] },
      {
        containerStatuses: [
          {
            name: 'a',
            ready: false,
            started: false,
            image: 'i',
            imageID: '',
            restartCount: 0,
            lastState: {},
          },
        ],
      },
      undefined,
    ],
    [
      'takes away what a container waited for',
      { containerStatuses: [container({ waiting: { reason: 'ContainerCreating', message: 'no room' } })] },
      { containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })] },
      { containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })] },
    ],
    [
      'replaces addresses, which would be merged',
      { podIPs: [{ ip: '10.1.0.1' }] },
      { podIPs: [{ ip: '10.1.0.2' }] },
      { podIPs: [{ $patch: 'replace' }, { ip: '10.1.0.2' }] },
    ],
    [
      'leaves conditions of others alone, also where ours are new',
      { conditions: [{ type: 'example.com/gate', status: 'True' }] },
      { conditions: [ready('False', { reason: 'R' }), { type: 'example.com/gate', status: 'False' }] },
      { conditions: [{ ...ready('False'), reason: 'R', message: null }] },
    ],
    [
      'does not bring back an eviction that its owner took back',
      { conditions: [{ type: 'DisruptionTarget', status: 'False', reason: 'PreemptionByScheduler' }] },
      { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
      undefined,
    ],
    [
      'tells that the node itself ended the pod',
      { conditions: [{ type: 'DisruptionTarget', status: 'False' }] },
      { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' }] },
      {
        conditions: [
          { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: null },
        ],
      },
    ],
    [
      'removes the conditions of a resize that is over, and no others',
      { conditions: [{ type: 'PodResizeInProgress', status: 'True' }, ready('True')] },
      { conditions: [] },
      { conditions: [{ type: 'PodResizeInProgress', $patch: 'delete' }] },
    ],
    [
      'tells that a pod is scheduled that no scheduler has bound',
      {},
      { conditions: [{ type: 'PodScheduled', status: 'True' }] },
      { conditions: [{ type: 'PodScheduled', status: 'True', reason: null, message: null }] },
    ],
    [
      'takes the reason of a condition away with it',
      { conditions: [ready('False', { reason: 'ContainersNotReady', message: 'm' })] },
      { conditions: [{ ...ready('True'), lastTransitionTime: t2 }] },
      { conditions: [{ ...ready('True'), lastTransitionTime: t2, reason: null, message: null }] },
    ],
    [
      'never takes back an end',
      { phase: 'Failed' },
      { phase: 'Running', podIP: '10.1.0.1' },
      { podIP: '10.1.0.1' },
    ],
    [
      'does not undo what the API server itself writes',
      { qosClass: 'Guaranteed', nominatedNodeName: 'n' },
      { qosClass: 'BestEffort' },
      undefined,
    ],
  ])('%s', (_, theirs, ours, patch) => {
    expect(statusPatch(theirs, ours)).toEqual(patch);
  });

  it('lets nothing be left over once it was applied', () => {
    const ours: PodStatus = { phase: 'Running', conditions: [ready('True')], podIPs: [{ ip: '1.1.1.1' }] };
    expect(statusPatch({}, ours)).toBeDefined();
    expect(statusPatch(ours, ours)).toBeUndefined();
  });
});

describe('a status can wait for what comes to be told with it', () => {
  const deleted: Pod = {
    metadata: { deletionTimestamp: t1 },
    spec: { containers: [] },
    status: { conditions: [ready('True', { observedGeneration: 1 })] },
  };
  const running: Pod = { metadata: {}, spec: { containers: [] } };
  const sandbox = (status: string) => ({ type: 'PodReadyToStartContainers', status });

  it.each<[string, Pod, StatusPatch, 'long' | 'a moment' | 'no']>([
    ['when it is the sandbox alone', running, { podIP: '1.1.1.1', conditions: [sandbox('True')] }, 'long'],
    ['when it is the generation alone', running, { observedGeneration: 2 }, 'long'],
    ['also of a pod that goes down', deleted, { conditions: [sandbox('False')] }, 'long'],
    [
      'when it is the generation of a pod that goes down',
      deleted,
      {
        observedGeneration: 2,
        conditions: [ready('True', { observedGeneration: 2, reason: null, message: null })],
      },
      'long',
    ],
    ['as a step of a pod that goes down', deleted, { conditions: [ready('False')] }, 'a moment'],
    ['but not readiness', running, { conditions: [sandbox('True'), ready('True')] }, 'no'],
    ['but not what a container does', running, { podIP: '10.0.0.1', containerStatuses: [] }, 'no'],
    ['but not a phase', running, { phase: 'Running' }, 'no'],
  ])('%s', (_, pod, patch, expected) => {
    const ms = patienceMs(pod, patch);
    expect(ms === 0 ? 'no' : ms <= 1000 ? 'a moment' : 'long').toBe(expected);
  });
});
