/**
 * What handler a RuntimeClass of the cluster stands for (node.k8s.io/v1). It is asked for with each pod that names one: a
 * class cannot be changed, only made anew, and few pods name any. Kept on disk for a start without the API server.
 */
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podUid } from '../pods/identity.ts';
import { isClusterPod } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import { apiPath, type KubeClient, retryDelayMs } from './client.ts';
import { hasStatus } from './errors.ts';
import type { RuntimeClass } from './types.ts';

export interface RuntimeClassesOptions {
  client: KubeClient;
  store: Store;
  /** A pod whose class was not known may be judged now. */
  onKnown: () => void;
  log: Logger;
}

export class RuntimeClasses {
  readonly #o: RuntimeClassesOptions;
  readonly #signal: AbortSignal;
  readonly #handlers = new Map<string, string>();
  /** Uids of pods, with whether their class was answered for. */
  readonly #pods = new Map<string, boolean>();

  constructor(options: RuntimeClassesOptions, signal: AbortSignal) {
    this.#o = options;
    this.#signal = signal;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#o.store.load<string>(recordKind)) this.#handlers.set(key, value);
  }

  /** Of a manifest, and where the cluster has no such class, the name is a handler itself. */
  handlerOf(pod: Pod): string {
    const name = classOf(pod);
    return (isClusterPod(pod) ? this.#handlers.get(name) : undefined) ?? name;
  }

  /** Whether `handlerOf` is the answer for this pod. */
  isKnown(pod: Pod): boolean {
    return classOf(pod) === '' || this.#pods.get(podUid(pod)) === true;
  }

  /** All of the cluster's that are here. */
  setPods(pods: Iterable<Pod>): void {
    const there = new Map([...pods].filter((pod) => classOf(pod) !== '').map((pod) => [podUid(pod), pod]));
    for (const uid of this.#pods.keys()) if (!there.has(uid)) this.#pods.delete(uid);
    for (const [uid, pod] of there) if (!this.#pods.has(uid)) void this.#ask(uid, classOf(pod));
  }

  async #ask(uid: string, name: string): Promise<void> {
    const { client, log } = this.#o;
    const path = apiPath({ group: 'node.k8s.io', resource: 'runtimeclasses', name });
    this.#pods.set(uid, false);
    for (let failures = 1; this.#pods.has(uid); failures += 1) {
      try {
        const { handler } = await client.get<RuntimeClass>(path, this.#signal);
        this.#note(name, handler);
        break;
      } catch (error) {
        if (this.#signal.aborted) return;
        if (hasStatus(error, 404)) {
          this.#note(name, undefined);
          break;
        }
        log.warn({ err: error, runtimeClass: name }, 'cannot ask the API server for a runtime class');
        // What it was when it was asked for last is more than nothing.
        if (this.#handlers.has(name)) break;
        await client.untilRetry(retryDelayMs(failures, error, backoff), this.#signal);
        if (this.#signal.aborted) return;
      }
    }
    if (!this.#pods.has(uid)) return;
    this.#pods.set(uid, true);
    this.#o.onKnown();
  }

  #note(name: string, handler: string | undefined): void {
    const { store, log } = this.#o;
    if (this.#handlers.get(name) === handler) return;
    if (handler === undefined) this.#handlers.delete(name);
    else this.#handlers.set(name, handler);
    const kept =
      handler === undefined ? store.delete(recordKind, name) : store.put(recordKind, name, handler);
    kept.catch((err: unknown) => log.error({ err, runtimeClass: name }, 'cannot keep a runtime class'));
  }
}

const classOf = (pod: Pod): string => pod.spec?.runtimeClassName ?? '';

const recordKind = 'runtime-classes';
const backoff = { initialMs: 500, maxMs: 30_000 };
