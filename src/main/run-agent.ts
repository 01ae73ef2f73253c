/** One life of the agent: its parts put together in the order in which they need each other, and run. */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { BridgeAgent } from '../../ros/agent-port.ts';
import { rosProber } from '../../ros/probes/prober.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { Agent } from '../agent.ts';
import { agentView } from '../agent-view.ts';
import type { Pod } from '../api/core.gen.ts';
import { openObjectStore } from '../apiserver/object-store.ts';
import { bridgeAgent } from '../bridge-agent.ts';
import type { Cluster, ClusterOptions } from '../cluster/index.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { instrumentedCgroups } from '../instrumented-cgroups.ts';
import type { Logger } from '../log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { machineAddresses, outwardInterfaces } from '../node/addresses.ts';
import { Interruptions } from '../node/interruptions.ts';
import { agentPaths } from '../paths.ts';
import { podName, podNamespace, podUid } from '../pods/identity.ts';
import { PodRecords } from '../pods/pod-records.ts';
import { uses } from '../pods/references.ts';
import { RuntimeWatch } from '../pods/runtime-watch.ts';
import { Transitions } from '../pods/transitions.ts';
import { createProbeManager } from '../probes/manager.ts';
import { createCgroupManager } from '../resources/cgroups.ts';
import { detectResourceContext } from '../resources/context.ts';
import { qosClass } from '../resources/qos.ts';
import { healthLog } from '../server/health-log.ts';
import { DesiredState } from '../sources/desired.ts';
import { manifestSource, type RefusedManifest } from '../sources/manifests.ts';
import { isClusterPod, isStaticPod, manifestFileAnnotation, type SourceSnapshot } from '../sources/source.ts';
import { openStore } from '../store/store.ts';
import { systemdNotifier } from '../systemd.ts';
import { kubernetesVersion, version } from '../version.ts';
import { volumeManager } from '../volumes/manager.ts';
import { admissionContext } from './admission-context.ts';
import { afterStart } from './after-start.ts';
import { canJudge } from './can-judge.ts';
import { openEvents } from './events.ts';
import { healthOf, nodeMonitor, problemOf } from './node.ts';
import { rosBridge, rosDomain } from './ros.ts';
import { openRuntimes } from './runtimes.ts';
import { startServers } from './servers.ts';
import { runUpkeep } from './upkeep.ts';
import { workerDeps } from './workers.ts';

const relistMs = 5000;
/** Without a listing for that long what is shown of a runtime's pods may not be so any more. */
const staleAfterMs = 30_000;
/** What a start waits for the runtimes; the answers of slower ones are taken when they come. */
const firstRuntimeAnswerMs = 1000;
/** What a cluster was told of the node before holds for as long after a start, unless the runtimes have answered. */
const lastToldHoldsMs = 10_000;
/** What pods that ran before wait for an API server which has yet to hear that the node is there. */
const nodeToldMs = 500;
/** A listing of a runtime that does not answer ends by its own time limit, and another is begun. */
const stuckAfterMs = 180_000;

export interface RunOptions {
  /** As `/configz` shows it. */
  configz: object;
  log: Logger;
  /** Every line of the log, as JSON. Returns the function that ends the subscription. */
  onLogLine(listener: (json: string) => void): () => void;
}

/**
 * Runs until the signal aborts. Pods go on without the agent.
 * @throws ConfigError, ListenError
 */
