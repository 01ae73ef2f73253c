/** roslet and the Go kubelet as two nodes of one real control plane, each on a containerd of its own. */
import type { Node } from '../../src/api/core.gen.ts';
import { isReady, nodeName, TestAgent, until } from '../agent.ts';
import { startContainerd } from '../peers/containerd.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { GoKubelet } from '../peers/go-kubelet.ts';
import { nodeAddress } from '../peers/node-address.ts';

/** By what a test is named after. */
export const nodeNames = { roslet: nodeName, 'the Go kubelet': 'go' } as const;

export interface Nodes {
  plane: ControlPlane;
  roslet: TestAgent;
  goKubelet: GoKubelet;
  stop(): Promise<void>;
}

export async function startNodes(): Promise<Nodes> {
  const undo: (() => unknown)[] = [];
  // To the end, whatever goes wrong: the next run wants the machine as it was.
  const stop = async () => {
    const problems: unknown[] = [];
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error) {
        problems.push(error);
      }
    }
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('; '));
  };
  try {
    const plane = await ControlPlane.start();
    undo.push(() => plane.stop());
    const roslet = await startRoslet(plane, undo);
    const goKubelet = await startGoKubelet(plane, undo);
    return { plane, roslet, goKubelet, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startRoslet(plane: ControlPlane, undo: (() => unknown)[]): Promise<TestAgent> {
  const containerd = await startContainerd('1.6');
  undo.push(() => containerd.stop());
  const address = nodeAddress();
  undo.push(() => address.remove());
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
`,
    args: ['--kubeconfig', await plane.nodeKubeconfig(nodeName), `--node-ip=${address.ip}`],
  });
  undo.push(async () => {
    const left = await agent.remove();
    if (left.length > 0) throw new Error(`roslet left behind: ${left.join(', ')}`);
  });
  await agent.start();
  undo.push(async () => {
    await plane.kubectl('delete', 'pods', '--all', '--all-namespaces', '--wait=false');
    await until('no pod is left', async () => (await agent.pods()).length === 0, 60_000);
  });
  await until('the node of roslet is ready', async () => isReady(await plane.get<Node>('node', nodeName)));
  return agent;
}

async function startGoKubelet(plane: ControlPlane, undo: (() => unknown)[]): Promise<GoKubelet> {
  const containerd = await startContainerd('1.6');
  undo.push(() => containerd.stop());
  const kubelet = await GoKubelet.create({ plane, containerd, nodeName: nodeNames['the Go kubelet'] });
  undo.push(() => kubelet.remove());
  await kubelet.start();
  return kubelet;
}
