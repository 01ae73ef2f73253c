/**
 * Static pods as the API server shows them: a pod object for each, made and removed by this node, that only mirrors what
 * runs here from a manifest. Who deletes such an object sees it come again.
 */
import type { Node, Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podKey, podName, podNamespace, podUid } from '../pods/identity.ts';
import { configHashAnnotation, configMirrorAnnotation, manifestFileAnnotation } from '../sources/source.ts';
import { apiPath, type KubeClient, pause, retryDelayMs } from './client.ts';
import { hasStatus } from './errors.ts';
import { isMirror, type PodSource } from './pod-source.ts';

export interface MirrorPodsOptions {
  client: KubeClient;
  source: PodSource;
  node(): Node | undefined;
  /** Static pods that are there, with their status. */
  staticPods(): Pod[];
  log: Logger;
}

export class MirrorPods {
  readonly #o: MirrorPodsOptions;
  #wake: (() => void) | undefined;
  #awake = true;
  /** Why a pod has no mirror, told once. */
  readonly #problems = new Map<string, string>();

  constructor(options: MirrorPodsOptions) {
    this.#o = options;
  }

  /** Something that mirrors depend on may have changed. */
  wake(): void {
    this.#awake = true;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#awake = false;
      const error = await this.#reconcile(signal);
      failures = error === undefined ? 0 : failures + 1;
      const retryInMs = error === undefined ? recheckMs : retryDelayMs(failures, error, backoff);
      if (!this.#awake) await this.#sleep(retryInMs, signal);
    }
  }

  /** Returns the last error, after having tried all. */
  async #reconcile(signal: AbortSignal): Promise<unknown> {
    const { source, staticPods } = this.#o;
    const node = this.#o.node();
    if (!source.isRead || node === undefined) return undefined;
    const originals = staticPods();
    // Most changes are of pods of the cluster, on nodes that have no others.
    if (originals.length === 0 && ![...source.all()].some(isMirror)) return undefined;
    const wanted = new Map(originals.map((pod) => [podKey(pod), pod]));
    let failed: unknown;
    const attempt = async (pod: Pod, work: () => Promise<void>) => {
      try {
        await work();
        this.#problems.delete(podKey(pod));
      } catch (err) {
        if (signal.aborted || hasStatus(err, 404, 409)) return;
        failed = err;
        const message = String(err);
        if (this.#problems.get(podKey(pod)) === message) return;
        this.#problems.set(podKey(pod), message);
        this.#o.log.warn({ err, pod: podKey(pod) }, 'cannot show a static pod in the cluster');
      }
    };
    const there = new Set<string>();
    for (const pod of [...source.all()]) {
      const original = wanted.get(podKey(pod));
      if (isMirror(pod) && !mirrors(pod, original)) await attempt(pod, () => this.#remove(pod, signal));
      else there.add(podKey(pod));
    }
    for (const pod of wanted.values()) {
      if (!there.has(podKey(pod))) await attempt(pod, () => this.#create(pod, node, signal));
    }
    return failed;
  }

  async #remove(pod: Pod, signal: AbortSignal): Promise<void> {
    const path = apiPath({ resource: 'pods', namespace: podNamespace(pod), name: podName(pod) });
    await this.#o.client.delete(path, { gracePeriodSeconds: 0, preconditions: { uid: podUid(pod) } }, signal);
  }

  async #create(pod: Pod, node: Node, signal: AbortSignal): Promise<void> {
    const { name = '', uid = '' } = node.metadata ?? {};
    const {
      [manifestFileAnnotation]: _,
      [configHashAnnotation]: hash = '',
      ...annotations
    } = pod.metadata?.annotations ?? {};
    await this.#o.client.create<Pod>(
      apiPath({ resource: 'pods', namespace: podNamespace(pod) }),
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: podName(pod),
          namespace: podNamespace(pod),
          labels: pod.metadata?.labels,
          annotations: { ...annotations, [configHashAnnotation]: hash, [configMirrorAnnotation]: hash },
          // So that it goes when the node does; asked for by the NodeRestriction plugin.
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid, controller: true }],
        },
        spec: pod.spec,
      },
      signal,
    );
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    await pause(ms, AbortSignal.any([waking.signal, signal]));
    this.#wake = undefined;
  }
}

const backoff = { initialMs: 500, maxMs: 60_000 };
const recheckMs = 60_000;

const mirrors = (mirror: Pod, original: Pod | undefined): boolean =>
  original !== undefined &&
  mirror.metadata?.deletionTimestamp === undefined &&
  mirror.metadata?.annotations?.[configMirrorAnnotation] ===
    original.metadata?.annotations?.[configHashAnnotation];
