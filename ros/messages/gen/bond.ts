// Written by scripts/generate-messages.ts from the definitions of bond: do not edit.
import * as std_msgs from './std_msgs.ts';
import { RosMessage } from '../message.ts';

export interface Status {
  header: std_msgs.Header;
  id: string;
  instance_id: string;
  active: boolean;
  heartbeat_timeout: number;
  heartbeat_period: number;
}
export const Status = new RosMessage<Status>('bond/msg/Status', 'RIHS01_87eaccffa254ffffadc0b61600452e8251740f06c25659a2dbda4927fdb1f70a', [
  { name: 'header', type: std_msgs.Header },
  { name: 'id', type: 'string' },
  { name: 'instance_id', type: 'string' },
  { name: 'active', type: 'bool' },
  { name: 'heartbeat_timeout', type: 'float32' },
  { name: 'heartbeat_period', type: 'float32' },
]);
