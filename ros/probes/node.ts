/** Alive while the node is in the ROS graph. */
import type { RosFinding, RosProbeSpec, RosProbeTarget, RosWatch } from '../prober.ts';
import type { WatchContext } from './kinds.ts';
import { ownership } from './ownership.ts';

export function watchNode(
  { transport, log }: WatchContext,
  { node }: Extract<RosProbeSpec, { kind: 'node' }>,
  target: RosProbeTarget,
  onChange: () => void,
): RosWatch {
  const { graph } = transport;
  let finding: RosFinding = { state: 'missed', atMs: performance.now(), message: missing(false) };
  let isClosed = false;
  let looks = 0;

  function missing(isElsewhere: boolean): string {
    return isElsewhere
      ? `the node ${node} that is in the ROS graph is not of this pod`
      : `the node ${node} is not in the ROS graph`;
  }

  async function look(): Promise<void> {
    looks += 1;
    const turn = looks;
    const of = graph.nodes().filter(({ name, namespace }) => fullName(namespace, name) === node);
    const participants = graph.participants();
    const owners = await Promise.all(
      of.map(({ participant }) => {
        const found = participants.find(({ prefix }) => prefix === participant);
        return found === undefined ? 'unknown' : ownership(found, target);
      }),
    );
    if (isClosed || turn !== looks) return;
    const isAlive = owners.some((owner) => owner !== 'other');
    const message = isAlive ? `the node ${node} is in the ROS graph` : missing(owners.length > 0);
    const state = isAlive ? 'alive' : 'missed';
    const hasChanged = state !== finding.state;
    finding = { state, atMs: hasChanged ? performance.now() : finding.atMs, message };
    if (hasChanged) onChange();
  }

  const begin = () => {
    look().catch((err: unknown) => log.warn({ err, node }, 'cannot tell whose a node is'));
  };
  const unsubscribe = graph.onChange(begin);
  begin();
  return {
    check: () => finding,
    gaps: () => undefined,
    close() {
      isClosed = true;
      unsubscribe();
    },
  };
}

const fullName = (namespace: string, name: string): string =>
  namespace === '/' ? `/${name}` : `${namespace}/${name}`;
