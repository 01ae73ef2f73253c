/** How long a node took to come up that registered itself for the first time, by step, as the kubelet's metrics tell it. */
import { uptime } from 'node:os';

/** `known`: the node was there, before the agent or again. */
export type StartupStep = 'registering' | 'registered' | 'ready' | 'known';

export interface StartupTime {
  /** Since the agent's process started. */
  sinceStartMs: number;
  sinceBootMs: number;
}

export interface NodeStartup {
  /** Only the first time counts, and only in this order; a node that was known starts nothing, also when it is deleted. */
  reached(step: StartupStep, at?: StartupTime): void;
  /** By metric; those alone that are known. */
  seconds(): ReadonlyMap<StartupMetric, number>;
}

export type StartupMetric = keyof typeof startupMetrics;

export const startupMetrics = {
  kubelet_node_startup_pre_kubelet_duration_seconds: "From the machine's boot to the start of the agent.",
  kubelet_node_startup_pre_registration_duration_seconds:
    'From the start of the agent to the first try to register.',
  kubelet_node_startup_registration_duration_seconds:
    'From the first try to register to the node being registered.',
  kubelet_node_startup_post_registration_duration_seconds:
    'From the node being registered to it being ready.',
  kubelet_node_startup_duration_seconds: "From the machine's boot to the node being ready.",
} as const;

export function nodeStartup(): NodeStartup {
  const times = new Map<StartupStep, StartupTime>();
  let isOver = false;
  return {
    reached(step, at = now()) {
      isOver ||= step === 'known';
      const isDue = order.indexOf(step) === times.size;
      if (isDue && !isOver) times.set(step, at);
    },
    seconds() {
      const found = new Map<StartupMetric, number>();
      const [registering, registered, ready] = order.map((step) => times.get(step));
      if (registering === undefined || registered === undefined) return found;
      const add = (name: StartupMetric, ms: number) => found.set(name, ms / 1000);
      add(
        'kubelet_node_startup_pre_kubelet_duration_seconds',
        registering.sinceBootMs - registering.sinceStartMs,
      );
      add('kubelet_node_startup_pre_registration_duration_seconds', registering.sinceStartMs);
      add(
        'kubelet_node_startup_registration_duration_seconds',
        registered.sinceStartMs - registering.sinceStartMs,
      );
      if (ready === undefined) return found;
      add(
        'kubelet_node_startup_post_registration_duration_seconds',
        ready.sinceStartMs - registered.sinceStartMs,
      );
      add('kubelet_node_startup_duration_seconds', ready.sinceBootMs);
      return found;
    },
  };
}

const order: readonly StartupStep[] = ['registering', 'registered', 'ready'];

const now = (): StartupTime => ({ sinceStartMs: performance.now(), sinceBootMs: uptime() * 1000 });
