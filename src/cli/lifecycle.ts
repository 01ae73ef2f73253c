/** `roslet lifecycle`: the state of a pod as a managed node of ROS, and changes of it, also where ROS is not installed. */
import type { LifecycleTransition } from '../pods/lifecycle-machine.ts';
import type { TransitionResult } from '../pods/transitions.ts';
import type { PodLifecycleView } from '../server/agent-view.ts';
import type { Client } from './client.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';

export async function lifecycle(
  client: Client,
  namespace: string,
  pod: string,
  transition: LifecycleTransition | undefined,
): Promise<number> {
  if (transition !== undefined) {
    const path = `/lifecycle/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}/${transition}`;
    const { message, success } = await client.json<TransitionResult>('POST', path);
    if (!success) throw new CliError(`pod ${namespace}/${pod}: ${message}`);
  }
  const found = await podLifecycle(client, namespace, pod);
  // What was shut down may be gone already.
  print(found?.state ?? 'finalized');
  for (const line of lifecycleNotes(found)) print(line);
  return 0;
}

export async function podLifecycle(
  client: Client,
  namespace: string,
  pod: string,
): Promise<PodLifecycleView | undefined> {
  const { items } = await client.json<{ items: PodLifecycleView[] }>('GET', '/lifecycle');
  return items.find((each) => each.namespace === namespace && each.name === pod);
}

function lifecycleNotes(found: PodLifecycleView | undefined): string[] {
  const { problem, waitsFor = [] } = found ?? {};
  return [
    ...waitsFor.map((each) => `waits for ${each}`),
    ...(problem === undefined ? [] : [`${problem.reason}: ${problem.message}`]),
  ];
}
