/** Two types of ROS 2 with hand-written CDR, for tests of what carries them. */
import { Restart } from '../messages/gen/roslet_msgs.ts';
import type { MessageType, QosProfile, ServiceType } from '../transport.ts';

export interface Text {
  data: string;
}

/** std_msgs/msg/String */
export const textType: MessageType<Text> = {
  name: 'std_msgs/msg/String',
  typeHash: 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18',
  encode: ({ data }) => {
    const text = Buffer.from(`${data}\0`);
    const head = Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32LE(text.length, 4);
    return Buffer.concat([head, text]);
  },
  decode: (cdr) => {
    const bytes = Buffer.from(cdr);
    if (bytes.length < 8 || bytes[1] !== 1) throw new Error('not a string in little endian CDR');
    const length = bytes.readUInt32LE(4);
    if (length < 1 || 8 + length > bytes.length) throw new Error('the string is longer than the message');
    return { data: bytes.toString('utf8', 8, 7 + length) };
  },
};

/** Has a string each way: one field of a service that every ROS 2 with our messages knows. */
export const echoType: ServiceType<Text, Text> = {
  name: Restart.name,
  typeHash: Restart.typeHash,
  request: {
    ...textType,
    encode: ({ data }) => Restart.request.encode({ pod_namespace: '', pod_name: data, container: '' }),
    decode: (cdr) => ({ data: Restart.request.decode(cdr).pod_name }),
  },
  response: {
    ...textType,
    encode: ({ data }) => Restart.response.encode({ success: true, message: data }),
    decode: (cdr) => ({ data: Restart.response.decode(cdr).message }),
  },
};

export const latched: QosProfile = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 1,
};
export const reliable: QosProfile = { ...latched, durability: 'volatile', depth: 100 };
export const sensorData: QosProfile = { ...reliable, reliability: 'best_effort', depth: 5 };
