/** Alive while the node is in the ROS graph. */
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import { Judging, judgeOwners } from './owners.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';

export function watchNode(
  context: WatchContext,
  { node }: Extract<RosProbeSpec, { kind: 'node' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  const { graph } = context.transport;
  const judging = new Judging();
  let isAlive = false;
  let found = { atMs: performance.now(), message: missing(false) };

  function missing(isElsewhere: boolean): string {
    return isElsewhere
      ? `the node ${node} that is in the ROS graph is not of this pod`
      : `the node ${node} is not in the ROS graph`;
  }

  function look(): void {
    const counts = graph
      .nodes()
      .filter(({ name, namespace }) => fullName(namespace, name) === node)
      .map(({ participant }) => owners.counts(participant));
    judging.note(counts.includes(undefined));
    const hasChanged = counts.includes(true) !== isAlive;
    if (hasChanged) isAlive = !isAlive;
    const message = isAlive ? `the node ${node} is in the ROS graph` : missing(counts.includes(false));
    found = { atMs: hasChanged ? performance.now() : found.atMs, message };
    if (hasChanged) onChange();
  }

  const owners = judgeOwners(context, target, look);
  const unsubscribe = graph.onChange(look);
  look();
  return {
    check: (): RosFinding => (isAlive ? { ...found, state: 'alive' } : judging.missed(found)),
    gaps: () => undefined,
    close() {
      unsubscribe();
      owners.close();
    },
  };
}

const fullName = (namespace: string, name: string): string =>
  namespace === '/' ? `/${name}` : `${namespace}/${name}`;
