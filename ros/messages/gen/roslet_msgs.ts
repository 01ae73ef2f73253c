// Written by scripts/generate-messages.ts from the definitions of roslet_msgs: do not edit.
import * as builtin_interfaces from './builtin_interfaces.ts';
import * as lifecycle_msgs from './lifecycle_msgs.ts';
import { RosMessage, RosService } from '../message.ts';

export interface ProbeStatus {
  kind: number;
  result: number;
  description: string;
  consecutive_successes: number;
  consecutive_failures: number;
  last_success: builtin_interfaces.Time;
  last_failure: builtin_interfaces.Time;
  last_failure_message: string;
  latency_p50: number;
  latency_p99: number;
}
export const ProbeStatus = Object.assign(new RosMessage<ProbeStatus>('roslet_msgs/msg/ProbeStatus', 'RIHS01_d474d4904fbe78bca9c2c110a4c29b8655af695f6ea3a78d8936055d4b50c705', [
  { name: 'kind', type: 'uint8' },
  { name: 'result', type: 'uint8' },
  { name: 'description', type: 'string' },
  { name: 'consecutive_successes', type: 'uint32' },
  { name: 'consecutive_failures', type: 'uint32' },
  { name: 'last_success', type: builtin_interfaces.Time },
  { name: 'last_failure', type: builtin_interfaces.Time },
  { name: 'last_failure_message', type: 'string' },
  { name: 'latency_p50', type: 'float64' },
  { name: 'latency_p99', type: 'float64' },
]), {
  KIND_STARTUP: 0,
  KIND_LIVENESS: 1,
  KIND_READINESS: 2,
  RESULT_UNKNOWN: 0,
  RESULT_OK: 1,
  RESULT_FAILED: 2,
} as const);

export interface ContainerStatus {
  name: string;
  image: string;
  kind: number;
  state: number;
  started: boolean;
  ready: boolean;
  reason: string;
  message: string;
  restart_count: number;
  started_at: builtin_interfaces.Time;
  finished_at: builtin_interfaces.Time;
  exit_code: number;
  last_started_at: builtin_interfaces.Time;
  last_finished_at: builtin_interfaces.Time;
  last_exit_code: number;
  last_reason: string;
  last_message: string;
  probes: ProbeStatus[];
}
export const ContainerStatus = Object.assign(new RosMessage<ContainerStatus>('roslet_msgs/msg/ContainerStatus', 'RIHS01_05c9f31a30bb7b3798b69bdcf10ac6bb244a7b0ab5c83373c2dcd495d3990248', [
  { name: 'name', type: 'string' },
  { name: 'image', type: 'string' },
  { name: 'kind', type: 'uint8' },
  { name: 'state', type: 'uint8' },
  { name: 'started', type: 'bool' },
  { name: 'ready', type: 'bool' },
  { name: 'reason', type: 'string' },
  { name: 'message', type: 'string' },
  { name: 'restart_count', type: 'uint32' },
  { name: 'started_at', type: builtin_interfaces.Time },
  { name: 'finished_at', type: builtin_interfaces.Time },
  { name: 'exit_code', type: 'int32' },
  { name: 'last_started_at', type: builtin_interfaces.Time },
  { name: 'last_finished_at', type: builtin_interfaces.Time },
  { name: 'last_exit_code', type: 'int32' },
  { name: 'last_reason', type: 'string' },
  { name: 'last_message', type: 'string' },
  { name: 'probes', type: ProbeStatus, array: 'sequence' },
]), {
  KIND_MAIN: 0,
  KIND_INIT: 1,
  KIND_SIDECAR: 2,
  KIND_DEBUG: 3,
  STATE_UNKNOWN: 0,
  STATE_WAITING: 1,
  STATE_RUNNING: 2,
  STATE_TERMINATED: 3,
} as const);

export interface Event {
  stamp: builtin_interfaces.Time;
  first_stamp: builtin_interfaces.Time;
  count: number;
  severity: number;
  robot: string;
  pod_namespace: string;
  pod_name: string;
  container: string;
  reason: string;
  message: string;
}
export const Event = Object.assign(new RosMessage<Event>('roslet_msgs/msg/Event', 'RIHS01_c3fad88779e3bdd09e0188e4317d029128052c516d12e8fd863eaebf4ef2ffda', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'first_stamp', type: builtin_interfaces.Time },
  { name: 'count', type: 'uint32' },
  { name: 'severity', type: 'uint8' },
  { name: 'robot', type: 'string' },
  { name: 'pod_namespace', type: 'string' },
  { name: 'pod_name', type: 'string' },
  { name: 'container', type: 'string' },
  { name: 'reason', type: 'string' },
  { name: 'message', type: 'string' },
]), {
  SEVERITY_INFO: 0,
  SEVERITY_WARNING: 1,
} as const);

