/** The Node as the API server last had it, kept for a start out of its reach: what pods may run here hangs on it. */
import type { Node } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';

const recordKind = 'cluster-node';

export class NodeMemory {
  readonly #store: Store;
  readonly #nodeName: string;
  readonly #log: Logger;
  #node: Node | undefined;

  constructor(store: Store, nodeName: string, log: Logger) {
    this.#store = store;
    this.#nodeName = nodeName;
    this.#log = log;
  }

  async load(): Promise<void> {
    const records = await this.#store.load<Node>(recordKind);
    this.#node = records.find(({ key }) => key === this.#nodeName)?.value;
  }

  /** Labels and taints, perhaps from an earlier life of the agent; undefined when it never saw its Node. */
  get node(): Node | undefined {
    return this.#node;
  }

  note({ metadata, spec }: Node): void {
    const { name, uid, labels } = metadata ?? {};
    this.#node = { metadata: { name, uid, labels }, spec: { taints: spec?.taints } };
    this.#store.put(recordKind, this.#nodeName, this.#node).catch((err: unknown) => {
      this.#log.error({ err }, 'cannot keep the Node; a reboot without the API server would not have it');
    });
  }
}
