/** Which runtime runs a pod: by the handler of its `runtimeClassName`, else the node's default. */

import type { Runtime } from '../../runtime/runtime.ts';
import { hostProcessRuntimeClass } from './identity.ts';

export type RuntimeKind = 'process' | 'cri';

export interface RuntimeChoice {
  runtime: Runtime;
  kind: RuntimeKind;
  /** Handler to run the sandbox with; '' is the runtime's default. */
  handler: string;
}

export interface RuntimeSetOptions {
  process?: Runtime;
  cri?: Runtime;
  default: 'process' | 'cri';
}

export class RuntimeSet {
  readonly #options: RuntimeSetOptions;

  constructor(options: RuntimeSetOptions) {
    this.#options = options;
  }

  all(): Runtime[] {
    return [this.#options.process, this.#options.cri].filter((r) => r !== undefined);
  }

  /** Its name is another once a container runtime has told it. */
  kindOfRuntime(runtime: Runtime): RuntimeKind {
    return runtime === this.#options.process ? 'process' : 'cri';
  }

  get hasContainerRuntime(): boolean {
    return this.#options.cri !== undefined;
  }

  /** The one that runs pods without a runtimeClassName. */
  get default(): Runtime {
    const { default: kind, ...runtimes } = this.#options;
    const runtime = runtimes[kind];
    if (runtime === undefined) throw new TypeError(`the default runtime ${kind} is not there`);
    return runtime;
  }

  /** Which would run it. @param name of the handler */
  kindOf(name: string): RuntimeKind {
    if (name === hostProcessRuntimeClass) return 'process';
    return name === '' ? this.#options.default : 'cri';
  }

  /**
   * @param name of the handler
   * @param recorded where the pod is already: it stays there, also when the node's default is another now
   * @throws RuntimeClassError when the node has no such runtime.
   */
  forHandler(name: string, recorded?: RuntimeKind): RuntimeChoice {
    const wantsProcess = (recorded ?? this.kindOf(name)) === 'process';
    const runtime = wantsProcess ? this.#options.process : this.#options.cri;
    if (runtime === undefined) {
      throw new RuntimeClassError(
        name,
        wantsProcess
          ? 'this node has no runtime for host processes'
          : `no container runtime is configured for it: set containerRuntimeEndpoint, or use runtimeClassName: ${hostProcessRuntimeClass}`,
      );
    }
    return { runtime, kind: wantsProcess ? 'process' : 'cri', handler: wantsProcess ? '' : name };
  }
}

export class RuntimeClassError extends Error {
  override readonly name = 'RuntimeClassError';
  readonly runtimeClassName: string;
  constructor(runtimeClassName: string, why: string) {
    super(`spec.runtimeClassName ${JSON.stringify(runtimeClassName)}: ${why}`);
    this.runtimeClassName = runtimeClassName;
  }
}
