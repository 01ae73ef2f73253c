import { describe, expect, it } from 'vitest';
import type { Container, ContainerStatus } from '../../api/core.gen.ts';
import { testPod } from '../testing.ts';
import { podPhase } from './phase.ts';

describe('phase', () => {
  const run: ContainerStatus['state'] = { running: {} };
  const end = (exitCode: number): ContainerStatus['state'] => ({ terminated: { exitCode } });
  const wait: ContainerStatus['state'] = { waiting: {} };
  const of = (
    name: string,
    state: ContainerStatus['state'],
    lastState: ContainerStatus['lastState'] = {},
  ) => ({
    name,
    image: '',
    imageID: '',
    ready: false,
    restartCount: 0,
    state,
    lastState,
  });
  const i: Container = { name: 'i', image: '' };
  const cases: {
    name: string;
    policy?: string;
    init?: Container;
    inits?: ContainerStatus[];
    apps: ContainerStatus[];
    ended?: boolean;
    phase: string;
  }[] = [
    { name: 'all waiting', apps: [of('a', wait), of('b', wait)], phase: 'Pending' },
    { name: 'one running, one waiting', apps: [of('a', run), of('b', wait)], phase: 'Pending' },
    {
      name: 'one running, one back in its queue',
      apps: [of('a', run), of('b', wait, end(1))],
      phase: 'Running',
    },
    { name: 'all running', apps: [of('a', run), of('b', run)], phase: 'Running' },
    { name: 'crashed and waiting', apps: [of('a', wait, end(1)), of('b', wait, end(1))], phase: 'Running' },
    { name: 'ended, Always', apps: [of('a', end(0)), of('b', end(0))], phase: 'Running' },
    {
      name: 'ended well, Never, not taken down yet',
      policy: 'Never',
      apps: [of('a', end(0)), of('b', end(0))],
      phase: 'Running',
    },
    {
      name: 'ended well, Never',
      policy: 'Never',
      apps: [of('a', end(0)), of('b', end(0))],
      ended: true,
      phase: 'Succeeded',
    },
    {
      name: 'one failed, Never',
      policy: 'Never',
      apps: [of('a', end(0)), of('b', end(1))],
      ended: true,
      phase: 'Failed',
    },
    {
      name: 'failed, OnFailure restarts',
      policy: 'OnFailure',
      apps: [of('a', end(0)), of('b', end(1))],
      phase: 'Running',
    },
    {
      name: 'taken down while some never started',
      apps: [of('a', end(0)), of('b', wait)],
      ended: true,
      phase: 'Failed',
    },
    { name: 'taken down before anything started', apps: [of('a', wait)], ended: true, phase: 'Failed' },
    {
      name: 'taken down while an init container ran',
      init: i,
      inits: [of('i', end(137))],
      apps: [of('a', wait)],
      ended: true,
      phase: 'Failed',
    },
    { name: 'init running', init: i, inits: [of('i', run)], apps: [of('a', wait)], phase: 'Pending' },
    {
      name: 'init failing',
      init: i,
      inits: [of('i', wait, end(1))],
      apps: [of('a', wait)],
      phase: 'Pending',
    },
    {
      name: 'init failed, Never',
      policy: 'Never',
      init: i,
      inits: [of('i', end(1))],
      apps: [of('a', wait)],
      ended: true,
      phase: 'Failed',
    },
    {
      name: 'sidecar not started',
      init: { ...i, restartPolicy: 'Always' },
      inits: [of('i', run)],
      apps: [of('a', wait)],
      phase: 'Pending',
    },
    {
      name: 'sidecar crashed beside a running container',
      init: { ...i, restartPolicy: 'Always' },
      inits: [of('i', wait, end(1))],
      apps: [of('a', run)],
      phase: 'Running',
    },
  ];
  it.each(cases)('$name: $phase', (c) => {
    const pod = testPod({
      restartPolicy: c.policy ?? 'Always',
      containers: c.apps.map((s) => ({ name: s.name, image: '' })),
      ...(c.init === undefined ? {} : { initContainers: [c.init] }),
    });
    expect(podPhase(pod, c.inits ?? [], c.apps, c.ended ?? false)).toBe(c.phase);
  });
});
