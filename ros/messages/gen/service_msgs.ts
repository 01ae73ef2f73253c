// Written by scripts/generate-messages.ts from the definitions of service_msgs: do not edit.
import * as builtin_interfaces from './builtin_interfaces.ts';
import { RosMessage } from '../message.ts';

export interface ServiceEventInfo {
  event_type: number;
  stamp: builtin_interfaces.Time;
  client_gid: Uint8Array;
  sequence_number: bigint;
}
export const ServiceEventInfo = Object.assign(new RosMessage<ServiceEventInfo>('service_msgs/msg/ServiceEventInfo', 'RIHS01_41bcbbe07a75c9b52bc96bfd5c24d7f0fc0a08c0cb7921b3373c5732345a6f45', [
  { name: 'event_type', type: 'uint8' },
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'client_gid', type: 'uint8', array: 16 },
  { name: 'sequence_number', type: 'int64' },
]), {
  REQUEST_SENT: 0,
  REQUEST_RECEIVED: 1,
  RESPONSE_SENT: 2,
  RESPONSE_RECEIVED: 3,
} as const);
