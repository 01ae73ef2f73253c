/** What the servers see of the running agent: reads of actual state, put together from its parts. */
import type { FilesystemUsage, Runtime } from '../runtime/runtime.ts';
import type { Agent } from './agent.ts';
import type { Node, Pod, Volume } from './api/core.gen.ts';
import { currentSandbox } from './pods/actual.ts';
import {
  podName,
  podNameLabel,
  podNamespace,
  podNamespaceLabel,
  podUid,
  podUidLabel,
} from './pods/identity.ts';
import type { Transitions } from './pods/transitions.ts';
import type { PodWorker } from './pods/worker.ts';
import type { ProbeSummary } from './probes/manager.ts';
import type { CgroupManager } from './resources/cgroups.ts';
import type { AgentView, EventLog, HealthCheck, RefusedManifest } from './server/agent-view.ts';
import { networkOf } from './server/stats/network-usage.ts';
import { volumeSpace } from './server/stats/volume-space.ts';
import type { VolumeManager } from './volumes/manager.ts';
import { isEphemeral } from './volumes/volume.ts';

export interface ViewOptions {
  agent: Agent;
  nodeName: string;
  runtimes: readonly Runtime[];
  ownerLabels: Readonly<Record<string, string>>;
  cgroups: CgroupManager;
  volumes: VolumeManager;
  events: EventLog;
  node(): Node;
  onNodeChange(listener: () => void): () => void;
  refusedManifests(): RefusedManifest[];
  manifestFile(podUid: string): string | undefined;
  configz(): object;
  health(): HealthCheck[];
  lastRelistMs(): number;
  mirrorPods(): number;
  probes(): ProbeSummary[];
  transitions: Transitions;
  /** Of the managed node of a pod. */
  rosNode(uid: string): string | undefined;
}

export function agentView(options: ViewOptions): AgentView {
  const { agent, runtimes, ownerLabels: labels } = options;
  return {
    nodeName: options.nodeName,
    pods: () => agent.pods(),
    workingPods: () => agent.workingPods(),
    runningSandboxes: () =>
      [...agent.workers()].filter(({ actual }) => currentSandbox(actual) !== undefined).length,
    mirrorPods: options.mirrorPods,
    volumes() {
      const workers = [...agent.workers()].filter(({ record }) => !record.ended);
      const isUp = ({ actual }: PodWorker) => currentSandbox(actual) !== undefined;
      return options.volumes.volumes(workers.map((worker) => ({ pod: worker.pod, isUp: isUp(worker) })));
    },
    onPodChange: (listener) => agent.onPodChange(listener),
    node: options.node,
    onNodeChange: options.onNodeChange,
    events: options.events,
    refusedManifests: options.refusedManifests,
    manifestFile: options.manifestFile,
    configz: options.configz,
    health: options.health,
    lastRelistMs: options.lastRelistMs,
    cgroupVersion: options.cgroups.version,
    probes: options.probes,

    lifecycles: () => [
      ...[...agent.workers()].flatMap(({ pod, uid, lifecycle }) => {
        const state = options.transitions.state(uid);
        if (lifecycle === undefined || state === undefined) return [];
        const { problem, waitsFor } = lifecycle;
        const rosNode = options.rosNode(uid);
        const found = { ...(rosNode && { rosNode }), ...(problem && { problem }), waitsFor };
        return [{ namespace: podNamespace(pod), name: podName(pod), uid, state, ...found }];
      }),
      ...[...agent.waitingForRoom()].map(({ pod, waitsFor }) => {
        const about = { namespace: podNamespace(pod), name: podName(pod), uid: podUid(pod) };
        return { ...about, state: 'unconfigured' as const, waitsFor };
      }),
    ],
    changeLifecycle: (pod, transition, signal) => options.transitions.change(pod, transition, signal),

    async runningPods(signal) {
      const pods = new Map<string, Pod>();
      for (const runtime of runtimes) {
        const containers = await runtime.listContainers({ labels, state: 'CONTAINER_RUNNING' }, signal);
        for (const container of containers) {
          const uid = container.labels[podUidLabel] ?? '';
          const pod = pods.get(uid) ?? {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: {
              name: container.labels[podNameLabel] ?? '',
              namespace: container.labels[podNamespaceLabel] ?? '',
              uid,
            },
            spec: { containers: [] },
          };
          pod.spec?.containers.push({ name: container.metadata.name, image: container.imageRef });
          pods.set(uid, pod);
        }
      }
      return [...pods.values()];
    },

    async container(podUid, containerName) {
      const worker = agent.worker(podUid);
      const instance = worker?.actual.containers.find((c) => c.metadata.name === containerName);
      if (worker === undefined || instance === undefined) return undefined;
      return { runtime: worker.runtime, containerId: instance.id, podSandboxId: instance.podSandboxId };
    },

    async sandbox(podUid) {
      const worker = agent.worker(podUid);
      const sandbox = worker === undefined ? undefined : currentSandbox(worker.actual);
      if (worker === undefined || sandbox === undefined) return undefined;
      return { runtime: worker.runtime, podSandboxId: sandbox.id };
    },

    async containerLogPath(podUid, containerName, previous) {
      const ran = agent
        .worker(podUid)
        ?.actual.containers.filter(
          (c) => c.metadata.name === containerName && c.state !== 'CONTAINER_CREATED',
        );
      return ran?.[previous ? 1 : 0]?.logPath;
    },

    async containerStats(signal) {
      return (await Promise.all(runtimes.map((r) => r.listContainerStats({ labels }, signal)))).flat();
    },

    async imageFsInfo(signal) {
      const infos = await Promise.all(
        runtimes.map(
          (r): FilesystemUsage[] | Promise<FilesystemUsage[]> => r.images?.imageFsInfo(signal) ?? [],
        ),
      );
      return infos.flat();
    },

    podUsage: (podUid) => options.cgroups.podStats(podUid),
    podCgroups: (podUid) => options.cgroups.podCgroups(podUid),
    podsCgroup: () => options.cgroups.nodeStats(),
    agentCgroup: () => options.cgroups.processStats(process.pid),

    async podNetwork(podUid) {
      if (agent.worker(podUid)?.pod.spec?.hostNetwork) return undefined;
      return networkOf(await options.cgroups.pids(podUid));
    },

    volumeSpace: volumeSpace(),

    podVolumes(podUid) {
      const pod = agent.worker(podUid)?.pod;
      return (pod?.spec?.volumes ?? []).flatMap((volume) => {
        const { name, hostPath } = volume;
        const source =
          pod === undefined || hostPath !== undefined ? undefined : options.volumes.source(pod, name);
        return source === undefined
          ? []
          : [
              {
                name,
                path: source.hostPath,
                isEphemeral: isEphemeral(volume),
                ...claimOf(pod, volume),
              },
            ];
      });
    },
  };
}

/** An ephemeral volume has a claim of its own name. */
function claimOf(
  pod: Pod | undefined,
  { name, persistentVolumeClaim, ephemeral }: Volume,
): { claim?: string } {
  if (persistentVolumeClaim !== undefined) return { claim: persistentVolumeClaim.claimName };
  return ephemeral === undefined || pod === undefined ? {} : { claim: `${podName(pod)}-${name}` };
}
