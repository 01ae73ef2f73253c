/**
 * What the runtimes say of themselves: whether they and their network are ready, and which handlers they offer. The
 * last answer holds until the next.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Runtime, RuntimeHandler, RuntimeStatus } from '../runtime/runtime.ts';
import { messageOf } from './error-message.ts';
import type { Logger } from './log.ts';

export interface RuntimeHealthOptions {
  runtimes: readonly Runtime[];
  /** The one of pods without a runtime class. */
  default: Runtime;
  /** The agent's own; a runtime with the other cannot start a container. */
  cgroupDriver: 'cgroupfs' | 'systemd';
  periodMs: number;
  /** A runtime that does not tell its status for as long is down: on a busy machine that may well take its time. */
  silentMs: number;
  log: Logger;
  /** Undefined: no problem any more. */
  onProblem(runtime: Runtime, message: string | undefined): void;
}

export interface RuntimeHealth {
  handler(runtime: Runtime, name: string): RuntimeHandler;
  /** Of a name that several have, the default runtime's. */
  handlers(): RuntimeHandler[];
  /** Whether the policy Strict is kept; undefined before the runtime has answered. */
  supplementalGroupsPolicy(runtime: Runtime): boolean | undefined;
  /** Whether every runtime has answered once, so that the handlers are known. */
  isKnown(): boolean;
  /** Called when version or handlers are known, or are others than before. */
  onChange(listener: () => void): void;
  /** `containerd://1.6.20`; '' before the runtime has answered. */
  version(runtime: Runtime): string;
  /** A runtime that has said nothing by now, not even that it cannot be had, is a problem until it does. */
  noteSilent(): void;
  /** Asks once. A runtime that does not answer is a problem, not an error. */
  check(signal: AbortSignal): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

interface Known {
  version: string;
  handlers: RuntimeHandler[];
  supplementalGroupsPolicy: boolean;
}

export function runtimeHealth(options: RuntimeHealthOptions): RuntimeHealth {
  const listeners = new Set<() => void>();
  const known = new Map<Runtime, Known>();
  /** When each told its status last, on the monotonic clock. */
  const heardMs = new Map<Runtime, number>();
  /** Those that have neither answered nor failed to. */
  const silent = new Set(options.runtimes);
  const tell = (runtime: Runtime, message: string | undefined) => {
    silent.delete(runtime);
    options.onProblem(runtime, message);
  };

  async function checkOne(runtime: Runtime, life: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    const signal = AbortSignal.any([life, AbortSignal.timeout(options.silentMs)]);
    const askStatus = async () => {
      const status = await runtime.status(signal);
      heardMs.set(runtime, performance.now());
      return status;
    };
    try {
      const [{ runtimeVersion }, status] = await Promise.all([runtime.version(signal), askStatus()]);
      const now = {
        version: `${runtime.name}://${runtimeVersion}`,
        handlers: status.runtimeHandlers,
        supplementalGroupsPolicy: status.supplementalGroupsPolicy,
      };
      const changed = JSON.stringify(known.get(runtime)) !== JSON.stringify(now);
      known.set(runtime, now);
      tell(runtime, problemOf(status, options.cgroupDriver));
      if (changed) for (const listener of listeners) listener();
    } catch (err) {
      if (life.aborted) return;
      const isLate = signal.aborted;
      // Its version alone was late, or another look was luckier.
      if (isLate && (heardMs.get(runtime) ?? 0) >= startedMs) return;
      const why = isLate ? 'it does not answer' : messageOf(err);
      tell(runtime, `container runtime is down: ${why}`);
    }
  }

  const check = async (signal: AbortSignal) => {
    await Promise.all(options.runtimes.map((runtime) => checkOne(runtime, signal)));
  };

  return {
    check,
    noteSilent() {
      for (const runtime of silent) tell(runtime, 'container runtime is down: it has not answered yet');
    },
    onChange: (listener) => {
      listeners.add(listener);
    },
    isKnown: () => options.runtimes.every((runtime) => known.has(runtime)),
    version: (runtime) => known.get(runtime)?.version ?? '',
    supplementalGroupsPolicy: (runtime) => known.get(runtime)?.supplementalGroupsPolicy,
    handlers() {
      const byName = new Map<string, RuntimeHandler>();
      for (const runtime of [options.default, ...options.runtimes]) {
        for (const handler of known.get(runtime)?.handlers ?? []) {
          if (!byName.has(handler.name)) byName.set(handler.name, handler);
        }
      }
      return [...byName.values()];
    },
    handler: (runtime, name) =>
      known.get(runtime)?.handlers.find((h) => h.name === name) ?? {
        name,
        recursiveReadOnlyMounts: false,
        userNamespaces: false,
      },
    async run(signal) {
      while (!signal.aborted) {
        await check(signal);
        await delay(options.periodMs, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

function problemOf(
  { conditions, cgroupDriver }: RuntimeStatus,
  own: RuntimeHealthOptions['cgroupDriver'],
): string | undefined {
  if (cgroupDriver !== undefined && cgroupDriver !== own) {
    return `container runtime has the cgroup driver ${cgroupDriver}, and the configuration says cgroupDriver: ${own}: have both say the same`;
  }
  const failed = conditions.filter((c) => !c.status);
  if (failed.length === 0) return undefined;
  const message = failed.map((c) => `${c.type}=false reason:${c.reason} message:${c.message}`).join('; ');
  return `container runtime not ready: ${message}`;
}
