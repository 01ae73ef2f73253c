/**
 * Notices that something changed in a runtime and says of which pod. A periodic relist is the truth; the runtime's
 * events only hurry it. (What the kubelet calls PLEG, without its one-second latency.)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Runtime, RuntimeEvent } from '../../runtime/runtime.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { ActualPod } from './actual.ts';
import { podNameLabel, podNamespaceLabel, podUidLabel } from './identity.ts';

export interface SeenPod {
  uid: string;
  namespace: string;
  name: string;
  runtime: Runtime;
}

export interface RuntimeWatchOptions {
  runtime: Runtime;
  /** Only what carries them is looked at. */
  ownerLabels: Readonly<Record<string, string>>;
  relistMs: number;
  metrics: Metrics;
  log: Logger;
  onPodChange(uid: string): void;
  /** After each relist: undefined when it succeeded. */
  onHealth(error: Error | undefined): void;
}

export class RuntimeWatch {
  readonly #o: RuntimeWatchOptions;
  #seen = new Map<string, SeenPod>();
  #fingerprints = new Map<string, string>();
  #uidOf = new Map<string, string>();
  #wakeUp: (() => void) | undefined;
  #nextRelistMs = 0;
  #lastRelistMs = 0;
  #lastAttemptMs = performance.now();

  constructor(options: RuntimeWatchOptions) {
    this.#o = options;
  }

  /** Pods that the runtime held at the last relist. */
  seen(): Iterable<SeenPod> {
    return this.#seen.values();
  }

  /** Whether the runtime held anything of the pod at the last relist. */
  holds(uid: string): boolean {
    return this.#seen.has(uid);
  }

  /** Monotonic time at which a relist was begun last. */
  get lastAttemptMs(): number {
    return this.#lastAttemptMs;
  }

  /** Epoch of the last successful relist; 0 before the first. */
  get lastRelistMs(): number {
    return this.#lastRelistMs;
  }

  /** What a pod's worker has read of it by itself is no news for it, and need not be listed to be known. */
  noteRead({ uid, sandboxes, containers }: ActualPod): void {
    const items = [...sandboxes, ...containers];
    if (items.length === 0) return;
    for (const { id } of items) this.#uidOf.set(id, uid);
    this.#fingerprints.set(uid, items.map(partOf).sort().join());
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#relistLoop(signal), this.#eventLoop(signal)]);
  }

  /** @throws what the runtime throws. */
  async relist(signal?: AbortSignal): Promise<void> {
    const { runtime, ownerLabels: labels } = this.#o;
    const startedMs = performance.now();
    const intervalMs = startedMs - this.#lastAttemptMs;
    this.#lastAttemptMs = startedMs;
    const [sandboxes, containers] = await Promise.all([
      runtime.listPodSandbox({ labels }, signal),
      runtime.listContainers({ labels }, signal),
    ]);
    const seen = new Map<string, SeenPod>();
    const parts = new Map<string, string[]>();
    const uidOf = new Map<string, string>();
    for (const item of [...sandboxes, ...containers]) {
      const uid = item.labels[podUidLabel];
      if (uid === undefined) continue;
      uidOf.set(item.id, uid);
      if (!seen.has(uid)) {
        const namespace = item.labels[podNamespaceLabel] ?? '';
        seen.set(uid, { uid, namespace, name: item.labels[podNameLabel] ?? '', runtime });
      }
      const list = parts.get(uid) ?? [];
      list.push(partOf(item));
      parts.set(uid, list);
    }
    const fingerprints = new Map([...parts].map(([uid, list]) => [uid, list.sort().join()]));
    const before = this.#fingerprints;
    this.#seen = seen;
    this.#uidOf = uidOf;
    this.#fingerprints = fingerprints;
    this.#lastRelistMs = Date.now();
    this.#o.metrics.observe('kubelet_pleg_relist_interval_seconds', intervalMs / 1000, {});
    this.#o.metrics.observe(
      'kubelet_pleg_relist_duration_seconds',
      (performance.now() - startedMs) / 1000,
      {},
    );
    for (const uid of new Set([...before.keys(), ...fingerprints.keys()])) {
      if (before.get(uid) !== fingerprints.get(uid)) this.#o.onPodChange(uid);
    }
  }

  async #relistLoop(signal: AbortSignal): Promise<void> {
    const { runtime, relistMs, log, onHealth } = this.#o;
    let failures = 0;
    while (!signal.aborted) {
      this.#nextRelistMs = performance.now() + relistMs * (0.9 + Math.random() * 0.2);
      try {
        await this.relist(signal);
        if (failures > 0) log.info({ runtime: runtime.name }, 'container runtime answers again');
        failures = 0;
        onHealth(undefined);
      } catch (err) {
        if (signal.aborted) return;
        // Said once; the node condition keeps showing it.
        if (failures++ === 0) log.error({ err, runtime: runtime.name }, 'container runtime does not answer');
        onHealth(err instanceof Error ? err : new Error(String(err)));
        this.#nextRelistMs = performance.now() + Math.min(500 * failures, 2000);
      }
      while (!signal.aborted && performance.now() < this.#nextRelistMs) await this.#sleep(signal);
    }
  }

  /** Until the next relist is due, or sooner when its time was changed. */
  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wakeUp = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.max(this.#nextRelistMs - performance.now(), 1));
      signal.addEventListener('abort', done, { once: true });
      this.#wakeUp = done;
    });
  }

  /** An event that comes while a relist is under way has the next one follow it: that may have looked too early. */
  #relistWithin(ms: number): void {
    const atMs = performance.now() + ms;
    if (atMs >= this.#nextRelistMs) return;
    this.#nextRelistMs = atMs;
    this.#wakeUp?.();
  }

  async #eventLoop(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        for await (const event of this.#o.runtime.events(signal)) {
          failures = 0;
          const uid = this.#uidOf.get(event.containerId) ?? this.#uidOf.get(event.podSandboxId);
          if (uid !== undefined) this.#o.onPodChange(uid);
          // What a worker starts it looks at itself; only the listing has yet to learn whose it is.
          else this.#relistWithin(startTypes.includes(event.type) ? learnMs : 0);
        }
        return;
      } catch (err) {
        if (signal.aborted) return;
        this.#o.log.warn(
          { err, runtime: this.#o.runtime.name },
          'event stream broke, relying on relist meanwhile',
        );
        await sleep(Math.min(1000 * 2 ** failures, 30_000), undefined, { signal }).catch(() => {});
      }
    }
  }
}

const partOf = ({ id, state }: { id: string; state: string }): string => `${id}=${state}`;

const startTypes: readonly RuntimeEvent['type'][] = ['created', 'started'];

/** How soon the listing follows the start of something new. Many that start at once are learnt together. */
const learnMs = 500;
