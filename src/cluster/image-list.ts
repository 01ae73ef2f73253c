/** The images of the node, for the scheduler: asked for now and then beside all else, as a runtime may hang. */
import type { Runtime } from '../../runtime/runtime.ts';
import type { ContainerImage } from '../api/core.gen.ts';
import { pause } from './client.ts';

const mostNames = 5;
const periodMs = 60_000;
const answerMs = 10_000;

export class ImageList {
  readonly #runtimes: readonly Runtime[];
  readonly #most: number;
  /** A runtime that does not answer has the images that it had. */
  readonly #known = new Map<Runtime, ContainerImage[]>();

  /** @param most that are shown; -1: all */
  constructor(runtimes: readonly Runtime[], most: number) {
    this.#runtimes = runtimes;
    this.#most = most;
  }

  /** The largest first; undefined until a runtime answered. */
  get images(): ContainerImage[] | undefined {
    if (this.#known.size === 0) return undefined;
    return [...this.#known.values()]
      .flat()
      .sort((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0))
      .slice(0, this.#most < 0 ? undefined : this.#most);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#runtimes.map((runtime) => this.#follow(runtime, signal)));
  }

  async #follow(runtime: Runtime, signal: AbortSignal): Promise<void> {
    while (runtime.images !== null && !signal.aborted) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
      // That a runtime fails is told by others.
      const images = await runtime.images.listImages(limit).catch(() => undefined);
      if (images !== undefined) {
        const shown = images.map(({ repoDigests, repoTags, sizeBytes }) => ({
          names: [...repoDigests, ...repoTags].slice(0, mostNames),
          sizeBytes,
        }));
        this.#known.set(
          runtime,
          shown.filter(({ names }) => names.length > 0),
        );
      }
      await pause(images === undefined ? answerMs : periodMs, signal);
    }
  }
}
