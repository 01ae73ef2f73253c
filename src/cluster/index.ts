/**
 * The node of a cluster, put together: what `--kubeconfig` adds to an agent. Loaded only then. The agent runs pods as
 * ever; here is where they come from, who is told of them, and what only a cluster can give them.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import type { Agent } from '../agent.ts';
import type { Node, Pod } from '../api/core.gen.ts';
import type { ClusterConfig, KubeletServerConfig } from '../config/agent-config.ts';
import { ConfigError } from '../config/problems.ts';
import type { EventLog } from '../events/recorder.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { NodeMonitor } from '../node/node.ts';
import { podName, podNamespace, podUid } from '../pods/identity.ts';
import type { Reviews } from '../server/kubelet-server.ts';
import type { CertificateKeeper } from '../server/tls-files.ts';
import type { DesiredState } from '../sources/desired.ts';
import { type ClusterPort, isStaticPod, type ObjectReader } from '../sources/source.ts';
import type { Store } from '../store/store.ts';
import { openAccess } from './access.ts';
import { claimSource } from './claims.ts';
import { apiPath, KubeClient } from './client.ts';
import { apiConnection } from './connection.ts';
import { EventWriter } from './event-writer.ts';
import { ImageList } from './image-list.ts';
import { KubeconfigError } from './kubeconfig.ts';
import { keepLease } from './lease.ts';
import { measuredConnection } from './measured-connection.ts';
import { MirrorPods } from './mirror-pods.ts';
import { nodeEvents } from './node-events.ts';
import { NodeMemory } from './node-memory.ts';
import { NodeReporter } from './node-reporter.ts';
import { isMirror, PodSource } from './pod-source.ts';
import { rateLimit } from './rate-limit.ts';
import { reviews } from './reviews.ts';
import { RuntimeClasses } from './runtime-classes.ts';
import { Services } from './services.ts';
import { servingCertificate } from './serving-certificate.ts';
import { StatusWriter } from './status-writer.ts';
import { ServiceAccountTokens } from './tokens.ts';
import { UsedObjects } from './used-objects.ts';

export interface ClusterOptions {
  config: ClusterConfig;
  nodeName: string;
  nodeIps: readonly string[];
  /** Where issued certificates are kept. */
  certDir: string;
  agentVersion: string;
  statusUpdateMs: number;
  store: Store;
  desired: DesiredState;
  local: NodeMonitor;
  events: EventLog;
  runtimes: readonly Runtime[];
  metrics: Pick<Metrics, 'count' | 'expires' | 'observe' | 'startup'>;
  now: () => number;
  log: Logger;
}

export interface Cluster extends ClusterPort {
  readonly client: KubeClient;
  /** Config maps and secrets, those of manifest files included. */
  readonly objects: ObjectReader;
  /** As the API server has it. */
  node(): Node | undefined;
  /** Its labels and taints as the API server last had them, perhaps in an earlier life of the agent. */
  lastNode(): Node | undefined;
  onNodeChange(listener: () => void): void;
  /** The handler that the pod's class stands for. */
  handlerOf(pod: Pod): string;
  /** Whether that is known. */
  isHandlerKnown(pod: Pod): boolean;
  /** Whether it is known what pods the cluster wants here. */
  isRead(): boolean;
  /** How many there are. */
  mirrorPods(): number;
  /** Nothing of the pod runs on this machine any more: its object may go. */
  finalize(podUid: string): void;
  /** Asks the API server to delete a pod, with its own grace. */
  deletePod(pod: Pod, signal: AbortSignal): Promise<void>;
  /** What the kubelet API has from the API server. */
  forServer(config: KubeletServerConfig, signal: AbortSignal): ServerParts;
  /**
   * Begins to tell of the node, before anything is told of its pods. Resolves when its status was told, or could not be.
   * @param isUp the agent has all that it needs to run pods
   */
  announce(isUp: Promise<void>): Promise<void>;
  /** After `announce`. Runs until the signal given to `joinCluster` aborts. */
  run(agent: Agent): Promise<void>;
}

export interface ServerParts {
  reviews: Reviews;
  /** When it is configured. */
  requestCertificate?: CertificateKeeper;
}

