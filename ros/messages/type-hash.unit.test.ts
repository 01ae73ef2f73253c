import { describe, expect, test } from 'vitest';
import { parseMessage, parseService } from './definition.ts';
import { messages, services } from './gen/index.ts';
import { messageTypeHash, serviceTypeHash } from './type-hash.ts';

/** What `ros2 topic info -v` and the installed type descriptions say on Jazzy and Kilted, where they are the same. */
const known: [string, string][] = [
  ['builtin_interfaces/msg/Duration', 'e8d009f659816f758b75334ee1a9ca5b5c0b859843261f14c7f937349599d93b'],
  ['builtin_interfaces/msg/Time', 'b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197'],
  ['diagnostic_msgs/msg/DiagnosticArray', '5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e'],
  [
    'diagnostic_msgs/msg/DiagnosticStatus',
    'b0e3e692ea2d54a8af2f4ef1930e81556a2db55216b771f8a7d2724ed47bf0e4',
  ],
  ['diagnostic_msgs/msg/KeyValue', 'd68081eaa540288c5440753baecef0c4e16e81a5f78ad68902ded5100413bb42'],
  ['lifecycle_msgs/msg/State', 'dd2d02b82f3ebc858e53c431b1e6e91f3ffc71436fc81d0715214ac6ee2107a0'],
  ['lifecycle_msgs/msg/Transition', 'c65d7b31ea134cba4f54fc867b817979be799f7452035cd35fac9b7421fb3424'],
  [
    'lifecycle_msgs/msg/TransitionDescription',
    'c5f1cd4bb1ad2ba0e3329d4ac7015c52a674a72c1faf7974c37a33f4f6048b28',
  ],
  ['lifecycle_msgs/msg/TransitionEvent', 'd5f8873a2f0146498f812d7885c7327ce27e463d36811d8792f35ee38c0d6c38'],
  [
    'rcl_interfaces/msg/FloatingPointRange',
    'e6af23a23c177fee5f3075c8b1e435162a9b63c863d78c06017460b49684262d',
  ],
  ['rcl_interfaces/msg/IntegerRange', 'f7b7fdc0f65f07702e099218e13288c3963bcb9345bde78b560e6cd19800fc5a'],
  [
    'rcl_interfaces/msg/ListParametersResult',
    '237ae3428413dcbcfb452b510c42355f3a2b021dc091afa3e18526d57022f1cd',
  ],
  ['rcl_interfaces/msg/Log', 'e28ce254ca8abc06abf92773b74602cdbf116ed34fbaf294fb9f81da9f318eac'],
  ['rcl_interfaces/msg/Parameter', 'ddfe6442cffc462317adb5c92536a7b6dd55858c5c3e1e328165a6b73c2831af'],
  [
    'rcl_interfaces/msg/ParameterDescriptor',
    '52175dbfda6c51153101d33d2a9da05743f66f02d5ab2ca9ec4709b46b73d704',
  ],
  ['rcl_interfaces/msg/ParameterEvent', '043e627780fcad87a22d225bc2a037361dba713fca6a6b9f4b869a5aa0393204'],
  ['rcl_interfaces/msg/ParameterType', 'df29ed057a834862187be24dd187d981790ff3ea6502f4cd27b432cbc42c6d46'],
  ['rcl_interfaces/msg/ParameterValue', '115fc089a387e23c7ecd3525c9189c379109119d6ab82e8dfbde0fdf6a7f9b68'],
  [
    'rcl_interfaces/msg/SetParametersResult',
    'cfcc0fb0371ee5159b403960ef4300f8f9d2f1fd6117c8666b7f9654d528a9b1',
  ],
  ['rmw_dds_common/msg/Gid', 'ab6f21cfbb0a6dbb837161e1110c2051a2850ed9f9c53944d7115d9bcebedf71'],
  ['rmw_dds_common/msg/NodeEntitiesInfo', '8ffef65ee2d088c63b1e8fcd31e800ba9fc8dbe0ee15ca60d1676de5218087a7'],
  [
    'rmw_dds_common/msg/ParticipantEntitiesInfo',
    '91a0593bacdcc50ea9bdcf849a938b128412cc1ea821245c663bcd26f83c295e',
  ],
  ['service_msgs/msg/ServiceEventInfo', '41bcbbe07a75c9b52bc96bfd5c24d7f0fc0a08c0cb7921b3373c5732345a6f45'],
  ['std_msgs/msg/Empty', '20b625256f32d5dbc0d04fee44f43c41e51c70d3502f84b4a08e7a9c26a96312'],
  ['std_msgs/msg/Header', 'f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01'],
  ['std_msgs/msg/String', 'df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18'],
  ['lifecycle_msgs/srv/ChangeState', '356fe34f0475a43acf54542013af4167b0e729f77ea22ffb045c6ad8e20668e5'],
  [
    'lifecycle_msgs/srv/GetAvailableStates',
    '00a07d79d2207d71e81a8cbc1880e5d924cc16d4688ea8e8e06e443dc8f8aa1d',
  ],
  [
    'lifecycle_msgs/srv/GetAvailableTransitions',
    '59b7ecefce0982a8a844b9f2c4f14764c1c4543cc55e72924e2aa4adad83e9bc',
  ],
  ['lifecycle_msgs/srv/GetState', '800a0a5aae599782b02932de0caf563f6dc4e7e94b794eadde075ba2cbef9795'],
  [
    'rcl_interfaces/srv/DescribeParameters',
    '845b484d71eb0673dae682f2e3ba3c4851a65a3dcfb97bddd82c5b57e91e4cff',
  ],
  [
    'rcl_interfaces/srv/GetParameterTypes',
    'da199c878688b3e530bdfe3ca8f74cb9fa0c303101e980a9e8f260e25e1c80ca',
  ],
  ['rcl_interfaces/srv/GetParameters', 'bf9803d5c74cf989a5de3e0c2e99444599a627c7ff75f97b8c05b01003675cbc'],
  ['rcl_interfaces/srv/ListParameters', '3e6062bfbb27bfb8730d4cef2558221f51a11646d78e7bb30a1e83afac3aad9d'],
  ['rcl_interfaces/srv/SetParameters', '56eed9a67e169f9cb6c1f987bc88f868c14a8fc9f743a263bc734c154015d7e0'],
  [
    'rcl_interfaces/srv/SetParametersAtomically',
    '0e192ef259c07fc3c07a13191d27002222e65e00ccec653ca05e856f79285fcd',
  ],
];

