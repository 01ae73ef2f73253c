/** What tests of the agent as a node of a cluster do alike. */
import type { Node, Pod, PodSpec } from '../../src/api/core.gen.ts';
import { isReady, nodeName, type TestAgent, until } from '../agent.ts';
import type { ControlPlane } from '../peers/control-plane.ts';

export const loop = 'while true; do sleep 0.1; done';

/** A pod of one host process, with a second of grace. */
export const hostPod = (
  name: string,
  script: string,
  spec: Partial<PodSpec> = {},
  metadata: object = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: {
    hostNetwork: true,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'none', command: ['sh', '-c', script] }],
    ...spec,
  },
});

export const nodeReady = (plane: ControlPlane, timeoutMs?: number): Promise<true> =>
  until(
    'the node is ready',
    async () => isReady(await plane.get<Node>('node', nodeName)) || undefined,
    timeoutMs,
  );

export const podReady = (plane: ControlPlane, name: string): Promise<Pod> =>
  until(`${name} is ready`, async () => {
    const pod = await plane.get<Pod>('pod', name);
    return isReady(pod) ? pod : undefined;
  });

/** Also what a test that failed left. @param how more of `kubectl delete` */
export async function removePods(
  { plane, agent }: { plane: ControlPlane; agent: TestAgent },
  { how = ['--wait=false'], timeoutMs }: { how?: readonly string[]; timeoutMs?: number } = {},
): Promise<void> {
  await plane.kubectl('delete', 'pods', '--all', ...how);
  await until('no pod is left', async () => (await agent.pods()).length === 0, timeoutMs);
}
