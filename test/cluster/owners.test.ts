/** Whose the files are that a cluster gives a pod, and what others tell that the node has. */
import { lstatSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Node, Pod, PodSpec } from '../../src/api/core.gen.ts';
import { nodeName, TestAgent, until } from '../agent.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { hostPod, loop, nodeReady, podReady, removePods } from './steps.ts';

let plane: ControlPlane;
let agent: TestAgent;

beforeAll(async () => {
  plane = await ControlPlane.start();
  agent = await TestAgent.create({ args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName)] });
  await agent.start();
  await nodeReady(plane);
}, 1_800_000);
afterEach(() => removePods({ plane, agent }, { how: ['--force', '--grace-period=0'] }));
afterAll(async () => {
  expect(await agent?.remove()).toEqual([]);
  await plane?.stop();
});

const node = () => plane.get<Node>('node', nodeName);

async function create(name: string, spec: Partial<PodSpec>, script = loop): Promise<void> {
  const [main = { name: 'main' }] = spec.containers ?? [];
  const containers = [{ image: 'none', command: ['sh', '-c', script], ...main }];
  await plane.create(hostPod(name, script, { ...spec, containers }));
}
const ready = (name: string) => podReady(plane, name);

async function claim(name: string, source: object): Promise<void> {
  const spec = { accessModes: ['ReadWriteMany'], storageClassName: '' };
  const here = { key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] };
  await plane.create({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      ...spec,
      capacity: { storage: '1Mi' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [here] }] } },
      ...source,
    },
  });
  await plane.create({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { ...spec, volumeName: name, resources: { requests: { storage: '1Mi' } } },
  });
}

const owner = (path: string) => {
  const { uid, gid, mode } = lstatSync(path);
  return { uid, gid, mode: (mode & 0o7777).toString(8) };
};

async function tree(name: string): Promise<string> {
  const dir = join(agent.dir, name);
  await mkdir(join(dir, 'sub'), { recursive: true });
  await writeFile(join(dir, 'sub', 'file'), '');
  await chmod(join(dir, 'sub', 'file'), 0o600);
  await writeFile(join(agent.dir, `${name}-outside`), '');
  await chmod(join(agent.dir, `${name}-outside`), 0o600);
  await symlink(join(agent.dir, `${name}-outside`), join(dir, 'link'));
  return dir;
}

const using = (fsGroup: number, claimName: string, more: object = {}): Partial<PodSpec> => ({
  securityContext: { fsGroup, ...more },
  containers: [{ name: 'main', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
  volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
});

it('a local volume is given to the group of the first pod that has it, and nothing beside it', async () => {
  const dir = await tree('local');
  await claim('local', { local: { path: dir } });
  await create('first', using(4321, 'local'));
  await ready('first');
  expect(owner(dir)).toMatchObject({ gid: 4321, mode: '2775' });
  expect(owner(join(dir, 'sub'))).toMatchObject({ gid: 4321, mode: '2775' });
  expect(owner(join(dir, 'sub', 'file'))).toEqual({ uid: 0, gid: 4321, mode: '660' });
  expect(owner(join(agent.dir, 'local-outside'))).toEqual({ uid: 0, gid: 0, mode: '600' });
  await create('second', using(4322, 'local'));
  await ready('second');
  expect(owner(join(dir, 'sub', 'file'))).toMatchObject({ gid: 4321 });
});

it('a local volume whose root is right is taken to be right where the pod wants it so', async () => {
  const dir = await tree('root-only');
  await claim('root-only', { local: { path: dir } });
  await chown(dir, 0, 4321);
  await chmod(dir, 0o2770);
  await create('pod', using(4321, 'root-only', { fsGroupChangePolicy: 'OnRootMismatch' }));
  await ready('pod');
  expect(owner(join(dir, 'sub', 'file'))).toEqual({ uid: 0, gid: 0, mode: '600' });
});

it('a hostPath volume stays as the host has it', async () => {
  const dir = await tree('host');
  await claim('host', { hostPath: { path: dir } });
  await create('pod', using(4321, 'host'));
  await ready('pod');
  expect(owner(join(dir, 'sub', 'file'))).toEqual({ uid: 0, gid: 0, mode: '600' });
});

it.each<[string, PodSpec['securityContext'], ReturnType<typeof owner>]>([
  ['the one user of the pod alone', { runAsUser: 4321 }, { uid: 4321, gid: 0, mode: '600' }],
  ['its group, too', { runAsUser: 4321, fsGroup: 77 }, { uid: 4321, gid: 77, mode: '640' }],
  ['all where nobody knows who needs it', {}, { uid: 0, gid: 0, mode: '644' }],
])('a token can be read by %s', async (_, securityContext, expected) => {
  const token = '/var/run/secrets/kubernetes.io/serviceaccount/token';
  const out = join(agent.dir, `token-${expected.mode}`);
  await writeFile(out, '');
  await chmod(out, 0o666);
  await chmod(agent.dir, 0o755);
  await create('pod', { securityContext: securityContext ?? {} }, `wc -c <${token} >${out}; ${loop}`);
  const pod = await ready('pod');
  await until('it was read', () => Number(readFileSync(out, 'utf8')) > 100);
  const volume = pod.spec?.volumes?.find(({ projected }) => projected !== undefined)?.name ?? '';
  const path = join(
    agent.root,
    'pods',
    pod.metadata?.uid ?? '',
    'volumes',
    'kubernetes.io~projected',
    volume,
  );
  expect(owner(join(path, '..data', 'token'))).toEqual(expected);
});

it('an extended resource is what others say, is handed out, and goes with their word', async () => {
  const tell = (quantity: string | null) =>
    plane.kubectl(
      ...['patch', 'node', nodeName, '--subresource=status', '-p'],
      JSON.stringify({ status: { capacity: { 'example.com/camera': quantity } } }),
    );
  const asking = (limits: Record<string, string>): Partial<PodSpec> => ({
    // By hand: the scheduler would not let the second one here.
    nodeName,
    containers: [{ name: 'main', resources: { limits } }],
  });
  await tell('2');
  await until(
    'it is allocatable',
    async () => (await node()).status?.allocatable?.['example.com/camera'] === '2',
  );
  await create('first', asking({ 'example.com/camera': '2' }));
  await ready('first');
  await create('second', asking({ 'example.com/camera': '1' }));
  await until('the second is refused', async () => {
    const { status } = await plane.get<Pod>('pod', 'second');
    return status?.reason === 'OutOfexample.com/camera';
  });
  await agent.stop();
  await agent.start();
  await until('the new agent has its pods', async () => (await agent.pods()).length > 0);
  expect((await node()).status?.capacity).toMatchObject({ 'example.com/camera': '2' });
  await create('unknown', asking({ 'example.com/lidar': '1' }));
  await ready('unknown');
  await tell(null);
  await until(
    'it is gone',
    async () => (await node()).status?.allocatable?.['example.com/camera'] === undefined,
  );
});
