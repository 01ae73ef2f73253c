/** What the worker of a pod works with, chosen by the runtime that the pod runs in. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '../../runtime/runtime.ts';
import type { AgentOptions } from '../agent.ts';
import type { Pod } from '../api/core.gen.ts';
import type { Cluster } from '../cluster/index.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { EventLog } from '../events/recorder.ts';
import { createCredentialProvider } from '../images/credential-provider.ts';
import { createCredentialSource, dockerConfigPaths } from '../images/credentials.ts';
import { createImageManager, defaultImageBackoff } from '../images/manager.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { NodeMonitor } from '../node/node.ts';
import type { Paths } from '../paths.ts';
import type { ActualPod } from '../pods/actual.ts';
import { ActualReader } from '../pods/actual-reader.ts';
import { podEffects } from '../pods/effects.ts';
import { podUid } from '../pods/identity.ts';
import { Removals } from '../pods/removals.ts';
import { containerHash } from '../pods/runtime-config/container-config.ts';
import { parseResolvConf } from '../pods/runtime-config/dns.ts';
import type { RuntimeKind, RuntimeSet } from '../pods/runtimes.ts';
import { type Turns, turns } from '../pods/turns.ts';
import type { ProbeManager } from '../probes/manager.ts';
import type { CgroupManager } from '../resources/cgroups.ts';
import type { ResourceContext } from '../resources/container.ts';
import { qosClass } from '../resources/qos.ts';
import type { RuntimeHealth } from '../runtime-health.ts';
import type { ObjectReader } from '../sources/source.ts';
import type { VolumeManager } from '../volumes/manager.ts';

export interface WorkerParts {
  runtimes: RuntimeSet;
  /** That the pod's runtimeClassName stands for. */
  handlerOf(pod: Pod): string;
  health: RuntimeHealth;
  node: NodeMonitor;
  hostIps(): string[];
  cluster: Cluster | undefined;
  /** Config maps and secrets that pods use. */
  objects: ObjectReader;
  paths: Paths;
  cgroups: CgroupManager;
  resources: ResourceContext;
  volumes: VolumeManager;
  probes: ProbeManager;
  events: EventLog;
  metrics: Metrics;
  ownerLabels: Readonly<Record<string, string>>;
  /** What a worker has read of its pod. */
  onRead(runtime: Runtime, actual: ActualPod): void;
  log: Logger;
}

export function workerDeps(config: AgentConfig, o: WorkerParts): AgentOptions['workerDeps'] {
  const { runtimes, health, node, hostIps, objects, paths, volumes, probes, events, metrics, ownerLabels } =
    o;
  const cluster = o.cluster === undefined ? {} : { cluster: o.cluster };
  const images = createImageManager({
    log: o.log,
    events,
    metrics,
    credentials: createCredentialSource({
      objects,
      configPaths: dockerConfigPaths(config.rootDir, { HOME: homedir(), ...process.env }),
      providers: config.imageCredentialProviders.map((provider) =>
        createCredentialProvider(provider, Date.now, o.log),
      ),
    }),
    serializeImagePulls: config.maxParallelImagePulls === 1,
    maxParallelImagePulls: config.maxParallelImagePulls,
    registryPullQps: config.registryPullQps,
    registryBurst: config.registryBurst,
    backoff: defaultImageBackoff,
    now: Date.now,
  });
  const containers = {
    paths,
    volumes,
    objects,
    ...cluster,
    node: () => ({ nodeName: config.nodeName, hostIps: hostIps(), allocatable: node.allocatable() }),
    clusterDomain: config.clusterDomain,
    hasRosBridge: config.ros.transport !== 'off',
    seccompRoot: join(config.rootDir, 'seccomp'),
    seccompDefault: config.seccompDefault,
  };
  // Read for every sandbox: a robot that changes its network changes its name servers.
  const dns = () => ({
    host: parseResolvConf(hostResolvConf(config.resolvConf)),
    clusterDns: config.clusterDns,
    clusterDomain: config.clusterDomain,
  });
  const readerOf = (uid: string): Pick<ActualReader, 'read'> => {
    const actual = new ActualReader(uid, ownerLabels);
    return {
      async read(runtime, signal) {
        const read = await actual.read(runtime, signal);
        o.onRead(runtime, read);
        return read;
      },
    };
  };
  const backoff = { initialMs: config.crashLoopInitialMs, maxMs: config.maxContainerRestartPeriodMs };
  const removals = new Removals(() => performance.now());
  const turnsOf: Readonly<Record<RuntimeKind, Turns>> = { process: turns(), cri: turns() };
  const { cgroups, resources } = o;

  return (pod, recorded) => {
    const { runtime, kind, handler } = runtimes.forHandler(o.handlerOf(pod), recorded);
    return {
      kind,
      runtime,
      reader: readerOf(podUid(pod)),
      removals,
      turns: turnsOf[kind],
      metrics,
      probes,
      pulledMs: (uid) => images.pulledMs(uid),
      qosClass,
      hostIps,
      containerHash,
      resyncMs: config.syncFrequencyMs,
      backoff,
      effects: podEffects({
        runtime,
        turns: turnsOf[kind],
        handler: () => health.handler(runtime, handler),
        paths,
        cgroups,
        volumes,
        images,
        probes,
        events,
        metrics,
        ownerLabels,
        log: o.log,
        resources,
        dns,
        containers,
      }),
    };
  };
}

/** A machine without the file has no name servers to give. */
function hostResolvConf(path: string): string {
  return path !== '' && existsSync(path) ? readFileSync(path, 'utf8') : '';
}
