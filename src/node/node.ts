/**
 * The Node object of this machine, kept true: capacity read anew, conditions from what the parts of the agent report.
 * It is the only place that decides whether the node is Ready.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  Node,
  NodeAddress,
  NodeCondition,
  NodeFeatures,
  NodeRuntimeHandler,
  NodeSystemInfo,
  Taint,
} from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';
import type { Logger } from '../log.ts';
import { type ResourceAmounts, toResourceList } from '../resources/amounts.ts';
import { allocatable, machineCapacity, type Reservations, unreserved } from './capacity.ts';
import { nodeConditions, type Pressure, sameConditions } from './conditions.ts';
import { evictionDecision, noEvictionState } from './eviction.ts';
import { exhausted, isReadOnly, type Observations, observeMachine } from './machine-stats.ts';
import { machineInfo } from './node-info.ts';
import type { Threshold } from './thresholds.ts';

export interface NodeMonitorOptions {
  nodeName: string;
  /** Besides those that every node has. */
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  addresses(): NodeAddress[];
  /** Of the kubelet API; 0 when it is not served. */
  kubeletPort: number;
  agentVersion: string;
  rootDir: string;
  maxPods: number;
  reservations: Reservations;
  thresholds: readonly Threshold[];
  /** How often the machine is looked at. */
  periodMs: number;
  log: Logger;
  /** Epoch. */
  now: () => number;
}

/** What they tell of themselves. */
export interface NodeRuntimes {
  /** `containerd://1.6.20` of the default one. */
  version: string;
  /** Of all. */
  handlers: readonly NodeRuntimeHandler[];
  /** Of the default one; known once it has answered. */
  features?: NodeFeatures;
}

export interface NodeMonitor {
  node(): Node;
  allocatable(): ResourceAmounts;
  /** What all pods together are held to. */
  unreserved(): ResourceAmounts;
  pressures(): readonly Pressure[];
  /** Something that keeps the node from running pods; undefined: not any more. `source` names who tells. */
  setProblem(source: string, message: string | undefined): void;
  /** Those that eviction tells; what is used up altogether is seen here. */
  setPressures(pressures: ReadonlySet<Pressure>): void;
  setRuntimes(runtimes: NodeRuntimes): void;
  /** Called when anything but a heartbeat changed. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
  /** Looks at the machine again and again until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export async function createNodeMonitor(options: NodeMonitorOptions): Promise<NodeMonitor> {
  const info = await machineInfo(options.agentVersion);
  const createdAt = new Date(options.now()).toISOString();
  const listeners = new Set<() => void>();
  const problems = new Map<string, string>();
  let capacity = await machineCapacity(options);
  let addresses = options.addresses();
  let evictionPressures: ReadonlySet<Pressure> | undefined;
  let machinePressures: ReadonlySet<Pressure> = new Set();
  let runtimes: NodeRuntimes = { version: '', handlers: [] };
  let conditions: NodeCondition[] = [];

  const changed = () => {
    for (const listener of listeners) listener();
  };
  const pressures = () => new Set([...(evictionPressures ?? []), ...machinePressures]);
  const updateConditions = () => {
    const last = conditions;
    conditions = nodeConditions(
      { pressures: pressures(), problems: [...problems.values()] },
      last,
      options.now(),
    );
    if (!sameConditions(last, conditions)) changed();
  };
  const setProblem = (source: string, message: string | undefined) => {
    if (problems.get(source) === message) return;
    if (message === undefined) problems.delete(source);
    else problems.set(source, message);
    if (message === undefined) options.log.info({ source }, 'what kept the node from being ready is over');
    else options.log.warn({ source }, `node is not ready: ${message}`);
    updateConditions();
  };
  const lookForTrouble = async () => {
    const readOnly = isReadOnly(await readFile('/proc/self/mountinfo', 'utf8'), options.rootDir);
    setProblem('filesystem', readOnly ? `the file system of ${options.rootDir} is read-only` : undefined);
    const observations = await observeMachine(options.rootDir, []);
    machinePressures = exhausted(observations);
    evictionPressures ??= firstPressures(observations, options.thresholds);
    setProblem('machine', undefined);
    // Also a heartbeat.
    updateConditions();
  };
  const look = async () => {
    const found = { capacity: await machineCapacity(options), addresses: options.addresses() };
    if (JSON.stringify(found) !== JSON.stringify({ capacity, addresses })) {
      ({ capacity, addresses } = found);
      changed();
    }
    await lookForTrouble();
  };
  const orProblem = (looked: Promise<void>) =>
    looked.catch((error: unknown) =>
      setProblem('machine', `the machine cannot be looked at: ${messageOf(error)}`),
    );
  // Nobody is told that all is well before it was seen.
  await orProblem(lookForTrouble());

  return {
    allocatable: () => allocatable(capacity, options.reservations, options.thresholds),
    unreserved: () => unreserved(capacity, options.reservations),
    pressures: () => [...pressures()],
    setProblem,
    setPressures: (found) => {
      evictionPressures = found;
      updateConditions();
    },
    setRuntimes: (found) => {
      const same = JSON.stringify(found) === JSON.stringify(runtimes);
      runtimes = found;
      if (!same) changed();
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    node: () => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: options.nodeName,
        creationTimestamp: createdAt,
        labels: { ...wellKnownLabels(options.nodeName, info), ...options.labels },
      },
      spec: { ...(options.taints.length > 0 && { taints: [...options.taints] }) },
      status: {
        addresses,
        capacity: toResourceList(capacity),
        allocatable: toResourceList(allocatable(capacity, options.reservations, options.thresholds)),
        conditions,
        daemonEndpoints: { kubeletEndpoint: { Port: options.kubeletPort } },
        nodeInfo: { ...info, containerRuntimeVersion: runtimes.version },
        runtimeHandlers: [...runtimes.handlers],
        ...(runtimes.features && { features: runtimes.features }),
      },
    }),
    run: async (signal) => {
      while (!signal.aborted) {
        await orProblem(look());
        await delay(options.periodMs, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

/** Those of eviction before it has looked for the first time. Where images are is not known then. */
const firstPressures = (
  observations: Observations,
  thresholds: readonly Threshold[],
): ReadonlySet<Pressure> =>
  evictionDecision(
    {
      observations,
      thresholds,
      pods: [],
      dedicatedImageFs: false,
      nowMs: 0,
      transitionPeriodMs: 0,
      maxPodGracePeriodSeconds: 0,
      reclaimed: new Set(),
    },
    noEvictionState,
  ).pressures;

const wellKnownLabels = (nodeName: string, info: NodeSystemInfo): Record<string, string> => ({
  'kubernetes.io/hostname': nodeName,
  'kubernetes.io/os': info.operatingSystem,
  'kubernetes.io/arch': info.architecture,
});
