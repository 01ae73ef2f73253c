/** An agent around which something goes wrong, and its pods. It is taken down after each test, and has left nothing behind. */
import { afterEach, expect } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { TestAgent, type TestAgentOptions } from '../agent.ts';

export const pod = (
  name: string,
  { host = true, command = 'while sleep 0.1; do :; done', extra = '' } = {},
) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${host ? 'runtimeClassName: host-process' : ''}
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: docker.io/library/busybox:local
    command: [sh, -c, ${JSON.stringify(`trap "exit 0" TERM; ${command}`)}]
${extra}`;

export const restarts = (p: Pod): number => p.status?.containerStatuses?.[0]?.restartCount ?? -1;
export const containerId = (p: Pod): string => p.status?.containerStatuses?.[0]?.containerID ?? '';

export interface FaultsPlace {
  /** Taken down in the end; undefined: the test has done so. */
  agent: TestAgent | undefined;
  /** Done before that. */
  undo: (() => void)[];
  start(options?: TestAgentOptions): Promise<TestAgent>;
}

export function faultsPlace(): FaultsPlace {
  const on: FaultsPlace = {
    agent: undefined,
    undo: [],
    async start(options = {}) {
      on.agent = await TestAgent.create(options);
      await on.agent.start();
      return on.agent;
    },
  };
  afterEach(async () => {
    for (const step of on.undo.splice(0)) step();
    const left = await on.agent?.remove();
    on.agent = undefined;
    expect(left ?? []).toEqual([]);
  });
  return on;
}
