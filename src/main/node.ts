/** The node that the agent is: what the machine has, and how its runtimes are. */
import type { AgentConfig } from '../config/agent-config.ts';
import type { Logger } from '../log.ts';
import { createNodeMonitor, type NodeMonitor } from '../node/node.ts';
import type { RuntimeKind, RuntimeSet } from '../pods/runtimes.ts';
import { type RuntimeHealth, runtimeHealth } from '../runtime-health.ts';
import { kubernetesVersion } from '../version.ts';

const runtimeCheckMs = 10_000;
/** As long as the kubelet bears it. */
const runtimeSilentMs = 30_000;

export async function nodeMonitor(
  config: AgentConfig,
  { hostIps, log }: { hostIps(): string[]; log: Logger },
): Promise<NodeMonitor> {
  return createNodeMonitor({
    nodeName: config.nodeName,
    labels: config.nodeLabels,
    taints: [],
    addresses: () => [
      ...hostIps().map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: config.nodeName },
    ],
    kubeletPort: config.kubeletServer?.port ?? 0,
    agentVersion: kubernetesVersion,
    rootDir: config.rootDir,
    maxPods: config.maxPods,
    reservations: config.reservations,
    thresholds: config.eviction.thresholds,
    periodMs: config.nodeStatusUpdateFrequencyMs,
    log,
    now: Date.now,
  });
}

/** The source of what is wrong with a runtime, to the node: all that tell of one have the same. */
export const problemOf = (kind: RuntimeKind): string => `runtime ${kind}`;

/** What the runtimes tell is told on by the node. */
export function healthOf(
  runtimes: RuntimeSet,
  { node, cgroupDriver, log }: { node: NodeMonitor; cgroupDriver: 'cgroupfs' | 'systemd'; log: Logger },
): RuntimeHealth {
  const health = runtimeHealth({
    runtimes: runtimes.all(),
    default: runtimes.default,
    cgroupDriver,
    periodMs: runtimeCheckMs,
    silentMs: runtimeSilentMs,
    log,
    onProblem: (runtime, message) => node.setProblem(problemOf(runtimes.kindOfRuntime(runtime)), message),
  });
  health.onChange(() =>
    node.setRuntimes({
      version: health.version(runtimes.default),
      handlers: health.handlers().map(({ name, ...features }) => ({ name, features })),
      features: { supplementalGroupsPolicy: health.supplementalGroupsPolicy(runtimes.default) },
    }),
  );
  return health;
}
