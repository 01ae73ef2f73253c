// Written by scripts/generate-messages.ts from the definitions of diagnostic_msgs: do not edit.
import * as std_msgs from './std_msgs.ts';
import { RosMessage } from '../message.ts';

export interface KeyValue {
  key: string;
  value: string;
}
export const KeyValue = new RosMessage<KeyValue>('diagnostic_msgs/msg/KeyValue', 'RIHS01_d68081eaa540288c5440753baecef0c4e16e81a5f78ad68902ded5100413bb42', [
  { name: 'key', type: 'string' },
  { name: 'value', type: 'string' },
]);

export interface DiagnosticStatus {
  level: number;
  name: string;
  message: string;
  hardware_id: string;
  values: KeyValue[];
}
export const DiagnosticStatus = Object.assign(new RosMessage<DiagnosticStatus>('diagnostic_msgs/msg/DiagnosticStatus', 'RIHS01_b0e3e692ea2d54a8af2f4ef1930e81556a2db55216b771f8a7d2724ed47bf0e4', [
  { name: 'level', type: 'byte' },
  { name: 'name', type: 'string' },
  { name: 'message', type: 'string' },
  { name: 'hardware_id', type: 'string' },
  { name: 'values', type: KeyValue, array: 'sequence' },
]), {
  OK: 0,
  WARN: 1,
  ERROR: 2,
  STALE: 3,
} as const);

export interface DiagnosticArray {
  header: std_msgs.Header;
  status: DiagnosticStatus[];
}
export const DiagnosticArray = new RosMessage<DiagnosticArray>('diagnostic_msgs/msg/DiagnosticArray', 'RIHS01_5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e', [
  { name: 'header', type: std_msgs.Header },
  { name: 'status', type: DiagnosticStatus, array: 'sequence' },
]);
