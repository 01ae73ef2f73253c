/** The composition root: the only place that knows every implementation. Configuration in, a running agent out. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, realpath, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BridgeAgent } from '../ros/agent-port.ts';
import type { Bridge } from '../ros/bridge.ts';
import { type BridgeProber, rosProber } from '../ros/probes/prober.ts';
import { TransportError } from '../ros/transport.ts';
import type { ImageService, Runtime } from '../runtime/runtime.ts';
import { Agent, loadPodRecords } from './agent.ts';
import type { Pod } from './api/core.gen.ts';
import { openObjectStore } from './apiserver/object-store.ts';
import { bridgeAgent } from './bridge-agent.ts';
import { CliError } from './cli/errors.ts';
import { cliMain } from './cli/index.ts';
import type { RosAccess } from './cli/ros.ts';
import type { Cluster } from './cluster/index.ts';
import type { AgentConfig, RosConfig } from './config/agent-config.ts';
import { runHelp } from './config/help.ts';
import { loadConfig } from './config/load.ts';
import { ConfigError } from './config/problems.ts';
import { createEventLog } from './events/recorder.ts';
import type { EventRecorder } from './events.ts';
import { runHousekeeping } from './housekeeping.ts';
import { createCredentialSource, dockerConfigPaths } from './images/credentials.ts';
import { createImageCollector, type ImageCollector } from './images/gc.ts';
import { createImageManager, defaultImageBackoff } from './images/manager.ts';
import { instrumentedRuntime } from './instrumented-runtime.ts';
import { createLogger, type Logger } from './log.ts';
import { machineAddresses } from './node/addresses.ts';
import { runEviction } from './node/eviction-manager.ts';
import { Interruptions } from './node/interruptions.ts';
import { hasDedicatedImageFs, observeMachine } from './node/machine-stats.ts';
import { createNodeMonitor } from './node/node.ts';
import { agentPaths, type Paths } from './paths.ts';
import { podUsages } from './pod-usage.ts';
import { ActualReader } from './pods/actual-reader.ts';
import { containerHash } from './pods/container-config.ts';
import { parseResolvConf } from './pods/dns.ts';
import { PodEffects } from './pods/effects.ts';
import { hostProcessRuntimeClass, podName, podNamespace, podReference, podUid } from './pods/identity.ts';
import { type RotatableLog, runLogRotation } from './pods/log-rotation.ts';
import { uses } from './pods/references.ts';
import { RuntimeWatch } from './pods/runtime-watch.ts';
import { RuntimeSet } from './pods/runtimes.ts';
import { Transitions } from './pods/transitions.ts';
import type { PodWorker } from './pods/worker.ts';
import { createProbeManager } from './probes/manager.ts';
import { createCgroupManager } from './resources/cgroups.ts';
import { detectResourceContext } from './resources/context.ts';
import { qosClass } from './resources/qos.ts';
import { runtimeHealth } from './runtime-health.ts';
import type { KubeletApi } from './server/kubelet-routes.ts';
import { createMetrics, type Metrics } from './server/metrics.ts';
import { type RunningServer, startServer } from './server/server.ts';
import { ListenError } from './server/socket.ts';
import { diskUsageReader } from './server/stats/disk-usage.ts';
import { DesiredState } from './sources/desired.ts';
import { manifestSource, type RefusedManifest } from './sources/manifests.ts';
import { isClusterPod, isStaticPod, manifestFileAnnotation, type SourceSnapshot } from './sources/source.ts';
import { acquireLock, LockError } from './store/lock.ts';
import { openStore } from './store/store.ts';
import { systemdNotifier } from './systemd.ts';
import { kubernetesVersion, version } from './version.ts';
import { agentView } from './view.ts';
import { volumeManager } from './volumes/manager.ts';

const relistMs = 5000;
/** Without a listing for that long what is shown of a runtime's pods may not be so any more. */
const staleAfterMs = 30_000;
const housekeepingMs = 5000;
const runtimeCheckMs = 10_000;
const runtimeAnswerMs = 10_000;
/** What a start waits for the runtimes; the answers of slower ones are taken when they come. */
const firstRuntimeAnswerMs = 1000;
const evictionMs = 10_000;
/** A listing of a runtime that does not answer ends by its own time limit, and another is begun. */
const stuckAfterMs = 180_000;
const imageGcMs = 300_000;
const diskUsageMaxAgeMs = 60_000;
const certificateReloadMs = 60_000;

