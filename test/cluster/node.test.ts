/** The agent as a node of a cluster: a real control plane, pods as host processes. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event, Node, Pod, PodSpec } from '../../src/api/core.gen.ts';
import { nodeName, TestAgent, until } from '../agent.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { hostPod, loop, nodeReady, podReady, removePods } from './steps.ts';

interface List<T> {
  items: T[];
}

let plane: ControlPlane;
let agent: TestAgent;

beforeAll(async () => {
  plane = await ControlPlane.start();
  agent = await TestAgent.create({
    args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName), '--node-labels=fleet=test'],
  });
  await agent.start();
  await nodeReady(plane);
}, 1_800_000);

afterAll(async () => {
  await removePods({ plane, agent });
  expect(await agent?.remove()).toEqual([]);
  await plane?.stop();
});

const node = () => plane.get<Node>('node', nodeName);
const pod = (name: string) => plane.get<Pod>('pod', name);
const ready = (object: Node | Pod) => object.status?.conditions?.find(({ type }) => type === 'Ready')?.status;

const isReady = (name: string): Promise<Pod> => podReady(plane, name);

const isGone = (name: string) =>
  until(
    `${name} is gone`,
    async () => (await plane.kubectl('get', 'pod', name, '--ignore-not-found')) === '',
  );

async function remove(name: string): Promise<void> {
  await plane.kubectl('delete', 'pod', name, '--wait=false');
  await isGone(name);
}

const mainOf = (found: Pod) => found.status?.containerStatuses?.[0];

describe('the node', () => {
  it('is registered with what the machine has, and keeps its lease', async () => {
    const found = await node();
    expect(found.metadata?.labels).toMatchObject({ 'kubernetes.io/hostname': nodeName, fleet: 'test' });
    expect(found.status?.capacity).toMatchObject({ pods: '110' });
    expect(found.status?.addresses).toContainEqual({ type: 'Hostname', address: nodeName });
    const reasons = Object.fromEntries(
      found.status?.conditions?.map(({ type, reason }) => [type, reason]) ?? [],
    );
    expect(reasons).toMatchObject({
      Ready: 'KubeletReady',
      MemoryPressure: 'KubeletHasSufficientMemory',
      DiskPressure: 'KubeletHasNoDiskPressure',
      PIDPressure: 'KubeletHasSufficientPID',
    });
    const lease = await until('the lease is there', () =>
      plane.kubectl(
        'get',
        'lease',
        nodeName,
        '-n',
        'kube-node-lease',
        '-o',
        'jsonpath={.spec.holderIdentity}',
      ),
    );
    expect(lease).toBe(nodeName);
  });

  it('is registered again when it was deleted', async () => {
    const before = (await node()).metadata?.uid;
    await plane.kubectl('delete', 'node', nodeName);
    await until('a new Node is ready', async () => {
      const found = await node();
      return found.metadata?.uid !== before && ready(found) === 'True';
    });
  });

  it('puts its conditions right when another declared it lost', async () => {
    const status = { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }] };
    await plane.kubectl('patch', 'node', nodeName, '--subresource=status', '-p', JSON.stringify({ status }));
    await until('it is ready again', async () => ready(await node()) === 'True');
  });

  it('is not called ready by an agent that cannot serve', async () => {
    await agent.stop();
    const status = { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }] };
    await plane.kubectl('patch', 'node', nodeName, '--subresource=status', '-p', JSON.stringify({ status }));
    const [, port] = /^port: (\d+)$/m.exec(readFileSync(join(agent.dir, 'config.yaml'), 'utf8')) ?? [];
    const other = createServer().listen(Number(port), '127.0.0.1');
    await once(other, 'listening');
    agent.spawn();
    expect(await agent.ended()).toBe(1);
    expect(agent.log).toContain(`cannot listen on 127.0.0.1:${port}`);
    expect(ready(await node())).toBe('Unknown');
    other.close();
    await agent.start();
    await until('it is ready', async () => ready(await node()) === 'True');
  });

  it('keeps what others wrote to it', async () => {
    const status = { conditions: [{ type: 'example.com/Battery', status: 'True' }] };
    await plane.kubectl('patch', 'node', nodeName, '--subresource=status', '-p', JSON.stringify({ status }));
    await plane.kubectl('label', 'node', nodeName, 'fleet=other', '--overwrite');
    await agent.stop();
    await agent.start();
    await until('the new agent has told its status', async () => {
      const conditions = (await node()).status?.conditions ?? [];
      return conditions.some(({ type }) => type === 'Ready') && conditions.length === 5;
    });
    expect((await node()).metadata?.labels?.fleet).toBe('other');
  });
});

describe('a pod of the cluster', () => {
  it('runs where the scheduler put it, tells how it is and is gone when it is deleted', async () => {
    await plane.create(hostPod('talker', `echo hello; trap 'exit 0' TERM; ${loop}`));
    const found = await isReady('talker');
    expect(found.status).toMatchObject({ phase: 'Running', qosClass: 'BestEffort', observedGeneration: 1 });
    expect(found.status?.conditions?.map(({ type }) => type).sort()).toEqual([
      'ContainersReady',
      'Initialized',
      'PodReadyToStartContainers',
      'PodScheduled',
      'Ready',
    ]);
    expect(mainOf(found)).toMatchObject({ ready: true, started: true, restartCount: 0 });
    await until('its events are there', async () => {
      const events = await plane.get<List<Event>>('events', '--field-selector', 'involvedObject.name=talker');
      return events.items.some(
        ({ reason, source }) => reason === 'Started' && source?.component === 'kubelet',
      );
    });
    await remove('talker');
  });

  it('is Failed or Succeeded as it ended, and is not run again by an agent that lost its memory', async () => {
    const file = join(agent.dir, 'runs');
    await plane.create(hostPod('once', `echo x >>${file}; exit 3`, { restartPolicy: 'Never' }));
    await until('it failed', async () => (await pod('once')).status?.phase === 'Failed');
    expect(mainOf(await pod('once'))?.state?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
    await agent.stop();
    await rm(join(agent.root, 'store'), { recursive: true });
    await agent.start();
    await plane.create(hostPod('after', loop));
    await isReady('after');
    expect(readFileSync(file, 'utf8')).toBe('x\n');
    expect((await pod('once')).status?.phase).toBe('Failed');
    await remove('once');
    await remove('after');
  });

  it('is refused with the reason when the node cannot do what it asks for', async () => {
    const asked = hostPod('nfs', loop, { volumes: [{ name: 'v', nfs: { server: 'nowhere', path: '/' } }] });
    await plane.create(asked);
    await until('it failed', async () => (await pod('nfs')).status?.phase === 'Failed');
    const { reason, message } = (await pod('nfs')).status ?? {};
    expect(reason).toBe('UnsupportedPodSpec');
    expect(message).toContain('spec.volumes[0].nfs');
    await remove('nfs');
  });

  it('tells its status once, whatever else changes about it', async () => {
    const told = async (): Promise<number> => {
      const metrics = await plane.kubectl('get', '--raw', '/metrics');
      const lines = metrics.split('\n').filter((line) => line.startsWith('apiserver_request_total{'));
      const ours = lines.filter((line) =>
        ['resource="pods"', 'subresource="status"', 'verb="PATCH"'].every((each) => line.includes(each)),
      );
      return ours.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    };
    const quiet = hostPod('quiet', loop);
    const [main] = quiet.spec!.containers;
    main!.resources = { requests: { cpu: '0.01', memory: '16384Ki' }, limits: { memory: '0.5Gi' } };
    main!.volumeMounts = [{ name: 'v', mountPath: '/v', readOnly: true }];
    main!.lifecycle = { stopSignal: 'SIGINT' };
    quiet.spec!.os = { name: 'linux' };
    quiet.spec!.volumes = [{ name: 'v', emptyDir: {} }];
    await plane.create(quiet);
    await isReady('quiet');
    const before = await told();
    expect(before).toBeGreaterThan(0);
    for (let round = 0; round < 5; round += 1) {
      await plane.kubectl('annotate', '--overwrite', 'pod', 'quiet', `example.com/round=${round}`);
      await setTimeout(500);
    }
    expect(await told()).toBe(before);
    await remove('quiet');
  });

  it('ends for a critical one that needs its room', async () => {
    const cpus = Number((await node()).status?.allocatable?.cpu);
    const asking = (cpu: string, name: string, script = loop): Partial<PodSpec> => ({
      // Bound by hand, as by another scheduler: this one would make room by itself.
      nodeName,
      terminationGracePeriodSeconds: 300,
      containers: [
        { name: 'main', image: 'none', command: ['sh', '-c', script], resources: { requests: { cpu } } },
      ],
      ...(name === 'critical' && { priorityClassName: 'system-node-critical' }),
    });
    await plane.create(hostPod('small', loop, asking('100m', 'small')));
    // It takes its grace until it is told otherwise.
    const lets = join(agent.dir, 'let-large-end');
    const slow = `trap 'until [ -e ${lets} ]; do sleep 0.1; done; exit 0' TERM; ${loop}`;
    await plane.create(hostPod('large', slow, asking(`${cpus * 1000 - 200}m`, 'large', slow)));
    await isReady('small');
    await isReady('large');
    await plane.create(hostPod('critical', loop, asking('500m', 'critical')));
    const waiting = await until('it shows what it waits for', async () => {
      const { status } = await pod('critical');
      return status?.reason === undefined ? undefined : status;
    });
    expect(waiting).toMatchObject({
      phase: 'Pending',
      reason: 'WaitingForPreemption',
      message: 'waits for room until these have ended: default/large',
    });
    expect(await agent.cli('describe', 'critical')).toContain('pod/default/large finalized');
    await writeFile(lets, '');
    const admitted = await isReady('critical');
    expect(admitted.status).not.toHaveProperty('reason');
    const told = await until('it is told of', async () => {
      const selector = '--field-selector=involvedObject.name=critical,reason=WaitingForPreemption';
      const { items } = JSON.parse(
        await plane.kubectl('get', 'events', selector, '-o', 'json'),
      ) as List<Event>;
      return items[0];
    });
    expect(told.message).toBe('The pod waits for room until these have ended: default/large');
    // Each pod is told of by itself.
    const { reason, conditions } = await until('large has failed', async () => {
      const { status } = await pod('large');
      return status?.phase === 'Failed' && status;
    });
    expect(reason).toBe('Preempting');
    expect(conditions?.find(({ type }) => type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'TerminationByKubelet',
    });
    expect(ready(await pod('small'))).toBe('True');
    for (const name of ['critical', 'large', 'small']) await remove(name);
  });

  it('waits for its readiness gate, which another opens', async () => {
    await plane.create(
      hostPod('gated', loop, { readinessGates: [{ conditionType: 'example.com/calibrated' }] }),
    );
    await until('it runs', async () => mainOf(await pod('gated'))?.ready);
    expect(ready(await pod('gated'))).toBe('False');
    const status = { conditions: [{ type: 'example.com/calibrated', status: 'True' }] };
    await plane.kubectl('patch', 'pod', 'gated', '--subresource=status', '-p', JSON.stringify({ status }));
    const found = await isReady('gated');
    expect(found.status?.conditions?.map(({ type }) => type)).toContain('example.com/calibrated');
    await remove('gated');
  });

  it('makes way for another of its name when it was deleted by force', async () => {
    await plane.create(hostPod('again', loop));
    const before = (await isReady('again')).metadata?.uid;
    await plane.kubectl('delete', 'pod', 'again', '--force', '--grace-period=0');
    await plane.create(hostPod('again', loop));
    expect((await isReady('again')).metadata?.uid).not.toBe(before);
    await remove('again');
  });

  it('is forgotten with what it used when it was deleted by force', async () => {
    const used = () =>
      ['cluster-objects', 'cluster-tokens'].flatMap((kind) => readdirSync(join(agent.root, 'store', kind)));
    await until('nothing is used', () => used().length === 0);
    await plane.kubectl('create', 'secret', 'generic', 'forgotten', '--from-literal=a=b');
    const volumes = [{ name: 'secret', secret: { secretName: 'forgotten' } }];
    await plane.create(hostPod('forced', 'trap "" TERM; while true; do sleep 0.1; done', { volumes }));
    await isReady('forced');
    expect(used()).toHaveLength(3);
    await plane.kubectl('delete', 'pod', 'forced', '--force', '--grace-period=0');
    await until('all is forgotten', () => used().length === 0);
    await plane.kubectl('delete', 'secret', 'forgotten');
  });

  it('stays as an object for its finalizers when nothing of it is left', async () => {
    await plane.create(hostPod('kept', loop, {}, { finalizers: ['example.com/keep'] }));
    await isReady('kept');
    await plane.kubectl('delete', 'pod', 'kept', '--wait=false');
    await until('it is released', async () => (await pod('kept')).metadata?.deletionGracePeriodSeconds === 0);
    await plane.kubectl('patch', 'pod', 'kept', '-p', '{"metadata":{"finalizers":null}}');
    await isGone('kept');
  });
});

/** A controller counts a pod only when it has failed, and its finalizer keeps the object until then. */
describe('a pod that is deleted before anything of it ran', () => {
  const failed = async (name: string) => {
    await until('it failed', async () => (await pod(name)).status?.phase === 'Failed');
    await plane.kubectl('patch', 'pod', name, '-p', '{"metadata":{"finalizers":null}}');
    await isGone(name);
  };
  const kept = { finalizers: ['example.com/count'] };

  it('has failed when it waited for something', async () => {
    const waits = hostPod('waits', loop, {}, kept);
    waits.spec!.containers[0]!.envFrom = [{ configMapRef: { name: 'is-not-there' } }];
    await plane.create(waits);
    await until('it waits', async () => mainOf(await pod('waits'))?.state?.waiting?.reason !== undefined);
    await plane.kubectl('delete', 'pod', 'waits', '--wait=false');
    await failed('waits');
  });

  it('has failed when the agent was not there', async () => {
    await agent.stop();
    await plane.create(hostPod('unseen', loop, { nodeName }, kept));
    await plane.kubectl('delete', 'pod', 'unseen', '--wait=false');
    await agent.start();
    await failed('unseen');
  });
});

