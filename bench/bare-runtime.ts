/**
 * What containerd alone takes for the pods of the benchmark: the fewest CRI calls that start, restart and stop them, so many
 * at a time as the agent makes. There is no agent that decides and no API server that is told, so that no kubelet on the
 * same containerd can be faster.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { criRuntime } from '../runtime/cri/index.ts';
import type { PodSandboxConfig, Runtime } from '../runtime/runtime.ts';
import type { Pod } from '../src/api/core.gen.ts';
import { silentLogger } from '../src/log.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { agentPaths } from '../src/paths.ts';
import { containerConfig } from '../src/pods/runtime-config/container-config.ts';
import { podSandboxConfig } from '../src/pods/runtime-config/sandbox-config.ts';
import { volumeManager } from '../src/volumes/manager.ts';
import { relayPath, startContainerd, type TestContainerd } from '../test/peers/containerd.ts';
import type { Marks } from './marks.ts';
import { type PodKind, podOf } from './node-pods.ts';
import { someAtOnce } from './some-at-once.ts';

interface BarePod {
  pod: Pod;
  sandbox: PodSandboxConfig;
  sandboxId: string;
  containerIds: string[];
}

const atOnce = Math.max(4, 2 * availableParallelism());
const graceSeconds = 30;

export class BareRuntime implements AsyncDisposable {
  readonly #containerd: TestContainerd;
  readonly #runtime: Runtime;
  readonly #marks: Marks;
  readonly #closing: AbortController;
  readonly #pods = new Map<string, BarePod>();

  private constructor(containerd: TestContainerd, runtime: Runtime, marks: Marks, closing: AbortController) {
    this.#containerd = containerd;
    this.#runtime = runtime;
    this.#marks = marks;
    this.#closing = closing;
  }

  static async open(marks: Marks): Promise<BareRuntime> {
    const containerd = await startContainerd('1.6');
    const closing = new AbortController();
    const { endpoint } = containerd;
    const runtime = await criRuntime({ endpoint, log: silentLogger(), relayPath, signal: closing.signal });
    return new BareRuntime(containerd, runtime, marks, closing);
  }

  /** Resolves when each was told to start. */
  async start(kind: PodKind, names: readonly string[]): Promise<void> {
    await someAtOnce(names, atOnce, async (name) => {
      const pod = podOf(kind, name, 'bare', this.#marks);
      pod.metadata = { ...pod.metadata, namespace: 'default', uid: randomUUID() };
      const sandbox = await this.#sandboxConfig(pod);
      const sandboxId = await this.#runtime.runPodSandbox(sandbox, '', this.#signal);
      const bare = { pod, sandbox, sandboxId, containerIds: [] };
      this.#pods.set(name, bare);
      await this.#startContainer(bare);
    });
  }

  /** Runs the liveness probe, which is to fail, and restarts the container as soon as it has ended. */
  async restartFailed(name: string): Promise<void> {
    const bare = this.#pods.get(name)!;
    const containerId = bare.containerIds.at(-1)!;
    const command = bare.pod.spec!.containers[0]!.livenessProbe!.exec!.command!;
    const { exitCode } = await this.#runtime.execSync(containerId, command, 1000, this.#signal);
    if (exitCode === 0) throw new Error(`the probe of ${name} did not fail`);
    const exited = Promise.withResolvers<void>();
    const stopped = this.#runtime.stopContainer(containerId, graceSeconds, this.#signal, () =>
      exited.resolve(),
    );
    await Promise.race([exited.promise, stopped]);
    await this.#startContainer(bare);
    await stopped;
  }

  /** Returns when each was down (epoch ms). */
  async stop(names: readonly string[]): Promise<number[]> {
    const down: number[] = [];
    await someAtOnce(names, atOnce, async (name) => {
      const { sandboxId, containerIds } = this.#pods.get(name)!;
      await this.#runtime.stopContainer(containerIds.at(-1)!, graceSeconds, this.#signal);
      await this.#runtime.stopPodSandbox(sandboxId, this.#signal);
      down.push(Date.now());
    });
    for (const name of names) {
      await this.#runtime.removePodSandbox(this.#pods.get(name)!.sandboxId, this.#signal);
      this.#pods.delete(name);
    }
    return down;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#containerd.stop();
  }

  get #signal(): AbortSignal {
    return this.#closing.signal;
  }

  async #sandboxConfig(pod: Pod): Promise<PodSandboxConfig> {
    const { config } = podSandboxConfig(pod, {
      attempt: 0,
      paths: agentPaths(this.#root),
      cgroupParent: join(this.#containerd.cgroupParent, 'kubepods', 'burstable', `pod${pod.metadata!.uid}`),
      dns: { host: { servers: [], searches: [], options: [] }, clusterDns: [], clusterDomain: '' },
    });
    await mkdir(config.logDirectory, { recursive: true });
    return config;
  }

  async #startContainer(bare: BarePod): Promise<void> {
    const { pod, sandbox, sandboxId, containerIds } = bare;
    const [container] = pod.spec!.containers;
    const paths = agentPaths(this.#root);
    const objects = {
      configMap: async () => undefined,
      secret: async () => undefined,
      onObjectChange: () => () => undefined,
    };
    const context = {
      paths,
      objects,
      volumes: volumeManager({
        podsDir: paths.podsDir,
        objects,
        allocatable: () => ({}),
        metrics: createMetrics(),
      }),
      node: () => ({ nodeName: 'bare', hostIps: [], allocatable: {} }),
      clusterDomain: '',
      hasRosBridge: false,
      seccompRoot: join(this.#root, 'seccomp'),
      seccompDefault: false,
    };
    const input = {
      pod,
      container: container!,
      restartCount: containerIds.length,
      sandboxConfig: sandbox,
      imageRef: container!.image!,
      image: {},
      runtimeHandler: { name: '', recursiveReadOnlyMounts: false, userNamespaces: false },
      podIps: ['10.0.0.1'],
      resources: { cpuShares: 2 },
    };
    const { config } = await containerConfig(context, input, this.#signal);
    const id = await this.#runtime.createContainer(sandboxId, config, sandbox, this.#signal);
    containerIds.push(id);
    await this.#runtime.startContainer(id, this.#signal);
  }

  get #root(): string {
    return join(this.#containerd.root, 'bare');
  }
}
