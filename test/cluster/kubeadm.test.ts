/** A node that joins as kubeadm has it: what its drop-in gives the unit, the files that `kubeadm join` writes, a bootstrap token. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Node } from '../../src/api/core.gen.ts';
import { nodeName, TestAgent, until } from '../agent.ts';
import { startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { busyboxImage } from '../peers/images.ts';
import { freePort } from '../ports.ts';
import { nodeReady, podReady, removePods } from './steps.ts';

let plane: ControlPlane;
let containerd: TestContainerd;
let agent: TestAgent;
let healthzPort: number;
/** /etc/kubernetes, /var/lib/kubelet and /etc/default of the node. */
let dir: string;

const token = { id: 'abcdef', secret: '0123456789abcdef' };

/** The environment and the command line of the unit; the program of the package is `$@`. */
const unit = (at: string) => `
KUBELET_KUBECONFIG_ARGS="--bootstrap-kubeconfig=${at}/bootstrap-kubelet.conf --kubeconfig=${at}/kubelet.conf"
KUBELET_CONFIG_ARGS="--config=${at}/config.yaml"
. ${at}/kubeadm-flags.env
. ${at}/default-kubelet
exec "$@" $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS`;

/** Also where the start of the node failed. */
const started = new AsyncDisposableStack();

beforeAll(async () => {
  plane = await ControlPlane.start({ flags: { 'kube-apiserver': ['--enable-bootstrap-token-auth'] } });
  started.defer(() => plane.stop());
  await allowJoining();
  containerd = await startContainerd('1.6');
  started.defer(() => containerd.stop());
  healthzPort = await freePort();
  dir = join(plane.dir, 'node');
  await mkdir(join(dir, 'conf.d'), { recursive: true });
  agent = await TestAgent.create({ through: ['sh', '-c', unit(dir), 'kubelet'] });
  await writeJoinFiles();
  await agent.start();
  started.defer(async () => {
    await removePods({ plane, agent });
    expect(await agent.remove()).toEqual([]);
  });
  await nodeReady(plane);
}, 1_800_000);

afterAll(() => started.disposeAsync());

/** What `kubeadm init` leaves in the cluster. */
async function allowJoining(): Promise<void> {
  const joining = 'system:bootstrappers:kubeadm:default-node-token';
  const bind = (name: string, role: string, group: string) =>
    plane.kubectl('create', 'clusterrolebinding', name, `--clusterrole=${role}`, `--group=${group}`);
  const signing = 'system:certificates.k8s.io:certificatesigningrequests';
  await bind('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', joining);
  await bind('kubeadm:node-autoapprove-bootstrap', `${signing}:nodeclient`, joining);
  await bind('kubeadm:node-autoapprove-certificate-rotation', `${signing}:selfnodeclient`, 'system:nodes');
  await plane.create({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'bootstrap.kubernetes.io/token',
    metadata: { name: `bootstrap-token-${token.id}`, namespace: 'kube-system' },
    stringData: {
      'token-id': token.id,
      'token-secret': token.secret,
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': joining,
    },
  });
}

/** What `kubeadm join` leaves on the node, but the cgroup driver, and what its owner adds. */
async function writeJoinFiles(): Promise<void> {
  const { certFile } = plane.certificates;
  const ca = await readFile(certFile);
  const admin = await readFile(plane.adminKubeconfig, 'utf8');
  const server = /server: "(.*?)"/.exec(admin)?.[1];
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'tls-bootstrap-token-user@kubernetes',
    clusters: [
      { name: 'kubernetes', cluster: { server, 'certificate-authority-data': ca.toString('base64') } },
    ],
    contexts: [
      {
        name: 'tls-bootstrap-token-user@kubernetes',
        context: { cluster: 'kubernetes', user: 'tls-bootstrap-token-user' },
      },
    ],
    users: [{ name: 'tls-bootstrap-token-user', user: { token: `${token.id}.${token.secret}` } }],
  };
  await writeFile(join(dir, 'bootstrap-kubelet.conf'), JSON.stringify(config));
  await writeFile(
    join(dir, 'kubeadm-flags.env'),
    `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${containerd.endpoint} --hostname-override=${nodeName} --node-ip=127.0.0.1 --pod-infra-container-image=registry.k8s.io/pause:3.10"\n`,
  );
  await writeFile(
    join(dir, 'config.yaml'),
    `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {cacheTTL: 0s, enabled: true}
  x509: {clientCAFile: ${certFile}}
authorization: {mode: Webhook, webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}}
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionPressureTransitionPeriod: 0s
healthzBindAddress: 127.0.0.1
healthzPort: ${healthzPort}
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
memorySwap: {}
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: ${agent.manifests}
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
`,
  );
  await writeFile(
    join(dir, 'default-kubelet'),
    `KUBELET_EXTRA_ARGS="--config-dir=${dir}/conf.d --node-labels=fleet=test,robot"\n`,
  );
  await writeFile(
    join(dir, 'conf.d', '20-robot.conf'),
    `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: ${await freePort()}
cgroupRoot: ${agent.cgroup}
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
oomScoreAdj: 300
---
apiVersion: roslet.dev/v1alpha1
kind: RosletConfiguration
ros: {transport: "off"}
`,
  );
}

it('joins with the bootstrap token, and is from then on the node that its certificate names', async () => {
  const { metadata } = await plane.get<Node>('node', nodeName);
  expect(metadata?.labels).toMatchObject({ fleet: 'test', robot: '' });
  // The node is ready a moment before the controller manager has taken its taint away.
  const taints = async () => (await plane.get<Node>('node', nodeName)).spec?.taints ?? [];
  await until('pods may come', async () => (await taints()).length === 0);
  const { items } = await plane.get<{ items: { spec: { username: string; signerName: string } }[] }>('csr');
  expect(items.map(({ spec: { username, signerName } }) => [username, signerName])).toEqual([
    [`system:bootstrap:${token.id}`, 'kubernetes.io/kube-apiserver-client-kubelet'],
  ]);
  expect(await readFile(join(dir, 'kubelet.conf'), 'utf8')).toContain('kubelet-client-current.pem');
});

it('answers where kubeadm looks, is as its drop-in file says, and warns of nothing that kubeadm sets', async () => {
  const { status } = await fetch(`http://127.0.0.1:${healthzPort}/healthz`);
  expect(status).toBe(200);
  expect(await readFile(`/proc/${agent.pid}/oom_score_adj`, 'utf8')).toBe('300\n');
  expect(agent.log).not.toContain('is known but not implemented');
});

it('runs pods of the cluster in the container engine that kubeadm names, and static pods', async () => {
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: busyboxImage, command: ['sleep', '1000'] }],
    },
  });
  await plane.create(pod('of-the-cluster'));
  await agent.apply('static.json', JSON.stringify(pod('static')));
  const running = await podReady(plane, 'of-the-cluster');
  expect(running.status?.containerStatuses?.[0]?.containerID).toMatch(/^containerd:/);
  await podReady(plane, `static-${nodeName}`);
  await agent.unapply('static.json');
});

it('starts again without the bootstrap kubeconfig, which kubeadm takes away', async () => {
  await agent.stop();
  await rm(join(dir, 'bootstrap-kubelet.conf'));
  await agent.start();
  await nodeReady(plane);
});