export interface NodeCondition {
  type: string;
  status: number;
  healthy: boolean;
  reason: string;
  message: string;
  last_transition: builtin_interfaces.Time;
}
export const NodeCondition = Object.assign(new RosMessage<NodeCondition>('roslet_msgs/msg/NodeCondition', 'RIHS01_98b250958ae500049a55cb9341a01f2663fee142ec2fa43007fe99a7ac3b6d60', [
  { name: 'type', type: 'string' },
  { name: 'status', type: 'uint8' },
  { name: 'healthy', type: 'bool' },
  { name: 'reason', type: 'string' },
  { name: 'message', type: 'string' },
  { name: 'last_transition', type: builtin_interfaces.Time },
]), {
  STATUS_FALSE: 0,
  STATUS_TRUE: 1,
  STATUS_UNKNOWN: 2,
} as const);

export interface NodeStatus {
  stamp: builtin_interfaces.Time;
  robot: string;
  node_name: string;
  agent_version: string;
  mode: number;
  ready: boolean;
  conditions: NodeCondition[];
  addresses: string[];
  os_image: string;
  kernel_version: string;
  architecture: string;
  runtimes: string[];
  ros_transport: string;
  ros_domain_id: number;
  boot_time: builtin_interfaces.Time;
  agent_start_time: builtin_interfaces.Time;
  cpu_capacity_cores: number;
  cpu_allocatable_cores: number;
  cpu_usage_cores: number;
  memory_capacity_bytes: bigint;
  memory_allocatable_bytes: bigint;
  memory_usage_bytes: bigint;
  memory_available_bytes: bigint;
  pods: number;
  pods_ready: number;
  pods_capacity: number;
}
export const NodeStatus = Object.assign(new RosMessage<NodeStatus>('roslet_msgs/msg/NodeStatus', 'RIHS01_8c84319d2a69ea190303b273e1c619cf7505cbefc6b8d84b038349c71251a664', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'robot', type: 'string' },
  { name: 'node_name', type: 'string' },
  { name: 'agent_version', type: 'string' },
  { name: 'mode', type: 'uint8' },
  { name: 'ready', type: 'bool' },
  { name: 'conditions', type: NodeCondition, array: 'sequence' },
  { name: 'addresses', type: 'string', array: 'sequence' },
  { name: 'os_image', type: 'string' },
  { name: 'kernel_version', type: 'string' },
  { name: 'architecture', type: 'string' },
  { name: 'runtimes', type: 'string', array: 'sequence' },
  { name: 'ros_transport', type: 'string' },
  { name: 'ros_domain_id', type: 'uint32' },
  { name: 'boot_time', type: builtin_interfaces.Time },
  { name: 'agent_start_time', type: builtin_interfaces.Time },
  { name: 'cpu_capacity_cores', type: 'float64' },
  { name: 'cpu_allocatable_cores', type: 'float64' },
  { name: 'cpu_usage_cores', type: 'float64' },
  { name: 'memory_capacity_bytes', type: 'uint64' },
  { name: 'memory_allocatable_bytes', type: 'uint64' },
  { name: 'memory_usage_bytes', type: 'uint64' },
  { name: 'memory_available_bytes', type: 'uint64' },
  { name: 'pods', type: 'uint32' },
  { name: 'pods_ready', type: 'uint32' },
  { name: 'pods_capacity', type: 'uint32' },
]), {
  MODE_STANDALONE: 0,
  MODE_CLUSTER: 1,
} as const);

export interface ObjectResult {
  kind: string;
  object_namespace: string;
  object_name: string;
  result: number;
  message: string;
}
export const ObjectResult = Object.assign(new RosMessage<ObjectResult>('roslet_msgs/msg/ObjectResult', 'RIHS01_a3ee4ab95d45a4bae6067f75b992bd14dd08870d2986c080c6c4462cdfb4a189', [
  { name: 'kind', type: 'string' },
  { name: 'object_namespace', type: 'string' },
  { name: 'object_name', type: 'string' },
  { name: 'result', type: 'uint8' },
  { name: 'message', type: 'string' },
]), {
  RESULT_CREATED: 0,
  RESULT_CHANGED: 1,
  RESULT_UNCHANGED: 2,
  RESULT_REFUSED: 3,
} as const);

