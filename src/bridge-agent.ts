/** The agent as the ROS 2 bridge asks for it, put together from its parts. What is asked goes the ways of the Kubernetes API. */
import type {
  AppliedObject,
  BridgeAgent,
  BridgedPod,
  LogAnswer,
  LogLine,
  PodProbe,
  PodState,
  PodUsage,
} from '../ros/agent-port.ts';
import type { Agent } from './agent.ts';
import type { Node, Pod } from './api/core.gen.ts';
import { type DecodedObject, decodeManifest, formatManifestError } from './api/decode.ts';
import { rosoutAnnotation } from './api/validate/annotations.ts';
import { decodeBody } from './apiserver/decode-body.ts';
import type { ObjectStore } from './apiserver/object-store.ts';
import { keyOf, type WritableName } from './apiserver/resources.ts';
import { labelSelector } from './apiserver/selectors.ts';
import { resourceOfKind } from './cli/manifests.ts';
import type { EventLog } from './events/recorder.ts';
import type { Logger } from './log.ts';
import { podLogs } from './logs/pod-logs.ts';
import { readLog } from './logs/read.ts';
import { podReference, podUid } from './pods/identity.ts';
import type { Transitions } from './pods/transitions.ts';
import type { ProbeSummary } from './probes/manager.ts';
import { probeSubject } from './probes/subject.ts';
import type { CgroupManager } from './resources/cgroups.ts';
import type { AgentView } from './server/agent-view.ts';
import { ApiError } from './server/errors.ts';
import { checkContainer, defaultContainer, findPod } from './server/pod-lookup.ts';
import { nodeUsage } from './server/stats/node-usage.ts';
import { cpuRates } from './server/stats/rates.ts';

export interface BridgeAgentOptions {
  agent: Agent;
  view: AgentView;
  objects: ObjectStore;
  events: EventLog;
  transitions: Transitions;
  cgroups: CgroupManager;
  probes(): ProbeSummary[];
  node(): Node;
  onNodeChange(listener: () => void): () => void;
  nodeName: string;
  version: string;
  isClusterNode: boolean;
  /** Whether the runtime of that name has not answered for a while. */
  isStale(runtimeName: string): boolean;
  configuration: object;
  /** Epoch. */
  startedAtMs: number;
  onLogLine(listener: (json: string) => void): () => void;
  log: Logger;
  signal: AbortSignal;
}

/** What an answer may hold; a message of ROS is kept in memory by everybody it passes. */
const maxLogBytes = 1024 * 1024;

