/** Our message types against ROS 2's own: what its generator makes of our definitions, and what it puts on the wire. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DiagnosticStatus } from '../../ros/messages/gen/diagnostic_msgs.ts';
import { messages, services } from '../../ros/messages/gen/index.ts';
import { TransitionEvent } from '../../ros/messages/gen/lifecycle_msgs.ts';
import { ParameterValue } from '../../ros/messages/gen/rcl_interfaces.ts';
import { PodStatus, PodStatusArray } from '../../ros/messages/gen/roslet_msgs.ts';
import { findMessageType } from '../../ros/messages/installed.ts';
import type { RosMessage } from '../../ros/messages/message.ts';
import { installJazzy, type RosPeer, startRosPeer } from '../peers/ros/peer.ts';

let installed: { jazzy: string; messages: string };
let peer: RosPeer;
beforeAll(async () => {
  installed = await installJazzy();
  peer = await startRosPeer('rclpy', { domainId: 60, name: 'codec' });
}, 900_000);
afterAll(() => peer?.stop());

describe('roslet_msgs', () => {
  test('builds with colcon, and ROS 2 gives its types the hashes that we do', () => {
    const ours = [...messages, ...services].filter(({ name }) => name.startsWith('roslet_msgs/'));
    expect(ours.length).toBeGreaterThan(10);
    for (const { name, typeHash } of ours) {
      const [, kind, shortName] = name.split('/');
      const path = join(installed.messages, 'share', 'roslet_msgs', kind!, `${shortName}.json`);
      const described: { type_hashes: { type_name: string; hash_string: string }[] } = JSON.parse(
        readFileSync(path, 'utf8'),
      );
      const theirs = described.type_hashes.find(({ type_name }) => type_name === name);
      expect(typeHash, name).toBe(theirs?.hash_string);
    }
  });
});

describe('rclpy reads what we write and writes what we read', () => {
  const pod = PodStatus.create({
    stamp: { sec: 1795617453, nanosec: 434_955_547 },
    robot: 'r2',
    pod_name: 'caméra',
    waits_for: ['pod/localization active', ''],
    phase: PodStatus.PHASE_RUNNING,
    ready: true,
    ips: ['10.0.0.1'],
    dds_domain_id: -1,
    cpu_usage_cores: 0.125,
    memory_usage_bytes: 123_456_789n,
  });

  test.each<[RosMessage<object>, object]>([
    [PodStatus, pod],
    [PodStatusArray, PodStatusArray.create({ robot: 'r2', pods: [pod, PodStatus.create()] })],
    [TransitionEvent, TransitionEvent.create({ timestamp: 9_007_199_254_740_991n })],
    [
      DiagnosticStatus,
      DiagnosticStatus.create({ level: DiagnosticStatus.ERROR, values: [{ key: 'a', value: 'b' }] }),
    ],
    [
      ParameterValue,
      ParameterValue.create({
        bool_array_value: [true, false],
        byte_array_value: Uint8Array.of(0, 255),
        integer_array_value: BigInt64Array.of(-1n, 2n),
        double_array_value: Float64Array.of(0.5, -1e300),
        string_array_value: ['', 'x'],
      }),
    ],
  ])('$name', async (type, message) => {
    const theirs = Buffer.from(await peer.serialize(type.name, toJson(message)), 'hex');
    expect(type.decode(theirs)).toEqual(message);
    const ours = Buffer.from(type.encode(message));
    expect(await peer.deserialize(type.name, ours.toString('hex'))).toEqual(toJson(message));
    // Not byte by byte: theirs has what happened to be in the memory between values.
    expect(ours.length).toBe(theirs.length);
  });

  test('geometry_msgs/msg/PoseWithCovarianceStamped, which only its package defines', async () => {
    const type = await findMessageType('geometry_msgs/msg/PoseWithCovarianceStamped', [installed.jazzy]);
    const message = type.create();
    Object.assign(message, { header: { stamp: { sec: 1, nanosec: 2 }, frame_id: 'map' } });
    const bytes = Buffer.from(await peer.serialize(type.name, toJson(message)), 'hex');
    expect(type.decode(bytes)).toEqual(message);
  });
});

/** 64-bit integers as numbers, typed arrays as arrays. */
function toJson(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (_, part) => {
      if (typeof part === 'bigint') return Number(part);
      return ArrayBuffer.isView(part)
        ? [...(part as Uint8Array)].map((item) => (typeof item === 'bigint' ? Number(item) : item))
        : part;
    }),
  );
}