export interface PodStatus {
  stamp: builtin_interfaces.Time;
  robot: string;
  pod_namespace: string;
  pod_name: string;
  uid: string;
  ros_node: string;
  runtime: string;
  lifecycle_state: lifecycle_msgs.State;
  phase: number;
  ready: boolean;
  reason: string;
  message: string;
  waits_for: string[];
  restart_count: number;
  start_time: builtin_interfaces.Time;
  ips: string[];
  dds_domain_id: number;
  cpu_usage_cores: number;
  memory_usage_bytes: bigint;
  containers: ContainerStatus[];
}
export const PodStatus = Object.assign(new RosMessage<PodStatus>('roslet_msgs/msg/PodStatus', 'RIHS01_c1f31fbcb612550e5b4987d3e35c59abaa741a3d00da180d3bcd3719a13820fb', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'robot', type: 'string' },
  { name: 'pod_namespace', type: 'string' },
  { name: 'pod_name', type: 'string' },
  { name: 'uid', type: 'string' },
  { name: 'ros_node', type: 'string' },
  { name: 'runtime', type: 'string' },
  { name: 'lifecycle_state', type: lifecycle_msgs.State },
  { name: 'phase', type: 'uint8' },
  { name: 'ready', type: 'bool' },
  { name: 'reason', type: 'string' },
  { name: 'message', type: 'string' },
  { name: 'waits_for', type: 'string', array: 'sequence' },
  { name: 'restart_count', type: 'uint32' },
  { name: 'start_time', type: builtin_interfaces.Time },
  { name: 'ips', type: 'string', array: 'sequence' },
  { name: 'dds_domain_id', type: 'int32' },
  { name: 'cpu_usage_cores', type: 'float64' },
  { name: 'memory_usage_bytes', type: 'uint64' },
  { name: 'containers', type: ContainerStatus, array: 'sequence' },
]), {
  PHASE_UNKNOWN: 0,
  PHASE_PENDING: 1,
  PHASE_RUNNING: 2,
  PHASE_SUCCEEDED: 3,
  PHASE_FAILED: 4,
} as const);

export interface PodStatusArray {
  stamp: builtin_interfaces.Time;
  robot: string;
  pods: PodStatus[];
}
export const PodStatusArray = new RosMessage<PodStatusArray>('roslet_msgs/msg/PodStatusArray', 'RIHS01_61ad3445914e5833100d7628da1157941db8df605b887050708cc3a47d491666', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'robot', type: 'string' },
  { name: 'pods', type: PodStatus, array: 'sequence' },
]);

export interface ApplyRequest {
  manifest: string;
  dry_run: boolean;
}
export interface ApplyResponse {
  success: boolean;
  message: string;
  results: ObjectResult[];
}
export const Apply = new RosService<ApplyRequest, ApplyResponse>(
  'roslet_msgs/srv/Apply',
  'RIHS01_e8142e17b2a463dc1bedfe24cc972500f326f390bc1871088c925e10070d4524',
  new RosMessage<ApplyRequest>('roslet_msgs/srv/Apply_Request', 'RIHS01_13e1665bf3e580468aadf6f28323ff2adc40f0ad9874ea90b0d19e8c81a4baf9', [
  { name: 'manifest', type: 'string' },
  { name: 'dry_run', type: 'bool' },
]),
  new RosMessage<ApplyResponse>('roslet_msgs/srv/Apply_Response', 'RIHS01_78ec4dc27877e2ed744bb0eb77d87757f1ee5847a16b7a9b037bc89151c00ed5', [
  { name: 'success', type: 'bool' },
  { name: 'message', type: 'string' },
  { name: 'results', type: ObjectResult, array: 'sequence' },
]),
);

