/** Pods as the bridge shows them: with how far they have come, what they use and what probes found. */
import type { BridgedPod, PodProbe, PodState } from '../../ros/agent-port.ts';
import type { Agent } from '../agent.ts';
import type { Pod } from '../api/core.gen.ts';
import { podUid } from '../pods/identity.ts';
import type { Transitions } from '../pods/transitions.ts';
import type { ProbeSummary } from '../probes/manager.ts';
import { probeSubject } from '../probes/subject.ts';
import type { UsageMeter } from './usage.ts';

export interface BridgedPodsOptions {
  agent: Agent;
  transitions: Pick<Transitions, 'state'>;
  probes(): ProbeSummary[];
  usage: Pick<UsageMeter, 'of'>;
  /** Whether the runtime of that name has not answered for a while. */
  isStale(runtimeName: string): boolean;
}

/** Those that are selected, of all that are known. */
export function bridgedPods(options: BridgedPodsOptions, selects: (pod: Pod) => boolean): BridgedPod[] {
  const probes = options.probes();
  return options.agent
    .pods()
    .filter(selects)
    .map((pod) => bridged(options, pod, probes));
}

function bridged(o: BridgedPodsOptions, pod: Pod, probes: readonly ProbeSummary[]): BridgedPod {
  const uid = podUid(pod);
  const worker = o.agent.worker(uid);
  const lifecycle = lifecycleOf(o, uid, pod);
  return {
    pod,
    ...(lifecycle === undefined ? {} : { lifecycle }),
    runtime: worker?.runtime.name ?? '',
    usage: o.usage.of(uid),
    probes: probes.filter((probe) => podUid(probe.pod) === uid).map(bridgedProbe),
    isStale: worker !== undefined && o.isStale(worker.runtime.name),
  };
}

function lifecycleOf(
  { agent, transitions }: BridgedPodsOptions,
  uid: string,
  pod: Pod,
): PodState | undefined {
  const state = transitions.state(uid);
  const lifecycle = agent.worker(uid)?.lifecycle;
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
  const waiting = [...agent.waitingForRoom()].find((each) => podUid(each.pod) === uid);
  if (waiting === undefined) return undefined;
  const { waitsFor } = waiting;
  return { state: 'unconfigured', hasFailed: false, isHeldBack: false, waitsFor };
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
