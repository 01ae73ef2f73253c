/**
 * Pods and the machine on /diagnostics, for people and for diagnostic_aggregator: names begin with "roslet: <robot>", so
 * that one analyzer takes all of a robot. It is never a keepalive (REP 107). Pure.
 */
import { podKey } from '../../src/pods/identity.ts';
import type { BridgedPod } from '../agent-port.ts';
import { DiagnosticArray, DiagnosticStatus } from '../messages/gen/diagnostic_msgs.ts';
import type { NodeStatus } from '../messages/gen/roslet_msgs.ts';
import { isReady } from './pod-status.ts';
import { timeOf } from './time.ts';

export function diagnosticsMessage(
  robot: string,
  node: NodeStatus,
  pods: readonly BridgedPod[],
  nowMs: number,
): DiagnosticArray {
  return DiagnosticArray.create({
    header: { stamp: timeOf(nowMs), frame_id: '' },
    status: [nodeDiagnostic(robot, node), ...pods.map((pod) => podDiagnostic(robot, pod))],
  });
}

function nodeDiagnostic(robot: string, node: NodeStatus): DiagnosticStatus {
  const bad = node.conditions.filter(({ healthy }) => !healthy);
  const level = !node.ready
    ? DiagnosticStatus.ERROR
    : bad.length > 0
      ? DiagnosticStatus.WARN
      : DiagnosticStatus.OK;
  return DiagnosticStatus.create({
    level,
    name: `roslet: ${robot}`,
    message: bad.map(({ message, type }) => `${type}: ${message}`).join('; ') || 'ready',
    hardware_id: node.node_name,
    values: values({
      pods: node.pods,
      'pods ready': node.pods_ready,
      'memory available (bytes)': node.memory_available_bytes,
    }),
  });
}

export function podDiagnostic(robot: string, bridged: BridgedPod): DiagnosticStatus {
  const { pod, probes, usage } = bridged;
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const ends = containers.flatMap(({ lastState, name, state }) => {
    const end = state?.terminated ?? lastState?.terminated;
    return end === undefined ? [] : [{ name, ...end }];
  });
  const last = ends.sort((a, b) => (b.finishedAt ?? '').localeCompare(a.finishedAt ?? ''))[0];
  const { level, message } = judge(bridged);
  return DiagnosticStatus.create({
    level,
    name: `roslet: ${robot}/${podKey(pod)}`,
    message,
    hardware_id: pod.spec?.nodeName ?? '',
    values: values({
      lifecycle: bridged.lifecycle?.state,
      phase: pod.status?.phase,
      restarts: containers.reduce((sum, each) => sum + each.restartCount, 0),
      'last exit':
        last && `${last.name}: ${last.exitCode} (${last.reason ?? ''}) at ${last.finishedAt ?? ''}`,
      'cpu (cores)': usage.cpuCores?.toFixed(3),
      'memory (bytes)': usage.memoryBytes,
      ...Object.fromEntries(
        probes.map(({ container, kind, p99Ms }) => [
          `${kind} probe of ${container}, p99 (ms)`,
          p99Ms?.toFixed(1),
        ]),
      ),
    }),
  });
}

function judge({ isStale, lifecycle, pod }: BridgedPod): { level: number; message: string } {
  const { message = '', phase, reason = '' } = pod.status ?? {};
  const { ERROR, OK, STALE, WARN } = DiagnosticStatus;
  if (isStale) return { level: STALE, message: 'the runtime does not answer: this may not be so any more' };
  if (phase === 'Failed') return { level: ERROR, message: message || reason || 'failed' };
  if (phase === 'Succeeded') return { level: OK, message: message || 'done' };
  if (lifecycle === undefined)
    return message === '' ? { level: STALE, message: 'not looked at yet' } : { level: WARN, message };
  if (lifecycle.problem !== undefined) {
    return { level: ERROR, message: `${lifecycle.problem.reason}: ${lifecycle.problem.message}` };
  }
  if (lifecycle.waitsFor.length > 0)
    return { level: WARN, message: `waits for ${lifecycle.waitsFor.join(', ')}` };
  if (lifecycle.isHeldBack) return { level: OK, message: `${lifecycle.state}, as it was told` };
  if (lifecycle.state === 'active' && isReady(pod)) return { level: OK, message: 'active and ready' };
  const why = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.message;
  return { level: WARN, message: why ? `${lifecycle.state}: ${why}` : lifecycle.state };
}

const values = (all: Record<string, string | number | bigint | undefined>) =>
  Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: String(value) }]));
