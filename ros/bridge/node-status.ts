/** The machine as roslet_msgs/NodeStatus. Pure. */
import { freemem, totalmem, uptime } from 'node:os';
import { quantityValue } from '../../src/api/quantity.ts';
import type { BridgeAgent } from '../agent-port.ts';
import { NodeCondition, NodeStatus } from '../messages/gen/roslet_msgs.ts';
import { isReady } from './pod-status.ts';
import { timeOf } from './time.ts';

export interface NodeStatusContext {
  robot: string;
  transport: string;
  domainId: number;
  /** CPUs in use; undefined when not measured yet. */
  cpuCores: number | undefined;
  nowMs: number;
}

export function nodeStatusMessage(agent: BridgeAgent, context: NodeStatusContext): NodeStatus {
  const { cpuCores, domainId, nowMs, robot, transport } = context;
  const { status = {} } = agent.node();
  const pods = agent.pods();
  const amount = (from: Record<string, string> | undefined, name: string) =>
    quantityValue(from?.[name] ?? '0');
  const conditions = (status.conditions ?? []).map(({ lastTransitionTime, message, reason, status, type }) =>
    NodeCondition.create({
      type,
      status: statuses[status] ?? NodeCondition.STATUS_UNKNOWN,
      healthy: type === 'Ready' ? status === 'True' : status === 'False',
      reason: reason ?? '',
      message: message ?? '',
      last_transition: timeOf(lastTransitionTime),
    }),
  );
  return NodeStatus.create({
    stamp: timeOf(nowMs),
    robot,
    node_name: agent.nodeName,
    agent_version: agent.version,
    mode: agent.isClusterNode ? NodeStatus.MODE_CLUSTER : NodeStatus.MODE_STANDALONE,
    ready: conditions.some(({ healthy, type }) => type === 'Ready' && healthy),
    conditions,
    addresses: (status.addresses ?? [])
      .filter(({ type }) => type === 'InternalIP')
      .map(({ address }) => address),
    os_image: status.nodeInfo?.osImage ?? '',
    kernel_version: status.nodeInfo?.kernelVersion ?? '',
    architecture: status.nodeInfo?.architecture ?? '',
    runtimes: [
      ...new Set([status.nodeInfo?.containerRuntimeVersion ?? '', ...pods.map(({ runtime }) => runtime)]),
    ].filter((name) => name !== ''),
    ros_transport: transport,
    ros_domain_id: domainId,
    boot_time: timeOf(nowMs - uptime() * 1000),
    agent_start_time: timeOf(agent.startedAtMs),
    cpu_capacity_cores: amount(status.capacity, 'cpu'),
    cpu_allocatable_cores: amount(status.allocatable, 'cpu'),
    cpu_usage_cores: cpuCores ?? Number.NaN,
    memory_capacity_bytes: BigInt(Math.round(amount(status.capacity, 'memory'))),
    memory_allocatable_bytes: BigInt(Math.round(amount(status.allocatable, 'memory'))),
    memory_usage_bytes: BigInt(totalmem() - freemem()),
    memory_available_bytes: BigInt(freemem()),
    pods: pods.length,
    pods_ready: pods.filter(({ pod }) => isReady(pod)).length,
    pods_capacity: amount(status.capacity, 'pods'),
  });
}

const statuses: Readonly<Record<string, number>> = {
  True: NodeCondition.STATUS_TRUE,
  False: NodeCondition.STATUS_FALSE,
};
