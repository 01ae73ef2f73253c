/**
 * The prober port: how the core asks the ROS 2 bridge whether a container lives, in terms of ROS 2 (`ros2-probe`). What is
 * watched is watched by the transport, on the monotonic clock; the core counts failures and decides.
 */

export type RosProbeSpec =
  /** A sample of any type at least every `deadlineMs`. */
  | { kind: 'heartbeat'; topic: string; deadlineMs: number }
  /** A matched writer asserts its DDS liveliness within the lease. */
  | { kind: 'liveliness'; topic: string; leaseMs: number }
  /** The node is in the ROS graph. */
  | { kind: 'node'; node: string }
  /** The managed node reports the state. */
  | { kind: 'lifecycle'; node: string; state: string }
  /** Data flows: at least at that rate, and time stamped no longer ago than `maxAgeMs`. */
  | { kind: 'topic'; topic: string; minRateHz: number; maxAgeMs?: number }
  /** A peer of the bond protocol is there. */
  | { kind: 'bond'; topic: string; id: string };

/** Whose signs of life count: those of the pod itself. */
export interface RosProbeTarget {
  /** Of the pod's own network; none on the host's. */
  addresses: readonly string[];
  /** Processes of the pod, as the host counts them. */
  pids(): Promise<readonly number[]>;
}

export interface RosFinding {
  /** `unknown`: nobody can tell at present, which says nothing about the container. */
  state: 'alive' | 'missed' | 'unknown';
  /** With `unknown`: for a moment only, and what was known before holds until then. */
  isPassing?: true;
  /** Monotonic (`performance.now()`), when it became so. */
  atMs: number;
  /** For people: what was missed and when the last sign of life came, or why nobody can tell. */
  message: string;
  /** The last sign of life, monotonic. */
  lastMs?: number;
}

export interface RosWatch {
  /** As it is now, asked of the transport at this moment: no event that waits to be delivered is missing. */
  check(): RosFinding;
  /** The times between signs of life, where they are counted: they tell a deadline that is set too tight. */
  gaps(): { count: number; p50Ms: number; p99Ms: number; maxMs: number } | undefined;
  /** Looks why the container cannot be heard, however well it lives: on another ROS domain. Undefined: it can be, as far as can be told. */
  whyUnheard(): Promise<string | undefined>;
  close(): void;
}

export interface RosProber {
  /** `onChange`: what `check` tells may be another than before. */
  watch(spec: RosProbeSpec, target: RosProbeTarget, onChange: () => void): RosWatch;
}