/** Returns the exit code. */
async function run(argv: string[], signal: AbortSignal): Promise<number> {
  process.title = 'roslet';
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(runHelp());
    return 0;
  }
  const ending = new AbortController();
  try {
    const { config, warnings, configz } = await loadConfig(argv);
    const logLines = new Set<(json: string) => void>();
    const log = createLogger(config.log, (json) => {
      for (const listener of logLines) listener(json);
    });
    for (const warning of warnings) log.warn(warning);
    await mkdir(config.rootDir, { recursive: true, mode: 0o755 });
    // Others than root have no business among pods' volumes and logs; the socket beside them is theirs to use.
    for (const dir of ['pods', 'log', 'process', 'store']) {
      await mkdir(join(config.rootDir, dir), { recursive: true, mode: 0o700 });
      await chmod(join(config.rootDir, dir), 0o700);
    }
    const lock = await acquireLock(agentPaths(config.rootDir).lockPath);
    try {
      await runAgent(config, configz, { log, logLines }, AbortSignal.any([signal, ending.signal]));
    } finally {
      ending.abort();
      await lock.release();
    }
    return 0;
  } catch (err) {
    if (!(err instanceof ConfigError || err instanceof LockError || err instanceof ListenError)) throw err;
    console.error(`roslet: ${err.message}`);
    return 1;
  }
}