export async function runAgent(
  config: AgentConfig,
  { configz, log, onLogLine }: RunOptions,
  signal: AbortSignal,
): Promise<void> {
  const { nodeName } = config;
  const now = Date.now;
  const startedAtMs = now();
  const paths = agentPaths(config.rootDir, config.podLogsDir);
  // Asked for every time: a robot may boot before its network does.
  const hostIps = () => (config.nodeIps.length > 0 ? config.nodeIps : machineAddresses());
  const ownerLabels = { 'roslet.dev/agent': await ownerOf(config.rootDir) };

  const store = await openStore(paths.storeDir, log);
  const { events, flush: flushEvents } = await openEvents(config, store, log);
  const metrics = createMetrics();
  const desired = new DesiredState();
  const records = new PodRecords(store, log);
  const recorded = await records.load();
  const usedCri = recorded.some(({ runtime }) => runtime === 'cri');
  const runtimes = await openRuntimes(config, { usedCri, paths, metrics, log }, signal);

  const node = await nodeMonitor(config, { hostIps, log });
  const health = healthOf(runtimes, { node, cgroupDriver: config.cgroupDriver, log });
  const answers = health.check(signal);
  const runtimesAnswered = Promise.race([answers, delay(firstRuntimeAnswerMs)]);
  const cluster = await joinCluster(
    config,
    { store, desired, local: node, events, runtimes: runtimes.all(), metrics, log },
    signal,
  );
  const ableToRun = Promise.withResolvers<void>();
  const nodeTold = cluster?.announce(ableToRun.promise);
  const podObjects = cluster?.objects ?? desired;
  const handlerOf = (pod: Pod) => cluster?.handlerOf(pod) ?? pod.spec?.runtimeClassName ?? '';

  const resources = await detectResourceContext({
    cpuCfsQuota: config.cpuCfsQuota,
    cpuCfsQuotaPeriodUs: config.cpuCfsQuotaPeriodUs,
    singleProcessOomKill: false,
  });
  const unmeasured = await createCgroupManager({
    driver: config.cgroupDriver,
    cgroupRoot: config.cgroupRoot,
    cgroupsPerQos: config.cgroupsPerQos,
    podPidsLimit: config.podPidsLimit ?? -1,
    context: resources,
    log,
    signal,
  });
  const cgroups = instrumentedCgroups(unmeasured, metrics);
  await cgroups.ensureNode(config.enforceNodeAllocatable.includes('pods') ? node.unreserved() : undefined);
  for (const reserved of config.reservedCgroups) await cgroups.limitReserved(reserved);

  const volumes = volumeManager({
    metrics,
    podsDir: paths.podsDir,
    objects: podObjects,
    ...(cluster === undefined ? {} : { cluster }),
    allocatable: node.allocatable,
  });
  const interruptions = new Interruptions();
  const prober = rosProber(
    config.ros.transport === 'off' ? 'the ROS 2 bridge is off (ros.transport)' : 'the ROS 2 bridge is not up',
  );
  using probes = createProbeManager({
    log,
    events,
    ros: prober,
    interruptions,
    onResult: (uid) => agent.worker(uid)?.wake(false),
  });

  // Asked for when all of it is there; the same one by each session of the bridge, as it knows what was told.
  let knownToRos: BridgeAgent | undefined;
  const rosAgent = (): BridgeAgent => {
    knownToRos ??= bridgeAgent({
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
      startedAtMs,
      onLogLine,
      log,
      signal,
    });
    return knownToRos;
  };
  const address = () => machineAddresses(outwardInterfaces()).find((each) => each !== '127.0.0.1');
  const bridge = await rosBridge(config.ros, { agent: rosAgent, prober, events, nodeName, address, log });
  let refused: RefusedManifest[] = [];
  let manifestsRead = config.staticPodPath === undefined;
  const agent = new Agent({
    records,
    events,
    metrics,
    log,
    now,
    qosClass,
    workerDeps: workerDeps(config, {
      runtimes,
      handlerOf,
      health,
      node,
      hostIps,
      cluster,
      objects: podObjects,
      paths,
      cgroups,
      resources,
      volumes,
      probes,
      events,
      metrics,
      ownerLabels,
      onRead: (runtime, actual) => watchOf(runtime)?.noteRead(actual),
      log,
    }),
    admissionContext: admissionContext(config, {
      cluster,
      node,
      runtimes,
      health,
      handlerOf,
      rosDomainId: rosDomain(config.ros),
      log,
    }),
    isSourceRead: (pod) =>
      isStaticPod(pod) ? manifestsRead : !isClusterPod(pod) || cluster === undefined || cluster.isRead(),
    canJudge: (pod, isFinal) => canJudge(pod, isFinal, { cluster, handlerOf, runtimes, health }),
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
    setGoal: (uid, goal) => agent.control.setLifecycleGoal(uid, goal),
    shutDown: async (pod) => {
      const [namespace, name, uid] = [podNamespace(pod), podName(pod), podUid(pod)];
      // Nobody but a person can take a manifest away: its pod ends, and stays desired.
      if (isStaticPod(pod)) agent.control.finalize(uid);
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
            node.setProblem(
              problemOf(runtimes.kindOfRuntime(runtime)),
              `container runtime is down: ${error.message}`,
            );
        },
      }),
  );

  const watchOf = (runtime: Runtime) => watches[runtimes.all().indexOf(runtime)];

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
    lastRelistMs: () => Math.min(...watches.map((watch) => watch.lastRelistMs)),
    configz: () => configz,
    mirrorPods: () => cluster?.mirrorPods() ?? 0,
    probes: () => probes.summaries(),
    transitions,
    rosNode: (uid) => bridge?.nodeName(uid),
    health: () => [
      { name: 'ping' },
      // Lines are written at once: who waits for that does not answer either.
      { name: 'log' },
      {
        name: 'syncloop',
        ...(isAlive() ? {} : { error: 'no listing of the runtimes was begun for a while' }),
      },
    ],
  });
  const { rootDir, streamIdleMs } = config;
  const api = { agent: view, metrics, healthLog: healthLog(), rootDir, streamIdleMs, log };
  const takenUp = Promise.withResolvers<void>();
  const { socketPath } = paths;
  const servers = await startServers(
    config,
    { api, objects, socketPath, cluster, isUp: takenUp.promise },
    signal,
  );

  await runtimesAnswered;
  const tellOfNode = () => {
    if (!signal.aborted) health.noteSilent();
    ableToRun.resolve();
  };
  // A node is not told to be not ready, and ready again a moment later, because its runtime was slow.
  if (cluster === undefined || health.isKnown()) tellOfNode();
  else
    void Promise.race([answers, delay(lastToldHoldsMs, undefined, { signal }).catch(() => undefined)]).then(
      tellOfNode,
    );
  // While many pods are taken up the thread has no time for anything else.
  await Promise.race([nodeTold, delay(nodeToldMs)]);
  // What ran before is taken up before anything new is desired.
  // Emptied, as what becomes of them would be held here for the life of the agent.
  agent.start(recorded.splice(0), signal);

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
  health.onChange(() => agent.nodeChanged());
  cluster?.onNodeChange(() => agent.nodeChanged());
  reconcile();
  takenUp.resolve();

  using systemd = systemdNotifier({ env: process.env, log, healthy: isAlive });

  const upkeep = { agent, node, runtimes, watches, paths, cgroups, volumes, events, metrics, isSettled, log };
  const onRound = () => {
    interruptions.observe();
    probes.review();
  };
  const loops: Promise<void>[] = [
    runUpkeep(config, { ...upkeep, onRound }, signal),
    ...(cluster === undefined ? [] : [cluster.run(agent)]),
    ...(bridge === undefined ? [] : [bridge.run(signal)]),
    ...watches.map((watch) => watch.run(signal)),
    health.run(signal),
    node.run(signal),
    afterStart(signal),
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
  await servers.close();
  await records.flush();
  await flushEvents();
  log.info('roslet ends; pods go on');
}

/** Undefined, and nothing is loaded, without a kubeconfig. */
async function joinCluster(
  { cluster, nodeName, nodeIps, certDir, nodeStatusUpdateFrequencyMs: statusUpdateMs }: AgentConfig,
  parts: Pick<ClusterOptions, 'store' | 'desired' | 'local' | 'events' | 'runtimes' | 'metrics' | 'log'>,
  signal: AbortSignal,
): Promise<Cluster | undefined> {
  if (cluster === undefined) return undefined;
  const { joinCluster: join } = await import('../cluster/index.ts');
  const identity = { nodeName, nodeIps, certDir, agentVersion: kubernetesVersion };
  return join({ config: cluster, ...identity, statusUpdateMs, now: Date.now, ...parts }, signal);
}

/** The same for every life of an agent of this root directory, also when its store was lost. */
async function ownerOf(rootDir: string): Promise<string> {
  return createHash('sha256')
    .update(await realpath(rootDir))
    .digest('hex')
    .slice(0, 16);
}
