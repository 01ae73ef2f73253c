import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Log } from './gen/rcl_interfaces.ts';
import { findMessageType, UnknownTypeError } from './installed.ts';

let prefix: string;
beforeEach(async () => {
  prefix = await mkdtemp(join(tmpdir(), 'roslet-types-'));
});
afterEach(() => rm(prefix, { recursive: true, force: true }));

async function install(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(prefix, 'share', path)), { recursive: true });
    await writeFile(join(prefix, 'share', path), text);
  }
}

const time = { 'builtin_interfaces/msg/Time.msg': 'int32 sec\nuint32 nanosec\n' };
const header = { ...time, 'std_msgs/msg/Header.msg': 'builtin_interfaces/Time stamp\nstring frame_id\n' };

describe('a type that a ROS 2 package installs', () => {
  test('is read with all that it is made of', async () => {
    await install({
      ...header,
      'sensor_msgs/msg/Range.msg': `# a comment
        std_msgs/Header header  # another
        uint8 ULTRASOUND=0
        uint8 radiation_type
        float32 field_of_view
        float32 min_range
        float32 max_range
        float32 range
        float32 variance`,
    });
    const type = await findMessageType('sensor_msgs/msg/Range', ['/nowhere', prefix]);
    // As Jazzy has it.
    expect(type.typeHash).toBe('RIHS01_b42b62562e93cbfe9d42b82fe5994dfa3d63d7d5c90a317981703f7388adff3a');
    const message = {
      ...type.create(),
      range: 1.5,
      header: { stamp: { sec: 1, nanosec: 2 }, frame_id: 'base' },
    };
    expect(type.decode(type.encode(message))).toEqual(message);
  });

  test('may name types of its own package and have bounds and defaults', async () => {
    await install({
      'a_msgs/msg/B.msg': 'byte[<=2] b [1, 2]',
      'a_msgs/msg/A.msg': 'B[2] one\na_msgs/B two\na_msgs/msg/B three\nstring<=3 name "abc"',
    });
    const type = await findMessageType('a_msgs/msg/A', [prefix]);
    const b = { b: Uint8Array.of(1, 2) };
    expect(type.create()).toEqual({ one: [b, b], two: b, three: b, name: 'abc' });
    expect(() => type.encode({ ...type.create(), name: 'abcd' })).toThrow('string<=3');
  });

  test('is not looked for when roslet knows it', async () => {
    expect(await findMessageType('rcl_interfaces/msg/Log', [])).toBe(Log);
  });

  test.each<[string, string, Record<string, string>, string]>([
    ['is nowhere', 'a_msgs/msg/A', {}, 'There is no definition of a_msgs/msg/A: it is not below'],
    [
      'needs another',
      'a_msgs/msg/A',
      { 'a_msgs/msg/A.msg': 'B b' },
      'a_msgs/msg/B, which a_msgs/msg/A is made of',
    ],
    ['is only IDL', 'a_msgs/msg/A', { 'a_msgs/msg/A.idl': '' }, 'A.idl alone, and roslet reads .msg files'],
    [
      'is broken',
      'a_msgs/msg/A',
      { 'a_msgs/msg/A.msg': 'int32' },
      'The definition of a_msgs/msg/A cannot be read',
    ],
    ['has wide strings', 'a_msgs/msg/A', { 'a_msgs/msg/A.msg': 'wstring w' }, 'its field w is a wstring'],
    [
      'holds itself',
      'a_msgs/msg/A',
      { 'a_msgs/msg/A.msg': 'B b', 'a_msgs/msg/B.msg': 'A[] a' },
      'is part of itself',
    ],
    ['is a service', 'a_msgs/srv/A', {}, 'is not the name of a message type'],
    ['is a path', '../../etc/msg/Passwd', {}, '"../../etc/msg/Passwd" is not the name of a message type'],
  ])('that %s is refused with the reason', async (_, name, files, reason) => {
    await install(files);
    const refused = expect(findMessageType(name, [prefix])).rejects;
    await refused.toThrow(reason);
    await refused.toBeInstanceOf(UnknownTypeError);
  });

  test('without a sourced workspace is refused with what to do', async () => {
    await expect(findMessageType('nav_msgs/msg/Odometry', [])).rejects.toThrow(
      'AMENT_PREFIX_PATH is empty. Source the workspace that has the package nav_msgs.',
    );
  });
});