/** Runs until the signal aborts. Pods go on without the agent. */
async function runAgent(
  config: AgentConfig,
  configz: object,
  { log, logLines }: { log: Logger; logLines: Set<(json: string) => void> },
  signal: AbortSignal,
): Promise<void> {
  const { nodeName } = config;
  const now = Date.now;
  const paths = agentPaths(config.rootDir, config.podLogsDir);
  // Asked for every time: a robot may boot before its network does.
  const hostIps = () => (config.nodeIps.length > 0 ? config.nodeIps : machineAddresses());
  const ownerLabels = { 'roslet.dev/agent': await ownerOf(config.rootDir) };

  const store = await openStore(paths.storeDir, log);
  const events = createEventLog({
    // By this name tools look for the events of a node.
    component: config.cluster === undefined ? 'roslet' : 'kubelet',
    nodeName,
    nowMs: now,
    monotonicMs: () => performance.now(),
  });
  const metrics = createMetrics();
  const desired = new DesiredState();
  const records = await loadPodRecords(store);
  const usedCri = records.some(({ value }) => value.runtime === 'cri');
  const runtimes = await openRuntimes(config, usedCri, paths, metrics, log, signal);

  const node = await createNodeMonitor({
    nodeName,
    labels: config.nodeLabels,
    taints: [],
    addresses: () => [
      ...hostIps().map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: nodeName },
    ],
    kubeletPort: config.kubeletServer?.port ?? 0,
    agentVersion: kubernetesVersion,
    rootDir: config.rootDir,
    maxPods: config.maxPods,
    reservations: config.reservations,
    thresholds: config.eviction.thresholds,
    periodMs: config.nodeStatusUpdateFrequencyMs,
    log,
    now,
  });
  const health = runtimeHealth({
    runtimes: runtimes.all(),
    periodMs: runtimeCheckMs,
    timeoutMs: runtimeAnswerMs,
    log,
    onProblem: (runtime, message) => node.setProblem(`runtime ${runtime.name}`, message),
    onChange: () => {
      node.setRuntimes({
        version: health.version(runtimes.default),
        handlers: health.handlers().map(({ name, ...features }) => ({ name, features })),
      });
      agent.nodeChanged();
    },
  });

  const cluster =
    config.cluster === undefined
      ? undefined
      : await (await import('./cluster/index.ts')).joinCluster(
          {
            config: config.cluster,
            nodeName,
            nodeIps: config.nodeIps,
            certDir: config.certDir,
            agentVersion: kubernetesVersion,
            statusUpdateMs: config.nodeStatusUpdateFrequencyMs,
            store,
            desired,
            local: node,
            events,
            runtimes: runtimes.all(),
            now,
            log,
          },
          signal,
        );
  const podObjects = cluster?.objects ?? desired;

  const resources = await detectResourceContext({
    cpuCfsQuota: config.cpuCfsQuota,
    cpuCfsQuotaPeriodUs: config.cpuCfsQuotaPeriodUs,
    singleProcessOomKill: false,
  });
  const cgroups = await createCgroupManager({
    cgroupRoot: config.cgroupRoot,
    cgroupsPerQos: config.cgroupsPerQos,
    podPidsLimit: config.podPidsLimit ?? -1,
    context: resources,
    log,
  });
  await cgroups.ensureNode(config.enforceNodeAllocatable.includes('pods') ? node.unreserved() : undefined);

  const volumes = volumeManager({
    podsDir: paths.podsDir,
    objects: podObjects,
    ...(cluster === undefined ? {} : { cluster }),
    allocatable: node.allocatable,
  });
  const images = createImageManager({
    log,
    events,
    credentials: createCredentialSource({
      objects: podObjects,
      configPaths: dockerConfigPaths(config.rootDir, { HOME: homedir(), ...process.env }),
    }),
    serializeImagePulls: config.maxParallelImagePulls === 1,
    maxParallelImagePulls: config.maxParallelImagePulls,
    registryPullQps: config.registryPullQps,
    registryBurst: config.registryBurst,
    backoff: defaultImageBackoff,
    now,
  });
  const interruptions = new Interruptions();
  const prober = rosProber(
    config.ros.transport === 'off' ? 'the ROS 2 bridge is off' : 'the ROS 2 bridge is not up',
  );
  using probes = createProbeManager({
    log,
    events,
    ros: prober,
    interruptions,
    onResult: (uid) => agent.worker(uid)?.wake(false),
  });

  // Read for every sandbox: a robot that changes its network changes its name servers.
  const dns = () => ({
    host: parseResolvConf(hostResolvConf(config.resolvConf)),
    clusterDns: config.clusterDns,
    clusterDomain: config.clusterDomain,
  });
  // Asked for when all of it is there.
  const rosAgent = (): BridgeAgent =>
    bridgeAgent({
      agent,
      view,
      objects,
      events,
      transitions,
      cgroups,
      probes: () => probes.summaries(),
      node: node.node,
      onNodeChange: node.onChange,
      nodeName,
      version,
      isClusterNode: cluster !== undefined,
      isStale: (name) => {
        const { lastRelistMs = 0 } = watches[runtimes.all().findIndex((each) => each.name === name)] ?? {};
        return lastRelistMs > 0 && now() - lastRelistMs > staleAfterMs;
      },
      configuration: configz,
      onLogLine: (listener) => {
        logLines.add(listener);
        return () => logLines.delete(listener);
      },
      signal,
    });
  const bridge = await rosBridge(config.ros, { agent: rosAgent, prober, events, nodeName, log });
  const reader = new ActualReader(ownerLabels);
  let refused: RefusedManifest[] = [];
  let manifestsRead = config.staticPodPath === undefined;
  const agent = new Agent({
    store,
    events,
    log,
    now,
    qosClass,
    workerDeps: (pod, recorded) => {
      const { runtime, kind, handler } = runtimes.forPod(pod, recorded);
      return {
        kind,
        runtime,
        reader,
        metrics,
        probes,
        qosClass,
        hostIps,
        containerHash,
        resyncMs: config.syncFrequencyMs,
        backoff: { initialMs: config.crashLoopInitialMs, maxMs: config.maxContainerRestartPeriodMs },
        effects: new PodEffects({
          runtime,
          handler: () => health.handler(runtime, handler),
          paths,
          cgroups,
          volumes,
          images,
          probes,
          events,
          metrics,
          ownerLabels,
          resources,
          dns,
          containers: {
            paths,
            volumes,
            objects: podObjects,
            ...(cluster === undefined ? {} : { cluster }),
            node: () => ({ nodeName, hostIps: hostIps(), allocatable: node.allocatable() }),
            clusterDomain: config.clusterDomain,
            seccompRoot: join(config.rootDir, 'seccomp'),
            seccompDefault: config.seccompDefault,
          },
        }),
      };
    },
    admissionContext: () => ({
      name: nodeName,
      labels: (cluster?.node() ?? node.node()).metadata?.labels ?? {},
      taints: cluster?.node()?.spec?.taints ?? [],
      allocatable: node.allocatable(),
      runtimeClasses: [hostProcessRuntimeClass, ...health.handlers().map((h) => h.name)],
      allowedUnsafeSysctls: config.allowedUnsafeSysctls,
      pressures: node.pressures(),
      shuttingDown: false,
      hasRosBridge: config.ros.transport !== 'off',
    }),
    isSourceRead: (pod) =>
      isStaticPod(pod) ? manifestsRead : !isClusterPod(pod) || cluster === undefined || cluster.isRead(),
    canJudge: (pod) =>
      (health.isKnown() || isRuntimeKnown(pod)) &&
      (!isClusterPod(pod) || cluster === undefined || cluster.node() !== undefined),
    finalize: async (uid) => {
      cluster?.finalize(uid);
      await objects.finalizeDeletion(uid);
    },
    nodeName,
    ros: {
      has: (kind, name) => bridge?.has(kind, name) ?? 'it is not known: the ROS 2 bridge is off',
      onChange: (listener) => bridge?.onGraphChange(listener) ?? (() => undefined),
    },
  });
  const transitions = new Transitions({
    lifecycle: (uid) => agent.worker(uid)?.lifecycle,
    setGoal: (uid, goal) => agent.setLifecycleGoal(uid, goal),
    shutDown: async (pod) => {
      const [namespace, name, uid] = [podNamespace(pod), podName(pod), podUid(pod)];
      // Nobody but a person can take a manifest away: its pod ends, and stays desired.
      if (isStaticPod(pod)) agent.finalizePod(uid);
      else if (isClusterPod(pod)) await cluster?.deletePod(pod, signal);
      else await objects.delete('pods', namespace, name, { preconditions: { uid } });
    },
    onPodChange: (listener) => agent.onPodChange(listener),
  });

  const manifestFile = (uid: string) =>
    agent.worker(uid)?.pod.metadata?.annotations?.[manifestFileAnnotation];
  const objects = await openObjectStore({
    store,
    nodeName,
    ...(cluster === undefined ? {} : { clusterServer: cluster.client.server }),
    manifestFile,
    log,
  });
  const watches = runtimes.all().map(
    (runtime) =>
      new RuntimeWatch({
        runtime,
        ownerLabels,
        metrics,
        relistMs,
        log,
        onPodChange: (uid) => agent.worker(uid)?.wake(),
        onHealth: (error) => {
          if (error !== undefined)
            node.setProblem(`runtime ${runtime.name}`, `container runtime is down: ${error.message}`);
        },
      }),
  );

  // What ran before is taken up before anything new is desired.
  await Promise.race([health.check(signal), delay(firstRuntimeAnswerMs)]);
  await agent.start(signal);

  const reconcile = () => {
    agent.reconcile(desired.pods());
  };
  desired.onPodsChange(reconcile);
  podObjects.onObjectChange((ref) => {
    for (const worker of agent.workers()) if (uses(worker.pod, ref)) worker.retry();
  });
  desired.set('api', objects.snapshot());
  objects.onChange(() => desired.set('api', objects.snapshot()));
  node.onChange(() => agent.nodeChanged());
  cluster?.onNodeChange(() => agent.nodeChanged());
  reconcile();

  const isSettled = () =>
    manifestsRead && (cluster?.isRead() ?? true) && watches.every((w) => w.lastRelistMs > 0);
  const isAlive = () => watches.every((w) => performance.now() - w.lastAttemptMs < stuckAfterMs);
  const view = agentView({
    agent,
    nodeName,
    runtimes: runtimes.all(),
    ownerLabels,
    cgroups,
    volumes,
    events,
    node: node.node,
    onNodeChange: node.onChange,
    refusedManifests: () =>
      refused.map(({ file, line, path, message }) => ({ file, line, field: path, message })),
    manifestFile,
    configz: () => configz,
    probes: () => probes.summaries(),
    transitions,
    rosNode: (uid) => bridge?.nodeName(uid),
    health: () => [
      { name: 'ping' },
      {
        name: 'syncloop',
        ...(isAlive() ? {} : { error: 'no listing of the runtimes was begun for a while' }),
      },
    ],
  });
  const api = { agent: view, metrics, rootDir: config.rootDir, streamIdleMs: config.streamIdleMs, log };
  const server = await startServer(
    {
      ...api,
      objects,
      socketPath: paths.socketPath,
      socketGroup: config.socketGroup,
      healthz: { address: config.healthzBindAddress, port: config.healthzPort },
    },
    signal,
  );
  const kubeletServer = await openKubeletServer(config, api, cluster, signal);
  using systemd = systemdNotifier({ env: process.env, log, healthy: isAlive });

  const disk = diskUsageReader(now, diskUsageMaxAgeMs);
  const imageCollectors = runtimes
    .all()
    .flatMap((runtime) =>
      runtime.images === null ? [] : [imageCollector(config, runtime, runtime.images, events, log)],
    );
  const loops: Promise<void>[] = [
    ...imageCollectors.map((collector) => collector.run(signal)),
    runEviction(
      {
        thresholds: config.eviction.thresholds,
        transitionPeriodMs: config.eviction.pressureTransitionPeriodMs,
        maxPodGracePeriodSeconds: config.eviction.maxPodGracePeriodSeconds,
        periodMs: evictionMs,
        observe: async (abort) => {
          const dirs = await imageDirs(runtimes, abort);
          return {
            observations: await observeMachine(config.rootDir, dirs),
            dedicatedImageFs: await hasDedicatedImageFs(config.rootDir, dirs),
          };
        },
        pods: (abort, matters) => podUsages({ agent, cgroups, volumes, disk, log }, abort, matters),
        reclaim: async (abort) => {
          for (const collector of imageCollectors) await collector.removeUnused(abort);
        },
        evict: async ({ pod, message, gracePeriodSeconds }) => {
          events.event(podReference(pod), 'Warning', 'Evicted', message);
          const verdict = { phase: 'Failed' as const, reason: 'Evicted', message };
          await agent.evict(podUid(pod), verdict, gracePeriodSeconds, signal);
        },
        onPressures: node.setPressures,
        log,
      },
      signal,
    ),
    ...(cluster === undefined ? [] : [cluster.run(agent)]),
    ...(bridge === undefined ? [] : [bridge.run(signal)]),
    ...watches.map((watch) => watch.run(signal)),
    health.run(signal),
    node.run(signal),
    runHousekeeping(
      {
        paths,
        cgroups,
        volumes,
        periodMs: housekeepingMs,
        log,
        // Only when everything desired and everything there is known is it known what nobody answers for.
        onRound: () => {
          interruptions.observe();
          probes.review();
          if (isSettled()) agent.claimOrphans(watches.flatMap((w) => [...w.seen()]));
        },
        isSettled,
        // What a runtime still holds is taken down by a worker first, with its grace.
        isOwned: (uid) => agent.owns(uid) || watches.some((w) => w.holds(uid)),
        pods: () => [...agent.workers()].filter((w) => !w.record.ended).map((w) => w.pod),
      },
      signal,
    ),
    runLogRotation(
      {
        maxSizeBytes: config.containerLogMaxSizeBytes,
        maxFiles: config.containerLogMaxFiles,
        periodMs: config.containerLogMonitorIntervalMs,
        logs: async () => [...agent.workers()].flatMap(runningLogs),
        now,
        log,
      },
      signal,
    ),
  ];
  if (config.staticPodPath !== undefined) {
    const sink = {
      set: (source: 'file', snapshot: SourceSnapshot) => {
        manifestsRead = true;
        desired.set(source, snapshot);
        reconcile();
      },
      refused: (items: RefusedManifest[]) => {
        refused = items;
      },
    };
    const { staticPodPath: dir, fileCheckFrequencyMs: recheckMs } = config;
    loops.push(manifestSource({ dir, nodeName, recheckMs, log, events, store }).run(sink, signal));
  }
  await systemd.ready();
  log.info(
    { nodeName, rootDir: config.rootDir, runtimes: runtimes.all().map((r) => r.name) },
    'roslet is up',
  );

  await Promise.all(loops);
  await systemd.stopping();
  await server.close();
  await kubeletServer?.close();
  await agent.flush();
  log.info('roslet ends; pods go on');
}