describe('what a cluster gives a pod', () => {
  const seen = (name: string) => readFileSync(join(agent.dir, name), 'utf8');

  it('is in its environment and its volumes, and follows changes', async () => {
    await plane.kubectl('create', 'configmap', 'settings', '--from-literal=rate=10');
    await plane.kubectl('create', 'secret', 'generic', 'key', '--from-literal=token=s3cret');
    const out = join(agent.dir, 'given');
    const token = '/var/run/secrets/kubernetes.io/serviceaccount/token';
    const script = `echo "$KEY $KUBERNETES_SERVICE_HOST" >${out}; cat ${token} >${out}.token
while true; do cat /etc/settings/rate >${out}.rate; sleep 0.1; done`;
    await plane.create(
      hostPod('user', '', {
        containers: [
          {
            name: 'main',
            image: 'none',
            command: ['sh', '-c', script],
            env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'key', key: 'token' } } }],
            volumeMounts: [{ name: 'settings', mountPath: '/etc/settings' }],
          },
        ],
        volumes: [{ name: 'settings', configMap: { name: 'settings' } }],
      }),
    );
    await isReady('user');
    await until('it has read all', () => seen('given.rate') === '10');
    expect(seen('given')).toBe('s3cret 10.96.0.1\n');
    const review = await plane.create<{ status: { user: { username: string } } }>({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: seen('given.token') },
    });
    expect(review.status.user.username).toBe('system:serviceaccount:default:default');
    await plane.kubectl('patch', 'configmap', 'settings', '-p', '{"data":{"rate":"20"}}');
    await until('the change is there', () => seen('given.rate') === '20');
    await remove('user');
  });

  it('is a directory of this node that it claimed', async () => {
    const dir = join(agent.dir, 'map');
    await mkdir(dir);
    await writeFile(join(dir, 'floor'), 'first');
    const sizes = { storage: '1Mi' };
    const spec = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
    await plane.create({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'map' },
      spec: {
        ...spec,
        capacity: sizes,
        local: { path: dir },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] }] },
            ],
          },
        },
      },
    });
    await plane.create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'map' },
      spec: { ...spec, volumeName: 'map', resources: { requests: sizes } },
    });
    await plane.create(
      hostPod('mapper', '', {
        containers: [
          {
            name: 'main',
            image: 'none',
            command: ['sh', '-c', `cp /map/floor /map/copy; ${loop}`],
            volumeMounts: [{ name: 'map', mountPath: '/map' }],
          },
        ],
        volumes: [{ name: 'map', persistentVolumeClaim: { claimName: 'map' } }],
      }),
    );
    await isReady('mapper');
    await until('it wrote', () => readFileSync(join(dir, 'copy'), 'utf8') === 'first');
    await remove('mapper');
    expect(readFileSync(join(dir, 'floor'), 'utf8')).toBe('first');
    await plane.kubectl('delete', 'pvc/map', 'pv/map', '--wait=false');
  });

  it('makes a pod wait that came before it', async () => {
    await plane.create(
      hostPod('early', '', {
        containers: [
          {
            name: 'main',
            image: 'none',
            command: ['sh', '-c', loop],
            envFrom: [{ configMapRef: { name: 'late' } }],
          },
        ],
      }),
    );
    await until(
      'it says why',
      async () => mainOf(await pod('early'))?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    await plane.kubectl('create', 'configmap', 'late', '--from-literal=a=b');
    await isReady('early');
    await remove('early');
  });
});