export function bridgeAgent(o: BridgeAgentOptions): BridgeAgent {
  const machineRates = cpuRates();
  const usages = new Map<string, PodUsage & { atMs: number; cpuNanoSeconds: bigint }>();
  const written = podLogs({
    workers: () => o.agent.workers(),
    worker: (uid) => o.agent.worker(uid),
    onPodChange: (listen) => o.agent.onPodChange(({ pod }) => listen(podUid(pod))),
    isWanted: ({ pod }) => pod.metadata?.annotations?.[rosoutAnnotation] === 'true',
    log: o.log,
    signal: o.signal,
  });

  const lifecycleOf = (uid: string, pod: Pod): PodState | undefined => {
    const state = o.transitions.state(uid);
    const lifecycle = o.agent.worker(uid)?.lifecycle;
    if (state !== undefined && lifecycle !== undefined) {
      return {
        state,
        hasFailed: pod.status?.phase === 'Failed' && !lifecycle.isUnwanted,
        isHeldBack: lifecycle.goal !== 'active',
        waitsFor: lifecycle.waitsFor,
        ...(lifecycle.problem === undefined ? {} : { problem: lifecycle.problem }),
      };
    }
    // Nobody looks after it until others have made room for it.
    const waiting = [...o.agent.waitingForRoom()].find((each) => podUid(each.pod) === uid);
    if (waiting === undefined) return undefined;
    const { waitsFor } = waiting;
    return { state: 'unconfigured', hasFailed: false, isHeldBack: false, waitsFor };
  };
  const bridged = (pod: Pod, probes: readonly ProbeSummary[]): BridgedPod => {
    const uid = podUid(pod);
    const worker = o.agent.worker(uid);
    const lifecycle = lifecycleOf(uid, pod);
    return {
      pod,
      ...(lifecycle === undefined ? {} : { lifecycle }),
      runtime: worker?.runtime.name ?? '',
      usage: usages.get(uid) ?? {},
      probes: probes.filter((probe) => podUid(probe.pod) === uid).map(bridgedProbe),
      isStale: worker !== undefined && o.isStale(worker.runtime.name),
    };
  };
  const bridgedAll = (pods: readonly Pod[]): BridgedPod[] => {
    const probes = o.probes();
    return pods.map((pod) => bridged(pod, probes));
  };

  const applyOne = async ({ kind, object }: DecodedObject, dryRun: boolean): Promise<AppliedObject> => {
    const resource: WritableName = resourceOfKind[kind];
    const { name = '', namespace = 'default' } = object.metadata ?? {};
    const about = { kind, namespace, name };
    try {
      const { object: wanted } = decodeBody(resource, object, namespace, 'Strict');
      const old = o.objects.cache.get(resource, keyOf(namespace, name));
      if (old === undefined) {
        await o.objects.create(resource, wanted, { dryRun });
        return { ...about, result: 'created', message: '' };
      }
      const next = await o.objects.update(resource, namespace, name, () => wanted, { dryRun });
      const isSame = next.metadata?.resourceVersion === old.metadata?.resourceVersion && next === old;
      return { ...about, result: isSame ? 'unchanged' : 'changed', message: '' };
    } catch (err) {
      return { ...about, result: 'refused', message: refusal(err) };
    }
  };

  return {
    nodeName: o.nodeName,
    version: o.version,
    isClusterNode: o.isClusterNode,
    startedAtMs: o.startedAtMs,
    node: o.node,
    onNodeChange: o.onNodeChange,
    pods: () => bridgedAll(o.agent.pods()),
    pod: (uid) => bridgedAll(o.agent.pods().filter((pod) => podUid(pod) === uid))[0],
    onPodChange(listener) {
      const ends = [
        o.agent.onPodChange(({ pod }) => listener(podUid(pod))),
        o.transitions.onChange(listener),
      ];
      return () => {
        for (const end of ends) end();
      };
    },
    async measure() {
      for (const { uid } of o.agent.workers()) {
        const stats = await o.cgroups.podStats(uid);
        const before = usages.get(uid);
        if (stats === undefined) {
          usages.delete(uid);
          continue;
        }
        const {
          cpuUsageCoreNanoSeconds: cpuNanoSeconds = 0n,
          memoryWorkingSetBytes,
          timestampMs: atMs,
        } = stats;
        const elapsedMs = before === undefined ? 0 : atMs - before.atMs;
        usages.set(uid, {
          atMs,
          cpuNanoSeconds,
          ...(before === undefined || elapsedMs <= 0
            ? {}
            : { cpuCores: Number(cpuNanoSeconds - before.cpuNanoSeconds) / (elapsedMs * 1e6) }),
          ...(memoryWorkingSetBytes === undefined ? {} : { memoryBytes: memoryWorkingSetBytes }),
        });
      }
      for (const uid of usages.keys()) if (o.agent.worker(uid) === undefined) usages.delete(uid);
    },
    async measureMachine() {
      const { cpuUsageCoreNanoSeconds, timestampMs } = await nodeUsage(performance.now());
      const nanoCores = machineRates.nanoCores('', timestampMs, cpuUsageCoreNanoSeconds);
      return nanoCores === undefined ? undefined : Number(nanoCores) / 1e9;
    },
    events: () => o.events.list(),
    onEvent: (listener) => o.events.watch(listener),
    warn: (pod, reason, message) => o.events.event(podReference(pod), 'Warning', reason, message),
    changeLifecycle: (pod, transition) => o.transitions.change(pod, transition, o.signal),

    async apply(manifest, isDryRun) {
      const { errors, objects } = decodeManifest(manifest, 'manifest');
      if (errors.length > 0)
        return { success: false, message: errors.map(formatManifestError).join('\n'), objects: [] };
      if (objects.length === 0)
        return { success: false, message: 'the manifest holds no objects', objects: [] };
      const results = new Map<DecodedObject, AppliedObject>();
      // What pods need comes first; the answer is in the order of the manifest.
      const inOrder = [...objects].sort((a, b) => Number(a.kind === 'Pod') - Number(b.kind === 'Pod'));
      for (const object of inOrder) results.set(object, await applyOne(object, isDryRun));
      const applied = objects.flatMap((object) => results.get(object) ?? []);
      return { success: applied.every(({ result }) => result !== 'refused'), message: '', objects: applied };
    },
    remove: (namespace, name, gracePeriodSeconds) =>
      answered(async () => {
        await o.objects.delete(
          'pods',
          namespace,
          name,
          gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
        );
      }),
    selectPods(text) {
      try {
        const selects = labelSelector(text);
        return { success: true, message: '', pods: bridgedAll(o.agent.pods().filter(selects)) };
      } catch (err) {
        return { success: false, message: refusal(err), pods: [] };
      }
    },
    async logs({ container, name, namespace, previous, tailLines }) {
      const found: LogAnswer = { success: true, message: '', lines: [], isTruncated: false };
      const answer = await answered(async () => {
        const pod = findPod(o.view, namespace, name);
        const wanted = container === '' ? defaultContainer(pod) : container;
        checkContainer(pod, wanted);
        const path = await o.view.containerLogPath(podUid(pod), wanted, previous);
        if (path === undefined)
          throw new ApiError(
            'BadRequest',
            `container ${wanted} has not ${previous ? 'run before' : 'started yet'}`,
          );
        Object.assign(found, await lastLines(path, tailLines, o.signal));
      });
      return { ...found, ...answer };
    },
    restart(namespace, name, container) {
      try {
        const pod = findPod(o.view, namespace, name);
        if (container !== '') checkContainer(pod, container);
        return o.agent.control.restart(podUid(pod), container === '' ? undefined : [container]);
      } catch (err) {
        return { success: false, message: refusal(err) };
      }
    },
    configuration: () => o.configuration,
    onLog: (listener) => o.onLogLine((json) => listener(logLine(json))),
    onPodLog: (listener) =>
      written.listen((uid, container, { stampMs, stream, text }) =>
        listener({ uid, container, stream, stampMs, text }),
      ),
  };
}

