/** `roslet describe`: a pod or the node in words, in the order in which one looks for what is wrong. */
import type { Event, Node, Pod } from '../api/core.gen.ts';
import { type Client, resourcePath, withQuery } from './client.ts';
import { describeEvents } from './describe-events.ts';
import { describeNode } from './describe-node.ts';
import { describePod } from './describe-pod.ts';
import { podLifecycle } from './lifecycle.ts';
import { print } from './output.ts';

export async function describe(client: Client, namespace: string, what: string): Promise<number> {
  const nowMs = Date.now();
  if (what === 'node') {
    const { items: nodes } = await client.json<{ items: Node[] }>('GET', resourcePath('nodes'));
    const { items: pods } = await client.json<{ items: Pod[] }>('GET', resourcePath('pods'));
    for (const node of nodes) {
      print(describeNode(node, pods));
      print(describeEvents(await eventsAbout(client, undefined, 'Node', node.metadata?.name ?? ''), nowMs));
    }
    return 0;
  }
  const name = what.replace(/^pods?\//, '');
  const pod = await client.json<Pod>('GET', resourcePath('pods', namespace, name));
  print(describePod(pod, await podLifecycle(client, namespace, name), nowMs));
  print(describeEvents(await eventsAbout(client, namespace, 'Pod', name), nowMs));
  return 0;
}

async function eventsAbout(
  client: Client,
  namespace: string | undefined,
  kind: string,
  name: string,
): Promise<Event[]> {
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const path = withQuery(resourcePath('events', namespace), { fieldSelector });
  return (await client.json<{ items: Event[] }>('GET', path)).items;
}