/** Undefined, and nothing is loaded, where the bridge is off. */
async function rosBridge(
  config: RosConfig,
  o: { agent(): BridgeAgent; prober: BridgeProber; events: EventRecorder; nodeName: string; log: Logger },
): Promise<Bridge | undefined> {
  if (config.transport === 'off') return undefined;
  const { createBridge } = await import('../ros/bridge.ts');
  const { cycloneTransport } = await import('../ros/cyclone/index.ts');
  const { discoveryFromEnvironment } = await import('../ros/discovery.ts');
  const { watchOn } = await import('../ros/probes/kinds.ts');
  const { log } = o;
  const { domainId, discoveryRange, staticPeers } = config;
  const addonPath = program('roslet-dds.node');
  return createBridge({
    agent: o.agent,
    robotName: config.robotName,
    diagnosticsPeriodMs: config.diagnosticsPeriodMs,
    openTransport: () => {
      const discovery = {
        ...discoveryFromEnvironment(
          domainId === undefined ? process.env : { ...process.env, ROS_DOMAIN_ID: `${domainId}` },
        ),
        ...(discoveryRange === undefined ? {} : { range: discoveryRange }),
        ...(staticPeers === undefined ? {} : { staticPeers }),
      };
      return cycloneTransport({ addonPath, discovery, log });
    },
    onTransport: (transport, node) => o.prober.attach(watchOn({ transport, node, log })),
    onProblem: (message) => {
      const about = { kind: 'Node' as const, namespace: '', name: o.nodeName, uid: o.nodeName };
      o.events.event(about, 'Warning', 'RosBridgeUnavailable', message);
      o.prober.detach(message);
    },
    log,
  });
}