function bridgedProbe({ container, kind, latencies, message, probe, result, tally }: ProbeSummary): PodProbe {
  const sinceEpochMs = Date.now() - performance.now();
  const { inARow, last, lastFailureMs, lastSuccessMs } = tally;
  return {
    container,
    kind,
    description: probeSubject(probe),
    result,
    ...(last === undefined ? {} : { last: { isGood: last === 'success', inARow } }),
    ...(lastSuccessMs === undefined ? {} : { lastSuccessMs: sinceEpochMs + lastSuccessMs }),
    ...(lastFailureMs === undefined ? {} : { lastFailureMs: sinceEpochMs + lastFailureMs }),
    lastFailureMessage: message,
    ...(latencies.count === 0 ? {} : { p50Ms: latencies.p50Ms, p99Ms: latencies.p99Ms }),
  };
}

async function answered(act: () => Promise<void>): Promise<{ success: boolean; message: string }> {
  try {
    await act();
    return { success: true, message: '' };
  } catch (err) {
    return { success: false, message: refusal(err) };
  }
}

/** Only what was refused is an answer; a defect is told by the log. */
function refusal(err: unknown): string {
  if (err instanceof ApiError) return err.message;
  throw err;
}

async function lastLines(
  path: string,
  tailLines: number,
  signal: AbortSignal,
): Promise<Pick<LogAnswer, 'lines' | 'isTruncated'>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // One more than wanted, to know whether there are more.
  for await (const chunk of readLog(path, { tailLines: tailLines + 1, timestamps: true }, signal)) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Of what is cut in the end only so much is kept as tells that it was.
    while (bytes - chunks[0]!.length > maxLogBytes) bytes -= chunks.shift()!.length;
  }
  const all = Buffer.concat(chunks);
  const text = all.subarray(Math.max(all.length - maxLogBytes, 0)).toString('utf8');
  const rows = text.split('\n').filter((line) => line !== '');
  // The first one may have been cut.
  if (all.length > maxLogBytes) rows.shift();
  const lines = rows.slice(-tailLines).map((row) => {
    const end = row.indexOf(' ');
    return { stampMs: Date.parse(row.slice(0, end)), text: row.slice(end + 1) };
  });
  return { lines, isTruncated: all.length > maxLogBytes || rows.length > tailLines };
}

function logLine(json: string): LogLine {
  const {
    err,
    level,
    msg = '',
    pod,
    time,
  } = JSON.parse(json) as {
    level: LogLine['level'];
    time: string;
    msg?: string;
    pod?: string;
    err?: { message?: string };
  };
  const where = pod === undefined ? '' : `${pod}: `;
  return {
    level,
    timeMs: Date.parse(time),
    message: `${where}${msg}${err?.message ? `: ${err.message}` : ''}`,
  };
}
