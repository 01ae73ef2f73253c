/** Alive while the node is in the ROS graph. */
import type { RosFinding, RosProbeSpec, RosProbeTarget } from '../prober.ts';
import type { KindWatch, WatchContext } from './kinds.ts';
import { judgeOwners } from './owners.ts';

export function watchNode(
  context: WatchContext,
  { node }: Extract<RosProbeSpec, { kind: 'node' }>,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  const { graph } = context.transport;
  let finding: RosFinding = { state: 'missed', atMs: performance.now(), message: missing(false) };

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
    const isAlive = counts.includes(true);
    const message = isAlive ? `the node ${node} is in the ROS graph` : missing(counts.includes(false));
    const state = isAlive ? 'alive' : 'missed';
    const hasChanged = state !== finding.state;
    finding = { state, atMs: hasChanged ? performance.now() : finding.atMs, message };
    if (hasChanged) onChange();
  }

  const owners = judgeOwners(context, target, look);
  const unsubscribe = graph.onChange(look);
  look();
  return {
    check: () => finding,
    gaps: () => undefined,
    close() {
      unsubscribe();
      owners.close();
    },
  };
}

const fullName = (namespace: string, name: string): string =>
  namespace === '/' ? `/${name}` : `${namespace}/${name}`;
