/**
 * The runtime port over the Kubernetes Container Runtime Interface (runtime.v1): containerd 1.6, 1.7 and 2.x, CRI-O.
 * The runtime may be down when this is made and at any time after: calls then fail with `Unavailable`, and work again
 * when it is back. Differences between runtimes are negotiated by what they answer, never by what they are expected to.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../src/log.ts';
import { type Runtime, RuntimeError } from '../runtime.ts';
import { type CallOptions, connect } from './connection.ts';
import {
  decodeContainer,
  decodeContainerStatus,
  decodeSandbox,
  decodeSandboxStatus,
  decodeStats,
} from './decode.ts';
import {
  ceilSeconds,
  encodeContainerConfig,
  encodeContainerFilter,
  encodeResources,
  encodeSandboxConfig,
  encodeSandboxFilter,
} from './encode.ts';
import { hasCode } from './errors.ts';
import { runtimeEvents } from './events.ts';
import { knownExits } from './exits.ts';
import { refuseIgnoredStopSignal, refuseUnknownFields } from './features.ts';
import { criImages } from './images.ts';
import * as methods from './methods.ts';
import { outlivingCalls } from './outliving.ts';
import { ownCalls } from './own-calls.ts';
import { containerOwners } from './owners.ts';
import { runtimeStatus } from './status.ts';
import { streamCommand, streamPort, wantedStreams } from './streaming.ts';

export interface CriOptions {
  /** `unix:///run/containerd/containerd.sock` */
  endpoint: string;
  log: Logger;
  /** The program roslet-cri-relay, by which starts outlive the agent. */
  relayPath: string;
  /** For every call but pulls; the kubelet's runtimeRequestTimeout, 2 minutes. */
  requestTimeoutMs?: number;
  /** The life of the agent: its end closes the connection, and takes back no start. */
  signal?: AbortSignal;
}

