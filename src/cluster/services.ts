/** The services of the cluster, as much of each as a container's environment shows; kept on disk for a start without it. */
import type { Pod } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import { apiPath, type KubeClient } from './client.ts';
import { reflect } from './reflector.ts';
import { serviceEnv } from './service-env.ts';
import type { Service } from './types.ts';

export interface ServicesOptions {
  client: KubeClient;
  store: Store;
  log: Logger;
}

export class Services {
  readonly #o: ServicesOptions;
  readonly #firstRead = Promise.withResolvers<void>();
  #services: Iterable<Service> | undefined;
  #kept = '';
  #keeping: NodeJS.Timeout | undefined;

  constructor(options: ServicesOptions) {
    this.#o = options;
  }

  async load(): Promise<void> {
    for (const { value } of await this.#o.store.load<Service[]>(recordKind)) {
      this.#services = value;
      this.#kept = JSON.stringify(value);
    }
  }

  /** @throws Error when nothing is known of services yet: a container started now would miss them for ever */
  async env(pod: Pod): Promise<Map<string, string>> {
    if (this.#services === undefined) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, firstReadMs);
      });
      await Promise.race([this.#firstRead.promise, late]);
      clearTimeout(timer);
    }
    if (this.#services === undefined)
      throw new Error('services have not yet been read at least once, cannot construct envvars');
    return serviceEnv(this.#services, pod);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, log } = this.#o;
    await reflect<Service>(
      {
        client,
        path: apiPath({ resource: 'services' }),
        trim: ({ metadata, spec }) => ({
          metadata: { name: metadata?.name, namespace: metadata?.namespace },
          spec: {
            clusterIP: spec?.clusterIP,
            ports: spec?.ports?.map(({ name, port, protocol }) => ({ name, port, protocol })),
          },
        }),
        onChange: (items) => {
          this.#services = { [Symbol.iterator]: () => items.values() };
          this.#firstRead.resolve();
          this.#keeping ??= setTimeout(() => this.#keep(), keepDelayMs);
        },
        log,
      },
      signal,
    );
    if (this.#keeping !== undefined) this.#keep();
  }

  /** All at once: a large cluster changes often. */
  #keep(): void {
    clearTimeout(this.#keeping);
    this.#keeping = undefined;
    const services = [...(this.#services ?? [])];
    const text = JSON.stringify(services);
    if (text === this.#kept) return;
    this.#kept = text;
    this.#o.store.put(recordKind, 'all', services).catch((err: unknown) => {
      this.#o.log.error(
        { err },
        'cannot keep the services; a reboot without the API server would not know them',
      );
    });
  }
}

const recordKind = 'cluster-services';
const firstReadMs = 10_000;
const keepDelayMs = 2000;
