/** Every kind of `ros2-probe` on a transport that is there. Apart from prober.ts, which an agent without ROS has too. */
import type { RosProbeSpec, RosProbeTarget } from '../prober.ts';
import { TransportError } from '../transport.ts';
import { watchBond } from './bond.ts';
import { otherDomain } from './domains.ts';
import { watchHeartbeat } from './heartbeat.ts';
import { watchLifecycle } from './lifecycle.ts';
import { watchLiveliness } from './liveliness.ts';
import { watchNode } from './node.ts';
import { type MachineFacts, machineAddresses, udpSocketReader } from './ownership.ts';
import type { BeginWatch } from './prober.ts';
import { watchTopicRate } from './topic-rate.ts';
import type { KindWatch, WatchContext } from './watch-context.ts';

/** @param options without `isOfThisMachine` an address that the machine has no more is another machine's */
export function watchOn(
  options: Omit<WatchContext, keyof MachineFacts> & Partial<Pick<MachineFacts, 'isOfThisMachine'>>,
): BeginWatch {
  // Shared, so that a change of the graph makes one scan of them and not one for each watch.
  const context = { isOfThisMachine: machineAddresses(), ...options, udpSockets: udpSocketReader() };
  return (spec, target, onChange) => ({
    ...watchKindIfKnown(context, spec, target, onChange),
    whyUnheard: () =>
      otherDomain(target, context.transport.domainId, context.udpSockets).catch((err: unknown) => {
        // Whoever cannot be looked at is held to what was heard.
        context.log.warn({ err }, 'cannot tell on which ROS domain the processes of a pod are');
        return undefined;
      }),
  });
}

/** The transport may not know a type that a kind needs. */
function watchKindIfKnown(...asked: Parameters<typeof watchKind>): KindWatch {
  try {
    return watchKind(...asked);
  } catch (err) {
    if (!(err instanceof TransportError)) throw err;
    const { message } = err;
    const atMs = performance.now();
    return {
      check: () => ({ state: 'unknown', atMs, message }),
      gaps: () => undefined,
      close: () => undefined,
    };
  }
}

function watchKind(
  context: WatchContext,
  spec: RosProbeSpec,
  target: RosProbeTarget,
  onChange: () => void,
): KindWatch {
  switch (spec.kind) {
    case 'heartbeat':
      return watchHeartbeat(context, spec, target, onChange);
    case 'liveliness':
      return watchLiveliness(context, spec, target, onChange);
    case 'node':
      return watchNode(context, spec, target, onChange);
    case 'lifecycle':
      return watchLifecycle(context, spec, target, onChange);
    case 'topic':
      return watchTopicRate(context, spec, target, onChange);
    case 'bond':
      return watchBond(context, spec, target, onChange);
  }
}
