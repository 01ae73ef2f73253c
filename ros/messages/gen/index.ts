// Written by scripts/generate-messages.ts: do not edit.
import * as bond from './bond.ts';
import * as builtin_interfaces from './builtin_interfaces.ts';
import * as diagnostic_msgs from './diagnostic_msgs.ts';
import * as lifecycle_msgs from './lifecycle_msgs.ts';
import * as rcl_interfaces from './rcl_interfaces.ts';
import * as rmw_dds_common from './rmw_dds_common.ts';
import * as roslet_msgs from './roslet_msgs.ts';
import * as service_msgs from './service_msgs.ts';
import * as std_msgs from './std_msgs.ts';
import type { RosMessage, RosService } from '../message.ts';

/** All types that roslet knows by itself. */
export const messages: readonly RosMessage<object>[] = [
  bond.Status,
  builtin_interfaces.Duration,
  builtin_interfaces.Time,
  diagnostic_msgs.DiagnosticArray,
  diagnostic_msgs.DiagnosticStatus,
  diagnostic_msgs.KeyValue,
  lifecycle_msgs.State,
  lifecycle_msgs.Transition,
  lifecycle_msgs.TransitionDescription,
  lifecycle_msgs.TransitionEvent,
  rcl_interfaces.FloatingPointRange,
  rcl_interfaces.IntegerRange,
  rcl_interfaces.ListParametersResult,
  rcl_interfaces.Log,
  rcl_interfaces.Parameter,
  rcl_interfaces.ParameterDescriptor,
  rcl_interfaces.ParameterEvent,
  rcl_interfaces.ParameterType,
  rcl_interfaces.ParameterValue,
  rcl_interfaces.SetParametersResult,
  rmw_dds_common.Gid,
  rmw_dds_common.NodeEntitiesInfo,
  rmw_dds_common.ParticipantEntitiesInfo,
  roslet_msgs.ContainerStatus,
  roslet_msgs.Event,
  roslet_msgs.NodeCondition,
  roslet_msgs.NodeStatus,
  roslet_msgs.ObjectResult,
  roslet_msgs.PodStatus,
  roslet_msgs.PodStatusArray,
  roslet_msgs.ProbeStatus,
  service_msgs.ServiceEventInfo,
  std_msgs.Empty,
  std_msgs.Header,
  std_msgs.String,
];

export const services: readonly RosService<object, object>[] = [
  lifecycle_msgs.ChangeState,
  lifecycle_msgs.GetAvailableStates,
  lifecycle_msgs.GetAvailableTransitions,
  lifecycle_msgs.GetState,
  rcl_interfaces.DescribeParameters,
  rcl_interfaces.GetParameterTypes,
  rcl_interfaces.GetParameters,
  rcl_interfaces.ListParameters,
  rcl_interfaces.SetParameters,
  rcl_interfaces.SetParametersAtomically,
  roslet_msgs.Apply,
  roslet_msgs.Delete,
  roslet_msgs.List,
  roslet_msgs.Logs,
  roslet_msgs.Restart,
];