describe('a static pod', () => {
  it('is shown by a mirror that comes again and goes with it', async () => {
    const name = `camera-${nodeName}`;
    await agent.apply('camera.yaml', JSON.stringify(hostPod('camera', loop)));
    const before = (await isReady(name)).metadata?.uid;
    await plane.kubectl('delete', 'pod', name, '--wait=false');
    await until('there is another mirror', async () => {
      const found = await pod(name);
      return found.metadata?.uid !== before && ready(found) === 'True';
    });
    expect(mainOf(await pod(name))?.restartCount).toBe(0);
    await agent.unapply('camera.yaml');
    await isGone(name);
  });
});

describe('without the API server', () => {
  it('pods go on, and what happened is told when it is back', async () => {
    const file = join(agent.dir, 'go');
    await plane.create(hostPod('steady', loop));
    await plane.create(
      hostPod('worker', `until [ -e ${file} ]; do sleep 0.1; done`, { restartPolicy: 'Never' }),
    );
    const before = mainOf(await isReady('steady'))?.containerID;
    await isReady('worker');
    await plane.stopPart('kube-apiserver');
    await writeFile(file, '');
    await until('the agent knows the end', async () =>
      (await agent.pods()).some(
        ({ metadata, status }) => metadata?.name === 'worker' && status?.phase === 'Succeeded',
      ),
    );
    await plane.startPart('kube-apiserver');
    await until('the cluster knows it', async () => (await pod('worker')).status?.phase === 'Succeeded');
    await isReady('steady');
    expect(mainOf(await pod('steady'))).toMatchObject({ containerID: before, restartCount: 0 });
    await remove('worker');
    await remove('steady');
  });

  it('a server that hangs is found out, and pods deleted meanwhile go', async () => {
    await plane.create(hostPod('steady', loop));
    await isReady('steady');
    const before = agent.log.length;
    plane.signal('kube-apiserver', 'SIGSTOP');
    await until(
      'the agent tells of it',
      () => /cannot be asked|cannot renew/.test(agent.log.slice(before)),
      90_000,
    );
    plane.signal('kube-apiserver', 'SIGCONT');
    await plane.kubectl('delete', 'pod', 'steady', '--wait=false');
    await isGone('steady');
  });

  it('pods start again with all that they need', async () => {
    const file = join(agent.dir, 'offline');
    await plane.kubectl('create', 'configmap', 'offline', '--from-literal=rate=30');
    const token = '/var/run/secrets/kubernetes.io/serviceaccount/token';
    await plane.create(
      hostPod('robot', '', {
        containers: [
          {
            name: 'main',
            image: 'none',
            command: [
              'sh',
              '-c',
              `echo "$rate $KUBERNETES_SERVICE_PORT $(wc -c <${token})" >>${file}; ${loop}`,
            ],
            envFrom: [{ configMapRef: { name: 'offline' } }],
          },
        ],
      }),
    );
    await isReady('robot');
    // Brought up by hand, and only on a node that is labelled so.
    await plane.kubectl('label', 'node', nodeName, 'place=dock');
    const byHand = { annotations: { 'roslet.dev/autostart': 'false' } };
    const spec = { nodeSelector: { place: 'dock' }, automountServiceAccountToken: false };
    await plane.create(hostPod('parked', loop, spec, byHand));
    await until('it is there', async () => (await agent.pods()).some((p) => p.metadata?.name === 'parked'));
    await plane.stopPart('kube-apiserver');
    await agent.stop();
    await agent.killPods();
    await agent.start();
    await until('it ran again', () => readFileSync(file, 'utf8').split('\n').length === 3);
    expect(await agent.cli('lifecycle', 'parked', 'configure')).toBe('inactive\n');
    const [first, second] = readFileSync(file, 'utf8').split('\n');
    expect(second).toBe(first);
    expect(first).toMatch(/^30 443 [1-9]\d{2,}$/);
    // What waits for the API server does not hold the agent up.
    expect(await agent.stop()).toBe(0);
    await agent.start();
    await plane.startPart('kube-apiserver');
    await until(
      'the cluster knows of the restart',
      async () => mainOf(await pod('robot'))?.restartCount === 1,
    );
    await isReady('robot');
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(3);
    await remove('robot');
    await remove('parked');
  });
});
