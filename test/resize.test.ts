/** Without a cluster: what a pod may use changes while it runs, by kubectl and by an edit of its manifest, on both runtimes. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../src/api/core.gen.ts';
import { cgroupsBelow, isReady, TestAgent, until } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';
import { kubernetesBinaries } from './peers/kubernetes-binaries.ts';
import { relayTo, type SocketRelay } from './peers/socket-relay.ts';

let kubectlProgram: string;
beforeAll(async () => {
  kubectlProgram = join(await kubernetesBinaries('kubectl'), 'kubectl');
}, 1_800_000);

describe.each(['host processes', 'containerd'])('pods of %s', (runtime) => {
  let agent: TestAgent;
  let containerd: TestContainerd | undefined;
  let relay: SocketRelay;

  beforeAll(async () => {
    if (runtime === 'containerd') containerd = await startContainerd('1.6');
    const criEndpoint = containerd?.endpoint;
    agent = await TestAgent.create(criEndpoint === undefined ? {} : { criEndpoint });
    await agent.start();
    relay = await relayTo(join(agent.root, 'roslet.sock'));
  });
  afterAll(async () => {
    relay?.close();
    expect(await agent?.remove()).toEqual([]);
    await containerd?.stop();
  });

  const kubectl = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, KUBECONFIG: '/dev/null', HOME: agent.dir };
    return (await promisify(execFile)(kubectlProgram, ['--server', relay.url, ...args], { env })).stdout;
  };

  const manifest = (name: string, memory: string, more = '') => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: docker.io/library/busybox:local
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'while true; do sleep 0.1; done']
    resources: {requests: {cpu: 100m, memory: ${memory}}, limits: {cpu: 100m, memory: ${memory}}}
${more}`;

  const mainOf = ({ status }: Pod) => status?.containerStatuses?.[0];
  const condition = ({ status }: Pod, type: string) => status?.conditions?.find((c) => c.type === type);
  const hasMemory = (memory: string) => (pod: Pod) =>
    isReady(pod) &&
    mainOf(pod)?.resources?.limits?.memory === memory &&
    condition(pod, 'PodResizeInProgress') === undefined;

  /** The limit that the kernel has for the container, in bytes. */
  function memoryLimit(pod: Pod): number {
    const id = mainOf(pod)?.containerID?.replace(/^\w+:\/\//, '');
    for (const dir of cgroupsBelow(agent.cgroup).filter((each) => each.endsWith(`/${id}`))) {
      for (const file of ['memory.limit_in_bytes', 'memory.max']) {
        try {
          return Number(readFileSync(join(dir, file), 'utf8'));
        } catch {
          // It is in another hierarchy.
        }
      }
    }
    throw new Error(`no cgroup of ${id}`);
  }
  const mebibyte = 2 ** 20;

  it('are resized by kubectl, and refuse what a resize cannot do', async () => {
    await agent.cli('apply', '-f', await write('api.yaml', manifest('api', '64Mi')));
    const before = await agent.ready('api');
    const patch = (resources: object, more = {}) =>
      kubectl(
        ...['patch', 'pod', 'api', '--subresource=resize', '-p'],
        JSON.stringify({ spec: { containers: [{ name: 'main', resources, ...more }] } }),
      );
    const memory = '96Mi';
    await patch({ requests: { memory }, limits: { memory } });
    const after = await agent.podUntil('api', 'has more memory', hasMemory(memory));
    expect(mainOf(after)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
    expect(after.metadata?.generation).toBe(2);
    expect(memoryLimit(after)).toBe(96 * mebibyte);
    await expect(patch({}, { image: 'another' })).rejects.toThrow(/only cpu and memory resources/);
    await expect(patch({ limits: { memory: null } })).rejects.toThrow(/cannot be removed|QOS Class/);
    // As everywhere in Kubernetes, only there.
    const spec = { containers: [{ name: 'main', resources: { limits: { memory: '1Gi' } } }] };
    await expect(kubectl('patch', 'pod', 'api', '-p', JSON.stringify({ spec }))).rejects.toThrow(/Forbidden/);
    await agent.stop('SIGKILL');
    await agent.start();
    const again = await agent.podUntil('api', 'is as it was', hasMemory(memory));
    expect(mainOf(again)?.containerID).toBe(mainOf(before)?.containerID);
    await kubectl('delete', 'pod', 'api', '--wait=false');
  });

  it('of manifests are resized where they run, as far as there is room', async () => {
    await agent.apply('a.yaml', manifest('edited', '64Mi'));
    const before = await agent.ready('edited');
    await agent.apply('a.yaml', manifest('edited', '96Mi'));
    const grown = await agent.podUntil('edited', 'has more memory', hasMemory('96Mi'));
    expect(mainOf(grown)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
    expect(memoryLimit(grown)).toBe(96 * mebibyte);
    await agent.apply('a.yaml', manifest('edited', '900Gi'));
    const pending = await agent.podUntil(
      'edited',
      'is told why not',
      (pod) => condition(pod, 'PodResizePending')?.reason === 'Infeasible',
    );
    expect(isReady(pending)).toBe(true);
    const told = await until('it is told by an event', async () =>
      (await agent.events()).find(({ reason }) => reason === 'ResizeInfeasible'),
    );
    expect(told.message).toContain("Node didn't have enough capacity: memory");
    await agent.stop('SIGKILL');
    await agent.start();
    await agent.apply('a.yaml', manifest('edited', '64Mi'));
    const shrunk = await agent.podUntil('edited', 'has less memory', hasMemory('64Mi'));
    expect(mainOf(shrunk)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
    expect(condition(shrunk, 'PodResizePending')).toBeUndefined();
    // What a resize cannot do is done as ever.
    const policy = '    resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]\n';
    await agent.apply('a.yaml', manifest('edited', '64Mi', policy));
    await agent.podUntil('edited', 'has started its container anew', (pod) => {
      return isReady(pod) && mainOf(pod)?.restartCount === 1;
    });
    await agent.apply('a.yaml', manifest('edited', '80Mi', policy));
    const restarted = await agent.podUntil('edited', 'is restarted by its policy', (pod) => {
      return hasMemory('80Mi')(pod) && mainOf(pod)?.restartCount === 2;
    });
    expect(restarted.metadata?.uid).toBe(before.metadata?.uid);
    await agent.unapply('a.yaml');
  });

  it('have what was asked for last, and are not restarted, whenever the agent is killed', async () => {
    await agent.apply('b.yaml', manifest('killed', '64Mi'));
    const before = await agent.ready('killed');
    for (let round = 1; round <= 12; round += 1) {
      await agent.apply('b.yaml', manifest('killed', `${64 + round}Mi`));
      // Before, within and after the call that changes the limits.
      await setTimeout(round * 15);
      await agent.stop('SIGKILL');
      await agent.start();
      if (round % 3 !== 0) continue;
      const after = await agent.podUntil('killed', 'has its memory', hasMemory(`${64 + round}Mi`));
      expect(mainOf(after)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
      expect(memoryLimit(after)).toBe((64 + round) * mebibyte);
    }
    await agent.unapply('b.yaml');
  });

  it('have what was asked for also where nothing can be written meanwhile', async () => {
    await agent.apply('c.yaml', manifest('full', '64Mi'));
    const before = await agent.ready('full');
    const store = join(agent.root, 'store');
    // As on a full disk no record can be replaced, and the old one stays.
    execFileSync('mount', ['--bind', store, store]);
    execFileSync('mount', ['-o', 'remount,bind,ro', store]);
    try {
      await agent.apply('c.yaml', manifest('full', '96Mi'));
      const resized = await agent.podUntil('full', 'has more memory', hasMemory('96Mi'));
      expect(memoryLimit(resized)).toBe(96 * mebibyte);
      expect(agent.log).toContain('the record of the pod cannot be kept');
      await agent.stop('SIGKILL');
    } finally {
      execFileSync('umount', [store]);
    }
    await agent.start();
    const after = await agent.podUntil('full', 'has it still', hasMemory('96Mi'));
    expect(mainOf(after)).toMatchObject({ containerID: mainOf(before)?.containerID, restartCount: 0 });
    expect(memoryLimit(after)).toBe(96 * mebibyte);
    await agent.unapply('c.yaml');
  });

  const write = async (name: string, text: string): Promise<string> => {
    const path = join(agent.dir, name);
    await writeFile(path, text);
    return path;
  };
});
