/**
 * The pods that are bound to this node, as a watch of the API server shows them. Those that mirror static pods are kept
 * apart: they are shown there, but run from their manifests.
 */
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { podUid } from '../pods/identity.ts';
import { configMirrorAnnotation, configSourceAnnotation, type SourceSnapshot } from '../sources/source.ts';
import { apiPath, type KubeClient } from './client.ts';
import { isNewer } from './covers.ts';
import { reflect } from './reflector.ts';

export interface PodSourceOptions {
  client: KubeClient;
  nodeName: string;
  /** Whether the agent still has anything of the pod. */
  owns(uid: string): boolean;
  onHealth(error: Error | undefined): void;
  log: Logger;
}

export class PodSource {
  readonly #o: PodSourceOptions;
  readonly #listeners = new Set<() => void>();
  /** By uid. */
  #pods = new Map<string, Pod>();
  /** Answers to our writes that the watch has not shown yet, by uid. */
  readonly #written = new Map<string, Pod>();
  #isRead = false;

  constructor(options: PodSourceOptions) {
    this.#o = options;
  }

  /** Whether the API server has told what there is. */
  get isRead(): boolean {
    return this.#isRead;
  }

  get(uid: string): Pod | undefined {
    return this.#pods.get(uid);
  }

  all(): Iterable<Pod> {
    return this.#pods.values();
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** What the API server answered to a write of ours is known before the watch shows it. */
  written(pod: Pod): void {
    const uid = podUid(pod);
    const known = this.#pods.get(uid);
    if (known === undefined || !isNewer(pod, known)) return;
    this.#written.set(uid, trimmed(pod));
    this.#pods.set(uid, trimmed(pod));
  }

  /** Those to run. One that has run to its end and is gone from the machine is not run again. */
  snapshot(): SourceSnapshot {
    const pods = [...this.#pods.values()].filter(
      (pod) =>
        !isMirror(pod) &&
        (!isFinal(pod) || pod.metadata?.deletionTimestamp !== undefined || this.#o.owns(podUid(pod))),
    );
    return { pods, configMaps: [], secrets: [] };
  }

  run(signal: AbortSignal): Promise<void> {
    const { client, nodeName, log, onHealth } = this.#o;
    return reflect<Pod>(
      {
        client,
        path: apiPath({ resource: 'pods' }),
        query: { fieldSelector: `spec.nodeName=${nodeName}` },
        trim: trimmed,
        // Each of the agent's writes comes back: with fifty pods that is most of what comes, and everybody would look.
        isKnown: (pod) => {
          const written = this.#written.get(podUid(pod));
          return written !== undefined && !isNewer(written, pod) && !isNewer(pod, written);
        },
        onChange: (items, isList) => {
          this.#replace(items.values(), isList);
          this.#isRead = true;
          for (const listener of this.#listeners) listener();
        },
        onHealth,
        log,
      },
      signal,
    );
  }

  #replace(pods: Iterable<Pod>, isList: boolean): void {
    this.#pods = new Map([...pods].map((pod) => [podUid(pod), pod]));
    if (isList) this.#written.clear();
    for (const [uid, written] of this.#written) {
      const watched = this.#pods.get(uid);
      if (watched !== undefined && isNewer(written, watched)) this.#pods.set(uid, written);
      else this.#written.delete(uid);
    }
  }
}

export const isMirror = (pod: Pod): boolean =>
  pod.metadata?.annotations?.[configMirrorAnnotation] !== undefined;

const isFinal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Without what nobody here reads. Nobody but this node says that a pod is of a manifest file. */
function trimmed(pod: Pod): Pod {
  const { managedFields: _, ...metadata } = pod.metadata ?? {};
  return {
    ...pod,
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: isMirror(pod)
      ? metadata
      : { ...metadata, annotations: { ...metadata.annotations, [configSourceAnnotation]: 'api' } },
  };
}