export async function criRuntime(options: CriOptions): Promise<Runtime> {
  const { endpoint, log, relayPath, requestTimeoutMs = 120_000 } = options;
  const connection = connect(endpoint);
  const starts = outlivingCalls({
    relayPath,
    connection,
    patienceMs: 2 * requestTimeoutMs,
    signal: options.signal,
    log,
  });
  options.signal?.addEventListener('abort', () => connection.close(), { once: true });
  if (options.signal?.aborted) connection.close();
  const owners = containerOwners(connection, requestTimeoutMs);
  const exits = knownExits();
  const own = ownCalls();
  let name: string | undefined;

  const within = (signal: AbortSignal | undefined, timeoutMs = requestTimeoutMs): CallOptions => ({
    timeoutMs,
    signal,
  });

  const runtime: Runtime = {
    get name() {
      return name ?? 'cri';
    },

    async version(signal) {
      const { version: _, ...version } = await connection.call(
        methods.version,
        { version: 'v1' },
        within(signal),
      );
      name = version.runtimeName;
      return version;
    },

    status: (signal) => runtimeStatus(connection, within(signal)),

    /** Twice the usual time, as the kubelet gives it: the network is set up in this call. */
    async runPodSandbox(config, runtimeHandler, signal) {
      const { podSandboxId } = await starts.call(
        methods.runPodSandbox,
        { config: encodeSandboxConfig(config), runtimeHandler },
        within(signal, 2 * requestTimeoutMs),
      );
      owners.learn(podSandboxId, podSandboxId);
      return podSandboxId;
    },

    async stopPodSandbox(podSandboxId, signal) {
      const stop = () => connection.call(methods.stopPodSandbox, { podSandboxId }, within(signal));
      await own.make(podSandboxId, () => ending(stop));
    },

    async removePodSandbox(podSandboxId, signal) {
      await ending(() => connection.call(methods.removePodSandbox, { podSandboxId }, within(signal)));
    },

    async podSandboxStatus(podSandboxId, signal) {
      const request = { podSandboxId, verbose: false };
      const { status } = await connection.call(methods.podSandboxStatus, request, within(signal));
      if (!status) throw new RuntimeError('NotFound', `pod sandbox ${podSandboxId} has no status`);
      return decodeSandboxStatus(status);
    },

    async listPodSandbox(filter, signal) {
      const request = { filter: encodeSandboxFilter(filter) };
      const { items } = await connection.call(methods.listPodSandbox, request, within(signal));
      return items.map(decodeSandbox);
    },

    async createContainer(podSandboxId, config, sandboxConfig, signal) {
      await refuseUnknownFields(connection, config, within(signal));
      const { containerId } = await starts.call(
        methods.createContainer,
        {
          podSandboxId,
          config: encodeContainerConfig(config),
          sandboxConfig: encodeSandboxConfig(sandboxConfig),
        },
        within(signal),
      );
      owners.learn(containerId, podSandboxId);
      await refuseIgnoredStopSignal(connection, containerId, config, within(signal));
      return containerId;
    },

    async startContainer(containerId, signal) {
      await own.make(containerId, () => starts.call(methods.startContainer, { containerId }, within(signal)));
    },

    async stopContainer(containerId, timeoutSeconds, signal, onExit = () => undefined) {
      const request = { containerId, timeout: ceilSeconds(timeoutSeconds * 1000) };
      const options = within(signal, requestTimeoutMs + timeoutSeconds * 1000);
      const stop = () => connection.call(methods.stopContainer, request, options);
      const forget = exits.onExit(containerId, onExit);
      await own.make(containerId, () => ending(stop)).finally(forget);
    },

    async removeContainer(containerId, signal) {
      await ending(() => connection.call(methods.removeContainer, { containerId }, within(signal)));
    },

    async listContainers(filter, signal) {
      // Whatever is told of a container has the runtime's name in it.
      if (name === undefined) await runtime.version(signal);
      const request = { filter: encodeContainerFilter(filter) };
      const response = await connection.call(methods.listContainers, request, within(signal));
      for (const { id, podSandboxId } of response.containers) owners.learn(id, podSandboxId);
      return response.containers.map(decodeContainer);
    },

    async containerStatus(containerId, signal) {
      const request = { containerId, verbose: false };
      const [{ status }, podSandboxId] = await Promise.all([
        connection.call(methods.containerStatus, request, within(signal)),
        owners.sandboxOf(containerId, signal),
      ]);
      if (!status) throw new RuntimeError('NotFound', `container ${containerId} has no status`);
      return exits.fill(decodeContainerStatus(status, podSandboxId));
    },

    async updateContainerResources(containerId, resources, signal) {
      const request = { containerId, linux: encodeResources(resources) };
      await connection.call(methods.updateContainerResources, request, within(signal));
    },

    async reopenContainerLog(containerId, signal) {
      await connection.call(methods.reopenContainerLog, { containerId }, within(signal));
    },

    async checkpointContainer(containerId, location, timeoutMs, signal) {
      const request = { containerId, location, timeout: ceilSeconds(timeoutMs) };
      // All of the container's memory is written: without a limit of its own it takes as long as it takes.
      const limitMs = timeoutMs === 0 ? undefined : timeoutMs + requestTimeoutMs;
      await connection.call(methods.checkpointContainer, request, { timeoutMs: limitMs, signal });
    },

    /** The runtime counts in whole seconds, so a limit between them is kept by ending the call, which kills too. */
    async execSync(containerId, command, timeoutMs, signal) {
      const { stdout, stderr, exitCode } = await connection.call(
        methods.execSync,
        { containerId, cmd: [...command], timeout: ceilSeconds(timeoutMs) },
        {
          timeoutMs:
            timeoutMs === 0 ? undefined : timeoutMs % 1000 === 0 ? timeoutMs + requestTimeoutMs : timeoutMs,
          signal,
        },
      );
      return { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), exitCode };
    },

    async exec(containerId, options, signal) {
      const request = { containerId, cmd: [...options.command], tty: options.tty, ...wantedStreams(options) };
      const { url } = await connection.call(methods.exec, request, within(signal));
      return streamCommand(url, options, signal);
    },

    async attach(containerId, options, signal) {
      const request = { containerId, tty: options.tty, ...wantedStreams(options) };
      const { url } = await connection.call(methods.attach, request, within(signal));
      return streamCommand(url, options, signal);
    },

    async portForward(podSandboxId, port, signal) {
      const request = { podSandboxId, port: [port] };
      const { url } = await connection.call(methods.portForward, request, within(signal));
      return streamPort(url, port, signal);
    },

    async containerStats(containerId, signal) {
      const { stats } = await connection.call(methods.containerStats, { containerId }, within(signal));
      if (!stats) throw new RuntimeError('NotFound', `container ${containerId} has no stats`);
      return decodeStats(stats);
    },

    async listContainerStats(filter, signal) {
      const request = {
        filter: filter && {
          id: filter.id ?? '',
          podSandboxId: filter.podSandboxId ?? '',
          labelSelector: filter.labels ?? {},
        },
      };
      const { stats } = await connection.call(methods.listContainerStats, request, within(signal));
      return stats.map(decodeStats);
    },

    events: (signal) =>
      runtimeEvents(
        {
          connection,
          owners,
          exits,
          ownCalls: own,
          log,
          version: (signal) => runtime.version(signal),
          subscribed: (signal) =>
            connection.call(methods.version, { version: 'v1' }, { ...within(signal), behindStreams: true }),
        },
        signal,
      ),

    images: criImages(connection, requestTimeoutMs),
  };
  return runtime;
}

/**
 * Stopping or removing what is gone has succeeded. containerd 2.1 answers "ttrpc: closed" when a container exits in the
 * very moment of the call; asked again it finds it gone.
 */
async function ending(call: () => Promise<unknown>): Promise<void> {
  for (let attempts = 1; ; attempts++) {
    try {
      await call();
      return;
    } catch (error) {
      if (hasCode(error, 'NotFound')) return;
      const exitsNow = error instanceof RuntimeError && error.message.includes('ttrpc: closed');
      if (!exitsNow || attempts === 5) throw error;
      await sleep(attempts * 20);
    }
  }
}