async function openRuntimes(
  config: AgentConfig,
  usedCri: boolean,
  paths: Paths,
  metrics: Metrics,
  log: Logger,
  signal: AbortSignal,
): Promise<RuntimeSet> {
  const endpoint = config.containerRuntimeEndpoint;
  const socket = endpoint.replace(/^unix:\/\//, '');
  const useCri = config.runtime === 'cri' || (config.runtime === 'auto' && (usedCri || existsSync(socket)));
  let cri: Runtime | undefined;
  if (useCri) {
    const { criRuntime } = await import('../runtime/cri/index.ts');
    cri = await criRuntime({
      endpoint,
      log,
      relayPath: program('roslet-cri-relay'),
      requestTimeoutMs: config.runtimeRequestTimeoutMs,
      signal,
    });
  }
  const { processRuntime } = await import('../runtime/process/index.ts');
  const process = processRuntime({
    stateDir: paths.processDir,
    ociPath: program('roslet-oci'),
    log,
    hiddenPaths: [config.rootDir],
  });
  return new RuntimeSet({
    process: instrumentedRuntime(process, metrics),
    ...(cri === undefined ? {} : { cri: instrumentedRuntime(cri, metrics) }),
    default: useCri ? 'cri' : 'process',
  });
}

async function openKubeletServer(
  { kubeletServer: server, certDir, nodeName }: AgentConfig,
  api: KubeletApi,
  cluster: Cluster | undefined,
  signal: AbortSignal,
): Promise<RunningServer | undefined> {
  if (server === undefined) return undefined;
  const { startKubeletServer } = await import('./server/kubelet-server.ts');
  const options = { config: server, api, certDir, hostName: nodeName, reloadMs: certificateReloadMs };
  return startKubeletServer({ ...options, ...cluster?.forServer(server, signal) }, signal);
}

function imageCollector(
  config: AgentConfig,
  runtime: Runtime,
  images: ImageService,
  events: EventRecorder,
  log: Logger,
): ImageCollector {
  return createImageCollector({
    policy: {
      highThresholdPercent: config.imageGcHighThresholdPercent,
      lowThresholdPercent: config.imageGcLowThresholdPercent,
      minAgeMs: config.imageMinimumGcAgeMs,
      maxAgeMs: config.imageMaximumGcAgeMs,
      offlineProtection: config.keepAllImages,
    },
    periodMs: imageGcMs,
    images,
    disk: async (signal) => {
      const [filesystem] = await images.imageFsInfo(signal);
      const { blocks, bavail, bsize } = await statfs(filesystem?.mountpoint ?? config.rootDir);
      return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
    },
    // Also of containers that are not ours: an image that another agent's pod needs is in use.
    imagesInUse: async (signal) => (await runtime.listContainers(undefined, signal)).map((c) => c.imageRef),
    node: { kind: 'Node', namespace: '', name: config.nodeName, uid: config.nodeName },
    events,
    log,
    now: Date.now,
  });
}

/** Where the runtimes keep images; one that does not answer is left out, its own condition tells. */
async function imageDirs(runtimes: RuntimeSet, signal: AbortSignal): Promise<string[]> {
  const infos = await Promise.allSettled(runtimes.all().map((r) => r.images?.imageFsInfo(signal) ?? []));
  return infos.flatMap((i) => (i.status === 'fulfilled' ? i.value.map((fs) => fs.mountpoint) : []));
}

/** Beside the bundle; in a checkout that runs from source, where the build puts it. */
function program(name: string): string {
  const candidates = [`./${name}`, `../dist/${name}`].map((p) => fileURLToPath(new URL(p, import.meta.url)));
  return candidates.find((p) => existsSync(p)) ?? candidates[0]!;
}

/** Whether the pod's class needs no answer of a container runtime. */
const isRuntimeKnown = (pod: Pod): boolean =>
  ['', hostProcessRuntimeClass].includes(pod.spec?.runtimeClassName ?? '');

/** A machine without the file has no name servers to give. */
function hostResolvConf(path: string): string {
  return path !== '' && existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** The same for every life of an agent of this root directory, also when its store was lost. */
async function ownerOf(rootDir: string): Promise<string> {
  return createHash('sha256')
    .update(await realpath(rootDir))
    .digest('hex')
    .slice(0, 16);
}

function runningLogs(worker: PodWorker): RotatableLog[] {
  return worker.actual.containers
    .filter((c) => c.state === 'CONTAINER_RUNNING' && c.logPath !== '')
    .map((c) => ({
      containerId: c.id,
      path: c.logPath,
      reopen: (signal) => worker.runtime.reopenContainerLog(c.id, signal),
    }));
}

/** For the command line, which takes part in the ROS graph as a process of its own. */
const ros: RosAccess = {
  async open() {
    const { cycloneTransport } = await import('../ros/cyclone/index.ts');
    const { discoveryFromEnvironment } = await import('../ros/discovery.ts');
    const log = createLogger({ format: 'auto', level: 'info' });
    try {
      const discovery = discoveryFromEnvironment(process.env);
      return cycloneTransport({ addonPath: program('roslet-dds.node'), discovery, log });
    } catch (err) {
      throw err instanceof TransportError ? new CliError(err.message) : err;
    }
  },
  async messageType(name) {
    const { findMessageType, UnknownTypeError } = await import('../ros/messages/installed.ts');
    try {
      return await findMessageType(name, (process.env.AMENT_PREFIX_PATH ?? '').split(':').filter(Boolean));
    } catch (err) {
      throw err instanceof UnknownTypeError ? new CliError(err.message) : err;
    }
  },
};

// Last, when all of the above is there.
process.exitCode = await cliMain(process.argv.slice(2), { run, ros });
