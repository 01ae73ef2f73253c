/** What a test of the node tells when pods did not become as they should: the machine of CI is gone when that is read. */
import type { Node, Pod } from '../../src/api/core.gen.ts';
import { type TestAgent, until } from '../agent.ts';
import type { TestContainerd } from '../peers/containerd.ts';
import type { ControlPlane } from '../peers/control-plane.ts';

export interface Expectation {
  pod: string;
  should: string;
  holds(pod: Pod | undefined): boolean;
}

export interface Machine {
  plane: ControlPlane;
  agent: TestAgent;
  containerd?: Pick<TestContainerd, 'log'>;
}

/** Waits until the cluster shows all pods as they should be. Fails with all that tells why they are not. */
export async function untilShown(
  what: string,
  { plane, agent, containerd }: Machine,
  expectations: readonly Expectation[],
  timeoutMs: number,
  history: () => readonly string[] = () => [],
): Promise<Map<string, Pod>> {
  let wrong = expectations;
  let shown: Map<string, Pod> | undefined;
  try {
    return await until(
      what,
      async () => {
        const pods = await podsOf(plane);
        shown = pods;
        wrong = expectations.filter(({ pod, holds }) => !holds(pods.get(pod)));
        return wrong.length === 0 ? pods : undefined;
      },
      timeoutMs,
    );
  } catch (error) {
    throw new Error(
      [
        (error as Error).message,
        `before: ${history().slice(-20).join(', ') || 'nothing'}`,
        await plane.health(),
        await nodeIn(plane),
        ...(await accountsOf({ plane, agent, containerd }, wrong, shown ?? new Map())),
        `the agent's log ends:\n${tail(agent.log.split('\n'), 40)}`,
      ].join('\n'),
    );
  }
}

/** By name; limited, as one that hangs would say nothing. */
export async function podsOf(plane: ControlPlane): Promise<Map<string, Pod>> {
  const { items } = await plane.get<{ items: Pod[] }>('pods', '--request-timeout=10s');
  return new Map(items.map((item) => [item.metadata?.name ?? '', item]));
}

async function nodeIn(plane: ControlPlane): Promise<string> {
  try {
    const { items } = await plane.get<{ items: Node[] }>('nodes', '--request-timeout=10s');
    const told = items.map(({ metadata, spec, status }) => ({
      name: metadata?.name,
      taints: spec?.taints?.map(({ key, effect }) => `${key}:${effect}`),
      ready: status?.conditions?.find(({ type }) => type === 'Ready'),
    }));
    return `the Node of the cluster: ${JSON.stringify(told)}`;
  } catch (error) {
    return `the Node of the cluster cannot be read: ${(error as Error).message}`;
  }
}

async function accountsOf(
  { agent, containerd }: Machine,
  wrong: readonly Expectation[],
  shown: ReadonlyMap<string, Pod>,
): Promise<string[]> {
  const here = await agent.pods().catch((error: Error) => error);
  const [lines, runtimeLines] = [agent.log.split('\n'), containerd?.log().split('\n') ?? []];
  return wrong.map(({ pod: name, should }) => {
    const inCluster = shown.get(name);
    const onNode = here instanceof Error ? here.message : here.find((pod) => pod.metadata?.name === name);
    const uid = inCluster?.metadata?.uid ?? name;
    const [container] = inCluster?.status?.containerStatuses ?? [];
    const id = container?.containerID?.replace(/^\w+:\/\//, '') ?? uid;
    return [
      `${name} should be ${should}.`,
      `  In the cluster: ${JSON.stringify(inCluster && { ...inCluster.metadata, managedFields: undefined })}`,
      `  with ${JSON.stringify(inCluster?.status)}`,
      `  On the node: ${JSON.stringify(onNode instanceof Object ? onNode.status : onNode)}`,
      `  What the agent said of it:\n${tail(
        lines.filter((line) => line.includes(uid) || line.includes(name)),
        15,
      )}`,
      `  What containerd said of it:\n${tail(
        runtimeLines.filter((line) => line.includes(uid) || line.includes(id)),
        15,
      )}`,
    ].join('\n');
  });
}

const tail = (lines: readonly string[], count: number): string =>
  lines
    .slice(-count)
    .map((line) => `    ${line.slice(0, 600)}`)
    .join('\n');
