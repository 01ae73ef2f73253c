// Written by scripts/generate-messages.ts from the definitions of rmw_dds_common: do not edit.
import { RosMessage } from '../message.ts';

export interface Gid {
  data: Uint8Array;
}
export const Gid = new RosMessage<Gid>('rmw_dds_common/msg/Gid', 'RIHS01_ab6f21cfbb0a6dbb837161e1110c2051a2850ed9f9c53944d7115d9bcebedf71', [
  { name: 'data', type: 'uint8', array: 16 },
]);

export interface NodeEntitiesInfo {
  node_namespace: string;
  node_name: string;
  reader_gid_seq: Gid[];
  writer_gid_seq: Gid[];
}
export const NodeEntitiesInfo = new RosMessage<NodeEntitiesInfo>('rmw_dds_common/msg/NodeEntitiesInfo', 'RIHS01_8ffef65ee2d088c63b1e8fcd31e800ba9fc8dbe0ee15ca60d1676de5218087a7', [
  { name: 'node_namespace', type: 'string', stringBound: 256 },
  { name: 'node_name', type: 'string', stringBound: 256 },
  { name: 'reader_gid_seq', type: Gid, array: 'sequence' },
  { name: 'writer_gid_seq', type: Gid, array: 'sequence' },
]);

export interface ParticipantEntitiesInfo {
  gid: Gid;
  node_entities_info_seq: NodeEntitiesInfo[];
}
export const ParticipantEntitiesInfo = new RosMessage<ParticipantEntitiesInfo>('rmw_dds_common/msg/ParticipantEntitiesInfo', 'RIHS01_91a0593bacdcc50ea9bdcf849a938b128412cc1ea821245c663bcd26f83c295e', [
  { name: 'gid', type: Gid },
  { name: 'node_entities_info_seq', type: NodeEntitiesInfo, array: 'sequence' },
]);
