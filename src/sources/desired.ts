/**
 * All sources of desired pods as one. Sources report whole snapshots; listeners hear only of what really changed.
 * Config maps and secrets of files come before those of the API, as what is on the disk is there without one.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Pod, Secret } from '../api/core.gen.ts';
import { podUid } from '../pods/identity.ts';
import type { ObjectReader, ObjectRef, SourceName, SourceSnapshot } from './source.ts';

export class DesiredState implements ObjectReader {
  readonly #snapshots = new Map<SourceName, SourceSnapshot>();
  readonly #podListeners = new Set<() => void>();
  readonly #objectListeners = new Set<(ref: ObjectRef) => void>();
  #pods = new Map<string, Pod>();
  #objects = new Map<string, { ref: ObjectRef; object: ConfigMap | Secret }>();

  set(source: SourceName, snapshot: SourceSnapshot): void {
    this.#snapshots.set(source, snapshot);
    const refs = this.#mergeObjects();
    const havePodsChanged = this.#mergePods();
    // Objects first: a pod that waits for its config map should find it when it looks.
    for (const ref of refs) for (const listener of this.#objectListeners) listener(ref);
    if (havePodsChanged) for (const listener of this.#podListeners) listener();
  }

  pods(): Pod[] {
    return [...this.#pods.values()];
  }

  /** Returns the function that ends the subscription. */
  onPodsChange(listener: () => void): () => void {
    this.#podListeners.add(listener);
    return () => this.#podListeners.delete(listener);
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return Promise.resolve(this.#objects.get(keyOf({ kind: 'ConfigMap', namespace, name }))?.object);
  }

  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return Promise.resolve(this.#objects.get(keyOf({ kind: 'Secret', namespace, name }))?.object);
  }

  onObjectChange(listener: (ref: ObjectRef) => void): () => void {
    this.#objectListeners.add(listener);
    return () => this.#objectListeners.delete(listener);
  }

  #mergePods(): boolean {
    const before = this.#pods;
    this.#pods = new Map();
    for (const pod of this.#inOrder().flatMap(({ pods }) => pods)) {
      if (!this.#pods.has(podUid(pod))) this.#pods.set(podUid(pod), pod);
    }
    const isSame = (uid: string, pod: Pod): boolean => {
      const known = before.get(uid);
      return known === pod || (known !== undefined && isDeepStrictEqual(wishOf(known), wishOf(pod)));
    };
    return before.size !== this.#pods.size || ![...this.#pods].every(([uid, pod]) => isSame(uid, pod));
  }

  #mergeObjects(): ObjectRef[] {
    const before = this.#objects;
    const changed: ObjectRef[] = [];
    this.#objects = new Map();
    for (const { configMaps, secrets } of this.#inOrder()) {
      for (const object of configMaps) this.#addObject('ConfigMap', object);
      for (const object of secrets) this.#addObject('Secret', object);
    }
    for (const [key, { object, ref }] of this.#objects) {
      const known = before.get(key)?.object;
      if (known === undefined || !isDeepStrictEqual(contentOf(known), contentOf(object))) changed.push(ref);
    }
    for (const [key, { ref }] of before) if (!this.#objects.has(key)) changed.push(ref);
    return changed;
  }

  #addObject(kind: ObjectRef['kind'], object: ConfigMap | Secret): void {
    const { name = '', namespace = 'default' } = object.metadata ?? {};
    const ref: ObjectRef = { kind, namespace, name };
    const key = keyOf(ref);
    if (!this.#objects.has(key)) this.#objects.set(key, { ref, object });
  }

  #inOrder(): SourceSnapshot[] {
    return SOURCE_ORDER.flatMap((source) => this.#snapshots.get(source) ?? []);
  }
}

const SOURCE_ORDER: readonly SourceName[] = ['file', 'api', 'cluster'];

const keyOf = ({ kind, name, namespace }: ObjectRef): string => `${kind} ${namespace}/${name}`;

/**
 * A pod without what changes whenever anyone writes it. Its status is the agent's own doing, but for an end that others
 * declared and for conditions that its readiness waits for.
 */
function wishOf({ status, metadata, ...rest }: Pod): unknown {
  const gates = rest.spec?.readinessGates?.map(({ conditionType }) => conditionType) ?? [];
  return {
    ...rest,
    metadata: { ...metadata, resourceVersion: undefined, managedFields: undefined },
    isFinal: status?.phase === 'Failed' || status?.phase === 'Succeeded',
    gates: status?.conditions?.filter(({ type }) => gates.includes(type)),
  };
}

function contentOf(object: ConfigMap | Secret): unknown {
  const { metadata, ...content } = object;
  return { ...content, uid: metadata?.uid };
}
