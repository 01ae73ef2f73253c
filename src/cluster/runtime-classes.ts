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
  /** Null: the name of the class is all there is. */
  readonly #handlers = new Map<string, string | null>();
  /** Uids of pods, with whether their class was answered for. */
  readonly #pods = new Map<string, boolean>();
  #isForbidden = false;

  constructor(options: RuntimeClassesOptions, signal: AbortSignal) {
    this.#o = options;
    this.#signal = signal;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#o.store.load<string | null>(recordKind))
      this.#handlers.set(key, value);
  }

  /** Of a manifest, and where the cluster has no such class or does not let us read it, the name is a handler itself. */
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
        this.#isForbidden = false;
        this.#note(name, handler);
        break;
      } catch (error) {
        if (this.#signal.aborted) return;
        if (hasStatus(error, 404)) {
          this.#note(name, null);
          break;
        }
        // A server that has just started may not have read yet who may what.
        if (hasStatus(error, 403) && (failures > passingTries || this.#handlers.has(name))) {
          this.#noteForbidden(name, error);
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

  /** Nobody may grant that for long, and pods that name a handler need no more. */
  #noteForbidden(name: string, err: Error): void {
    if (!this.#isForbidden) {
      const needed = 'allow this node to get runtimeclasses of node.k8s.io';
      const meanwhile = 'the names of classes that were never read are taken for their handlers';
      this.#o.log.error(
        { err, runtimeClass: name },
        `cannot read runtime classes: ${needed}; until then ${meanwhile}`,
      );
    }
    this.#isForbidden = true;
    if (!this.#handlers.has(name)) this.#note(name, null);
  }

  #note(name: string, handler: string | null): void {
    const { store, log } = this.#o;
    if (this.#handlers.get(name) === handler) return;
    this.#handlers.set(name, handler);
    store
      .put(recordKind, name, handler)
      .catch((err: unknown) => log.error({ err, runtimeClass: name }, 'cannot keep a runtime class'));
  }
}

const classOf = (pod: Pod): string => pod.spec?.runtimeClassName ?? '';

const recordKind = 'runtime-classes';
const passingTries = 3;
const backoff = { initialMs: 500, maxMs: 30_000 };
