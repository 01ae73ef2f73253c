// Written by scripts/generate-messages.ts from the definitions of std_msgs: do not edit.
import * as builtin_interfaces from './builtin_interfaces.ts';
import { RosMessage } from '../message.ts';

export type Empty = Record<never, never>;
export const Empty = new RosMessage<Empty>('std_msgs/msg/Empty', 'RIHS01_20b625256f32d5dbc0d04fee44f43c41e51c70d3502f84b4a08e7a9c26a96312', []);

export interface Header {
  stamp: builtin_interfaces.Time;
  frame_id: string;
}
export const Header = new RosMessage<Header>('std_msgs/msg/Header', 'RIHS01_f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01', [
  { name: 'stamp', type: builtin_interfaces.Time },
  { name: 'frame_id', type: 'string' },
]);

export interface String {
  data: string;
}
export const String = new RosMessage<String>('std_msgs/msg/String', 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18', [
  { name: 'data', type: 'string' },
]);
