/** Makes a pod's sandbox, and whatever of the machine must be there before anything of the pod can run. */
import { mkdir } from 'node:fs/promises';
import type { PodSandboxConfig, Runtime, RuntimeHandler } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import type { EventRecorder } from '../../events.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { type Paths, podDir, podLogDir } from '../../paths.ts';
import type { CgroupManager } from '../../resources/cgroups.ts';
import type { VolumeManager } from '../../volumes/manager.ts';
import { VolumeError } from '../../volumes/volume.ts';
import type { Action } from '../actions.ts';
import { type ActualPod, currentSandbox } from '../actual.ts';
import { podName, podNamespace, podReference, podUid } from '../identity.ts';
import { podInForce } from '../resize.ts';
import type { DnsInput } from '../runtime-config/dns.ts';
import { podSandboxConfig } from '../runtime-config/sandbox-config.ts';
import type { Turns } from '../turns.ts';
import { isUnderWay, type StartFailure, startFailure } from './failure.ts';

export interface SandboxDeps {
  runtime: Runtime;
  turns: Turns;
  /** As the runtime last told of it. */
  handler: () => RuntimeHandler;
  paths: Paths;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  events: EventRecorder;
  metrics: Metrics;
  dns: () => DnsInput;
  /** Put on every sandbox and container, so that agents that share a runtime leave each other's alone. */
  ownerLabels: Readonly<Record<string, string>>;
}

interface Ready {
  attempt: number;
  config: PodSandboxConfig;
  untilMs: number;
}

/** The steps of a start follow one another; whoever starts a container later makes sure of everything anew. */
const readyForMs = 10_000;

export class Sandboxes {
  readonly #o: SandboxDeps;
  /** What was made ready a moment ago, so that a start does it once and not at each of its steps. */
  readonly #ready = new WeakMap<Pod, Ready>();

  constructor(options: SandboxDeps) {
    this.#o = options;
  }

  /** Returns why the pod's containers have to wait, when it did not work. */
  async create(
    pod: Pod,
    { attempt, replaces }: Extract<Action, { do: 'createSandbox' }>,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const { runtime, turns, handler, events, metrics } = this.#o;
    const about = podReference(pod);
    try {
      if (replaces.length > 0) {
        const message = 'Pod sandbox changed, it will be killed and re-created.';
        events.event(about, 'Normal', 'SandboxChanged', message);
        for (const id of replaces) {
          await turns('stopSandbox', pod, () => runtime.stopPodSandbox(id, signal), signal);
        }
      }
      // A turn of its own: volumes that wait, for the API server or a disk, must not hold up the sandboxes of others.
      const config = await turns('prepareSandbox', pod, () => this.#prepare(pod, attempt, signal), signal);
      const run = () => runtime.runPodSandbox(config, handler().name, signal);
      await turns('createSandbox', pod, run, signal);
      metrics.count('kubelet_started_pods_total', {});
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      const waiting = { ...startFailure(err), reason: 'ContainerCreating' };
      const { message } = waiting;
      if (isUnderWay(err)) return waiting;
      if (err instanceof VolumeError) events.event(about, 'Warning', err.reason, message);
      else {
        metrics.count('kubelet_started_pods_errors_total', {});
        const what = `Failed to create pod sandbox: ${message}`;
        events.event(about, 'Warning', 'FailedCreatePodSandBox', what);
      }
      return waiting;
    }
  }

  /**
   * Makes sure of all that the pod's containers need in the sandbox that is there. Returns the sandbox's configuration;
   * undefined when there is no sandbox.
   */
  async prepareContainers(
    pod: Pod,
    actual: ActualPod,
    signal: AbortSignal,
  ): Promise<PodSandboxConfig | undefined> {
    const attempt = currentSandbox(actual)?.metadata.attempt;
    if (attempt === undefined) return undefined;
    const ready = this.#ready.get(pod);
    if (ready?.attempt === attempt && performance.now() < ready.untilMs) return ready.config;
    // In force: a limit that is to become lower is not lowered in passing.
    return this.#prepare(podInForce(pod, actual), attempt, signal);
  }

  /** What the pod needs is not what it was: the next step makes sure of all anew. */
  changed(pod: Pod): void {
    this.#ready.delete(pod);
  }

  async #prepare(pod: Pod, attempt: number, signal: AbortSignal): Promise<PodSandboxConfig> {
    const { runtime, paths, cgroups, volumes, events, ownerLabels, dns } = this.#o;
    this.#ready.delete(pod);
    const uid = podUid(pod);
    await mkdir(podDir(paths, uid), { recursive: true, mode: 0o750 });
    await mkdir(podLogDir(paths, podNamespace(pod), podName(pod), uid), { recursive: true, mode: 0o755 });
    const cgroupParent = await cgroups.ensurePod(pod, { withoutEngine: runtime.images === null });
    await volumes.setUp(pod, signal);
    const { config, warnings } = podSandboxConfig(pod, { attempt, paths, cgroupParent, dns: dns() });
    for (const { reason, message } of warnings) events.event(podReference(pod), 'Warning', reason, message);
    Object.assign(config.labels, ownerLabels);
    this.#ready.set(pod, { attempt, config, untilMs: performance.now() + readyForMs });
    return config;
  }
}
