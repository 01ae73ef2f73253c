/** What the agent remembers of pods that are gone: nothing but the events and changes that it tells of, which are bounded. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestAgent, until } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';

let containerd: TestContainerd;
let agent: TestAgent;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-heap-'));
  containerd = await startContainerd('1.6');
  agent = await TestAgent.create({
    criEndpoint: containerd.endpoint,
    env: { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${dir}` },
  });
  await agent.start();
});
afterAll(async () => {
  expect(await agent.remove()).toEqual([]);
  await containerd.stop();
  await rm(dir, { recursive: true });
});

const manifest = (name: string, spec: string) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 1
  hostNetwork: true
  ${spec}
  volumes: [{name: some, emptyDir: {}}]
  containers:
  - {name: main, image: 'docker.io/library/busybox:local', command: [sleep, '1000'], volumeMounts: [{name: some, mountPath: /tmp/some}]}
  - {name: crashing, image: 'docker.io/library/busybox:local', command: ['false']}
`;

/** All strings that are in use on the agent's heap. */
async function strings(): Promise<string[]> {
  process.kill(agent.pid, 'SIGUSR2');
  return until('the snapshot is there', async () => {
    const [name = ''] = await readdir(dir);
    return (JSON.parse(await readFile(join(dir, name), 'utf8')) as { strings: string[] }).strings;
  });
}

it('where the files of a pod were is forgotten when it is gone', async () => {
  const runtimes = ['', 'runtimeClassName: host-process'];
  for (const [i, spec] of runtimes.entries()) await agent.apply(`${i}.yaml`, manifest(`pod${i}`, spec));
  const uids = await Promise.all(
    runtimes.map(async (_, i) => {
      const { metadata } = await agent.podUntil(`pod${i}`, 'has crashed', ({ status }) =>
        Boolean(status?.containerStatuses?.some(({ restartCount }) => restartCount > 0)),
      );
      return metadata?.uid;
    }),
  );
  for (const i of runtimes.keys()) await agent.unapply(`${i}.yaml`);
  await until('nothing is left of them', () => agent.leftovers().length === 0);
  const remembered = await strings();
  expect(remembered.filter((text) => uids.some((uid) => text.includes(`/pods/${uid}/`)))).toEqual([]);
});
