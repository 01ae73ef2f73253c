import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import { silentLogger } from '../../log.ts';
import { createMetrics } from '../../metrics/metrics.ts';
import { agentPaths } from '../../paths.ts';
import { podSandboxConfig } from '../runtime-config/sandbox-config.ts';
import { testActual, testPod, testSandbox } from '../testing.ts';
import { turns } from '../turns.ts';
import { ContainerStart, type ContainerStartDeps } from './container-start.ts';

let root: string;
let life: AbortController;
/** What is under way or done, in order. */
let done: string[];
let starting: ContainerStart;

beforeEach(async () => {
  // No turn is over because it took long.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  root = await mkdtemp(join(tmpdir(), 'roslet-container-start-'));
  life = new AbortController();
  done = [];
  const paths = agentPaths(root);
  const dns = { host: { servers: [], searches: [], options: [] }, clusterDns: [], clusterDomain: 'x' };
  const runtime: Partial<Runtime> = {
    images: {} as NonNullable<Runtime['images']>,
    createContainer: async (_, { image }) => image,
    startContainer: async (id) => void done.push(`${id} runs`),
    execSync: (id) => {
      done.push(`hook in ${id}`);
      return new Promise(() => undefined);
    },
  };
  const deps: { [Name in keyof ContainerStartDeps]: Partial<ContainerStartDeps[Name]> } = {
    runtime,
    turns: turns(1),
    handler: () => ({ name: '', recursiveReadOnlyMounts: false, userNamespaces: false }),
    sandboxes: {
      prepareContainers: async (pod) =>
        podSandboxConfig(pod, { attempt: 0, paths, cgroupParent: '/', dns }).config,
    },
    cgroups: { missing: [] },
    images: {
      ensureImage: ({ container: { image = '' } }) => {
        if (image !== 'slow') return Promise.resolve({ imageRef: image, image: undefined });
        done.push('pull of slow');
        return new Promise(() => undefined);
      },
    },
    containers: {
      paths,
      node: () => ({ nodeName: 'robot', hostIps: ['10.0.0.1'], allocatable: {} }),
      clusterDomain: 'x',
      hasRosBridge: false,
      seccompRoot: root,
      seccompDefault: false,
    },
    events: { event: () => undefined },
    metrics: createMetrics(),
    resources: {
      cgroupVersion: 2,
      memoryCapacityBytes: 2 ** 30,
      hugepageSizes: [],
      cpuCfsQuota: true,
      cpuCfsQuotaPeriodUs: 100_000,
      singleProcessOomKill: false,
      swapAccounting: true,
    },
    ownerLabels: {},
    log: silentLogger(),
  };
  starting = new ContainerStart(deps as ContainerStartDeps);
});

afterEach(async () => {
  vi.useRealTimers();
  life.abort();
  await rm(root, { recursive: true });
});

const start = (pod: Pod) =>
  starting.start(
    pod,
    {
      do: 'startContainer',
      name: 'a',
      kind: 'app',
      podSandboxId: 'sb0',
      restartCount: 0,
      hash: 'h',
      backoffMs: 0,
    },
    testActual([testSandbox()]),
    life.signal,
  );

it.each<[string, Pod, string]>([
  ['whose image is being pulled', testPod({ containers: [{ name: 'a', image: 'slow' }] }), 'pull of slow'],
  [
    'whose postStart hook goes on',
    testPod({
      containers: [
        { name: 'a', image: 'hooked', lifecycle: { postStart: { exec: { command: ['sleep', '9'] } } } },
      ],
    }),
    'hook in hooked',
  ],
])('a container %s holds no other up', async (_, pod, underWay) => {
  void start(pod).catch(() => undefined);
  await vi.waitFor(() => expect(done).toContain(underWay));
  const other = testPod({ containers: [{ name: 'a', image: 'other' }] }, { uid: 'uid-2' });
  expect(await start(other)).toBeUndefined();
  expect(done.at(-1)).toBe('other runs');
});
