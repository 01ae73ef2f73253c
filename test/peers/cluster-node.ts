/** roslet or the Go kubelet as a node of a real control plane, with a containerd and an address of its own. */
import type { Node } from '../../src/api/core.gen.ts';
import { isReady, nodeName, TestAgent, until } from '../agent.ts';
import { type ContainerdOptions, startContainerd } from './containerd.ts';
import type { ControlPlane } from './control-plane.ts';
import { GoKubelet } from './go-kubelet.ts';
import { kubeletPort, nodeAddress } from './node-address.ts';

export type KubeletKind = 'roslet' | 'go';

/** What runs as the kubelet of the node. */
export interface Kubelet {
  readonly pid: number;
  /** The directory of static pods. */
  readonly manifests: string;
  /** Starts it without waiting. */
  spawn(): unknown;
  /** Its pods go on. */
  stop(signal?: NodeJS.Signals): Promise<unknown>;
}

export interface ClusterNode {
  readonly name: string;
  readonly kubelet: Kubelet;
  /** Removes its pods and everything of its own; throws when roslet leaves something behind. */
  stop(): Promise<void>;
}

/** The node is ready when it is there. */
export async function startNode(
  kind: KubeletKind,
  plane: ControlPlane,
  options: ContainerdOptions = {},
): Promise<ClusterNode> {
  await using started = new AsyncDisposableStack();
  const containerd = await startContainerd('1.6', options);
  started.defer(() => containerd.stop());
  const start = kind === 'roslet' ? startRoslet : startGoKubelet;
  const node = await start(plane, containerd, started);
  const stack = started.move();
  return { ...node, stop: () => stack.disposeAsync() };
}

type Containerd = Awaited<ReturnType<typeof startContainerd>>;

async function startGoKubelet(
  plane: ControlPlane,
  containerd: Containerd,
  started: AsyncDisposableStack,
): Promise<Omit<ClusterNode, 'stop'>> {
  const kubelet = await GoKubelet.create({ plane, containerd, nodeName: 'go' });
  started.defer(() => kubelet.remove());
  await kubelet.start();
  return { name: 'go', kubelet };
}

async function startRoslet(
  plane: ControlPlane,
  containerd: Containerd,
  started: AsyncDisposableStack,
): Promise<Omit<ClusterNode, 'stop'>> {
  const address = nodeAddress();
  started.defer(() => address.remove());
  const { certFile, keyFile } = await plane.certificates.sign(`kubelet-${nodeName}`, {
    subject: `/O=system:nodes/CN=system:node:${nodeName}`,
    usage: 'serverAuth',
    names: `DNS:${nodeName},IP:${address.ip}`,
  });
  const agent = await TestAgent.create({
    criEndpoint: containerd.endpoint,
    config: `tlsCertFile: ${certFile}
tlsPrivateKeyFile: ${keyFile}
authentication: {x509: {clientCAFile: ${plane.certificates.certFile}}}
address: ${address.ip}
port: ${kubeletPort}
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
`,
    args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName), `--node-ip=${address.ip}`],
  });
  started.defer(async () => {
    const left = await agent.remove();
    if (left.length > 0) throw new Error(`roslet left behind: ${left.join(', ')}`);
  });
  await agent.start();
  started.defer(async () => {
    const ours = `spec.nodeName=${nodeName}`;
    await plane.kubectl('delete', 'pods', '-A', '--field-selector', ours, '--wait=false');
    await until('no pod is left', async () => (await agent.pods()).length === 0, 60_000);
  });
  await until('the node of roslet is ready', async () => isReady(await plane.get<Node>('node', nodeName)));
  return { name: nodeName, kubelet: agent };
}