describe('the hash of a type', () => {
  test.each(known)('%s has the hash that a ROS 2 distribution gives it', (name, hash) => {
    const type = [...messages, ...services].find((candidate) => candidate.name === name);
    expect(type?.typeHash).toBe(`RIHS01_${hash}`);
  });

  test('every type that comes from another package is in the table', () => {
    const names = [...messages, ...services].map(({ name }) => name);
    const foreign = names.filter((name) => !/^(roslet_msgs|bond)\//.test(name));
    expect(known.map(([name]) => name).sort()).toEqual(foreign.sort());
  });

  const none = (name: string): never => {
    throw new Error(`${name} is not defined here`);
  };

  test('covers arrays, bounds and every primitive', () => {
    // Hashes of test_msgs as Jazzy has them.
    const hash = (name: string, text: string) => messageTypeHash(parseMessage(name, text), none);
    expect(
      hash(
        'test_msgs/msg/BasicTypes',
        `bool bool_value
         byte byte_value
         char char_value
         float32 float32_value
         float64 float64_value
         int8 int8_value
         uint8 uint8_value
         int16 int16_value
         uint16 uint16_value
         int32 int32_value
         uint32 uint32_value
         int64 int64_value
         uint64 uint64_value`,
      ),
    ).toBe('RIHS01_7c300afd4e796798d49bdd6cdaa0fa87fa0ed2ba3217d977e1faa87070d797ab');
    expect(
      hash(
        'test_msgs/msg/WStrings',
        `wstring wstring_value
         wstring wstring_value_default1 "Hello world!"
         wstring wstring_value_default2 "Hellö wörld!"
         wstring wstring_value_default3 "ハローワールド"
         wstring[3] array_of_wstrings
         wstring[<=3] bounded_sequence_of_wstrings
         wstring[] unbounded_sequence_of_wstrings`,
      ),
    ).toBe('RIHS01_5a2c8ddb2054600023b9a180652f2ba895373217cad4b1f0fc1258c9e4424a79');
    expect(
      hash(
        'test_msgs/msg/Strings',
        String.raw`string string_value
         string string_value_default1 "Hello world!"
         string string_value_default2 "Hello'world!"
         string string_value_default3 'Hello"world!'
         string string_value_default4 'Hello\'world!'
         string string_value_default5 "Hello\"world!"
         string STRING_CONST="Hello world!"
         string<=22 bounded_string_value
         string<=22 bounded_string_value_default1 "Hello world!"
         string<=22 bounded_string_value_default2 "Hello'world!"
         string<=22 bounded_string_value_default3 'Hello"world!'
         string<=22 bounded_string_value_default4 'Hello\'world!'
         string<=22 bounded_string_value_default5 "Hello\"world!"`,
      ),
    ).toBe('RIHS01_eee55533636293ac7c94c62432eedb5777eb849847d2a17b4dcead8c4a20ab32');
  });

  test('depends on names, types and order, and not on constants, defaults and comments', () => {
    const hash = (text: string) => messageTypeHash(parseMessage('a_msgs/msg/A', text), none);
    const same = hash('uint8 a\nstring b');
    expect(hash('# text\nuint8 X=3\nuint8 a 7  # text\nstring b "x"')).toBe(same);
    for (const other of [
      'string b\nuint8 a',
      'uint8 c\nstring b',
      'byte a\nstring b',
      'uint8 a\nstring<=9 b',
    ]) {
      expect(hash(other)).not.toBe(same);
    }
  });

  test('a type that refers to one which is nowhere has none', () => {
    const definition = parseService('a_msgs/srv/A', '---\nB b');
    expect(() => serviceTypeHash(definition, none)).toThrow('a_msgs/msg/B is not defined here');
  });
});