export interface DeleteRequest {
  pod_namespace: string;
  pod_name: string;
  grace_period_seconds: number;
}
export interface DeleteResponse {
  success: boolean;
  message: string;
}
export const Delete = Object.assign(new RosService<DeleteRequest, DeleteResponse>(
  'roslet_msgs/srv/Delete',
  'RIHS01_7d5e70248847270ce3a9afef1c5b493e55231f85bb70a5ad1a5ad992d3c5b6a4',
  new RosMessage<DeleteRequest>('roslet_msgs/srv/Delete_Request', 'RIHS01_390f3cef936acbcd1cdda61ff6fda2b5e73163fec55d92a8aa78663cdbb16f09', [
  { name: 'pod_namespace', type: 'string' },
  { name: 'pod_name', type: 'string' },
  { name: 'grace_period_seconds', type: 'int32', defaultValue: -1 },
]),
  new RosMessage<DeleteResponse>('roslet_msgs/srv/Delete_Response', 'RIHS01_60453fadbc6ad5868b1c604e026ae5eb10ac614a11790191cfb81cca5ca9c87c', [
  { name: 'success', type: 'bool' },
  { name: 'message', type: 'string' },
]),
), {
  GRACE_PERIOD_OF_POD: -1,
} as const);

export interface ListRequest {
  pod_namespace: string;
  pod_name: string;
  label_selector: string;
}
export interface ListResponse {
  success: boolean;
  message: string;
  pods: PodStatus[];
}
export const List = new RosService<ListRequest, ListResponse>(
  'roslet_msgs/srv/List',
  'RIHS01_caf779c9491b77528af57c3f1a03f0251e941dff03719fb18a5d39c7f9765cc5',
  new RosMessage<ListRequest>('roslet_msgs/srv/List_Request', 'RIHS01_2ae7c7511e50f5a12221a309ef0d8161a8cfab550fe2ba0fd1bcbe0af945cede', [
  { name: 'pod_namespace', type: 'string' },
  { name: 'pod_name', type: 'string' },
  { name: 'label_selector', type: 'string' },
]),
  new RosMessage<ListResponse>('roslet_msgs/srv/List_Response', 'RIHS01_c57cd57c4d35d18a4505781fe3bbceea9d42c77dcbed4869513f849563b7c4cd', [
  { name: 'success', type: 'bool' },
  { name: 'message', type: 'string' },
  { name: 'pods', type: PodStatus, array: 'sequence' },
]),
);

export interface LogsRequest {
  pod_namespace: string;
  pod_name: string;
  container: string;
  tail_lines: number;
  previous: boolean;
}
export interface LogsResponse {
  success: boolean;
  message: string;
  lines: string[];
  stamps: builtin_interfaces.Time[];
  truncated: boolean;
}
export const Logs = new RosService<LogsRequest, LogsResponse>(
  'roslet_msgs/srv/Logs',
  'RIHS01_6bc05a8216f3df17a03c54d2a673edb20d2fd623b314594a063d783ae202da5a',
  new RosMessage<LogsRequest>('roslet_msgs/srv/Logs_Request', 'RIHS01_0775de75555001f5e5d25af8ce9112940b40dcd29943238b29e9f940659cc672', [
  { name: 'pod_namespace', type: 'string' },
  { name: 'pod_name', type: 'string' },
  { name: 'container', type: 'string' },
  { name: 'tail_lines', type: 'uint32', defaultValue: 100 },
  { name: 'previous', type: 'bool' },
]),
  new RosMessage<LogsResponse>('roslet_msgs/srv/Logs_Response', 'RIHS01_26b054ca6571a53007d70d60f7e9338354584a9f6cb355cda2a22e042e6237df', [
  { name: 'success', type: 'bool' },
  { name: 'message', type: 'string' },
  { name: 'lines', type: 'string', array: 'sequence' },
  { name: 'stamps', type: builtin_interfaces.Time, array: 'sequence' },
  { name: 'truncated', type: 'bool' },
]),
);

export interface RestartRequest {
  pod_namespace: string;
  pod_name: string;
  container: string;
}
export interface RestartResponse {
  success: boolean;
  message: string;
}
export const Restart = new RosService<RestartRequest, RestartResponse>(
  'roslet_msgs/srv/Restart',
  'RIHS01_cf0e64681160a6430f4759419ec3546b806f58cdf4008fc0ab61bd2e1a02032e',
  new RosMessage<RestartRequest>('roslet_msgs/srv/Restart_Request', 'RIHS01_dd9cd3ae3b3fc239d5bc7808e1c54b22b3dce041c9cd73b412cc9d4eab24572d', [
  { name: 'pod_namespace', type: 'string' },
  { name: 'pod_name', type: 'string' },
  { name: 'container', type: 'string' },
]),
  new RosMessage<RestartResponse>('roslet_msgs/srv/Restart_Response', 'RIHS01_5c370403b5863dd7c0b592503cd31cbd20a110ab2e50e450dcb3005d1dc280a0', [
  { name: 'success', type: 'bool' },
  { name: 'message', type: 'string' },
]),
);