/** @throws ConfigError */
export async function joinCluster(options: ClusterOptions, signal: AbortSignal): Promise<Cluster> {
  const { config, nodeName, desired, store, local, events, metrics, now, log } = options;
  const userAgent = `roslet/${options.agentVersion}`;
  const access = await openAccess({
    config,
    certDir: options.certDir,
    nodeName,
    userAgent,
    onExpiry: (atMs) => metrics.expires('client', atMs),
    onFailure: () => metrics.count('kubelet_certificate_manager_client_expiration_renew_errors', {}),
    nowMs: now,
    log,
    signal,
  }).catch((error: unknown) => {
    if (!(error instanceof KubeconfigError)) throw error;
    throw new ConfigError([{ source: '--kubeconfig', path: '', message: error.message }]);
  });
  const client = new KubeClient(
    access,
    userAgent,
    rateLimit(config.requestsPerSecond, config.requestBurst),
    measuredConnection(apiConnection(access), access.server.host, metrics),
  );
  const urgent = client.urgent();
  let agent: Agent | undefined;
  let telling: Promise<void> | undefined;
  let problem: string | undefined;
  const source = new PodSource({
    client,
    nodeName,
    owns: (uid) => agent?.owns(uid) ?? true,
    onHealth: (error) => {
      if (problem === error?.message) return;
      problem = error?.message;
      if (error === undefined) log.info('the API server tells of the pods of this node');
      else log.warn({ err: error }, 'the API server cannot be asked; the pods of this node go on');
    },
    log,
  });
  const told = nodeEvents(nodeName, events);
  const images = new ImageList(options.runtimes, config.mostImages);
  const reporter = new NodeReporter({
    client: urgent,
    nodeName,
    nodeIps: options.nodeIps,
    config,
    local,
    images: () => images.images,
    statusUpdateMs: options.statusUpdateMs,
    onRebooted: (bootId) => told.rebooted(bootId),
    onStartup: (step) => metrics.startup.reached(step),
    log,
  });
  const objects = new UsedObjects({ client, local: desired, store, log }, signal);
  const onRenewed = (uid: string) => agent?.worker(uid)?.retry();
  const tokens = new ServiceAccountTokens({ client, store, onRenewed, now, log }, signal);
  const services = new Services({ client, store, log });
  const onKnown = () => agent?.nodeChanged();
  const classes = new RuntimeClasses({ client, store, onKnown, log }, signal);
  const statuses = new StatusWriter({ client, source, metrics, log }, signal);
  const eventWriter = new EventWriter(urgent, log);
  const mirrors = new MirrorPods({
    client,
    source,
    node: () => reporter.node,
    staticPods: () => agent?.pods().filter(isStaticPod) ?? [],
    log,
  });
  const memory = new NodeMemory(store, nodeName, log);
  reporter.onChange(() => {
    if (reporter.node !== undefined) memory.note(reporter.node);
  });
  await Promise.all([objects.load(), tokens.load(), services.load(), memory.load(), classes.load()]);

  /** What pods of the cluster need, those of an earlier life of the agent included. */
  const notePods = () => {
    const pods = new Map<string, Pod>();
    for (const worker of agent?.workers() ?? []) {
      if (!worker.record.ended) pods.set(worker.uid, worker.pod);
    }
    for (const pod of source.snapshot().pods) pods.set(podUid(pod), pod);
    const ofCluster = [...pods.values()].filter((pod) => !isStaticPod(pod));
    objects.setPods(ofCluster);
    classes.setPods(ofCluster);
    tokens.keepOnly(new Set(pods.keys()));
  };

  return {
    client,
    objects,
    node: () => reporter.node,
    lastNode: () => reporter.node ?? memory.node,
    onNodeChange: (listener) => reporter.onChange(listener),
    handlerOf: (pod) => classes.handlerOf(pod),
    isHandlerKnown: (pod) => classes.isKnown(pod),
    isRead: () => source.isRead,
    mirrorPods: () => [...source.all()].filter(isMirror).length,
    finalize: (uid) => statuses.finalize(uid),
    async deletePod(pod, signal) {
      const path = apiPath({ resource: 'pods', namespace: podNamespace(pod), name: podName(pod) });
      await client.delete(path, { preconditions: { uid: podUid(pod) } }, signal);
    },
    token: (pod, wanted, signal) => tokens.token(pod, wanted, signal),
    claimSource: (pod, claim, signal) => claimSource(client, pod, claim, signal),
    serviceEnv: (pod) => services.env(pod),

    forServer: (server, signal) => ({
      reviews: reviews(client, signal),
      ...(server.requestCertificate && {
        requestCertificate: servingCertificate({
          client,
          certDir: options.certDir,
          nodeName,
          onFailure: () => metrics.count('kubelet_server_expiration_renew_errors', {}),
          addresses: () => (reporter.node ?? local.node()).status?.addresses ?? [],
          nowMs: now,
          log,
        }),
      }),
    }),

    announce(isUp) {
      events.watch((event) => eventWriter.add(event));
      told.started();
      telling = reporter.run(isUp, signal);
      return reporter.tried;
    },

    async run(running) {
      agent = running;
      notePods();
      source.onChange(() => {
        notePods();
        desired.set('cluster', source.snapshot());
        mirrors.wake();
      });
      reporter.onChange(() => mirrors.wake());
      for (const pod of agent.pods()) statuses.observe(pod);
      const ends = [
        local.onChange(() => told.conditions(local.node())),
        agent.onPodChange(({ type, pod }) => {
          if (type === 'changed') statuses.observe(pod);
          else if (isStaticPod(pod)) statuses.forget(podUid(pod));
          // One that was deleted by force goes after its object, and nothing more is heard of it.
          else notePods();
          if (isStaticPod(pod)) mirrors.wake();
        }),
      ];
      told.conditions(local.node());
      await Promise.all([
        access.keepCertificate(signal),
        source.run(signal),
        services.run(signal),
        images.run(signal),
        telling,
        keepLease(
          {
            client: urgent,
            nodeName,
            durationSeconds: config.leaseDurationSeconds,
            node: () => reporter.node,
            now,
            log,
          },
          signal,
        ),
        mirrors.run(signal),
        eventWriter.run(signal),
      ]);
      for (const end of ends) end();
      client.close();
    },
  };
}
