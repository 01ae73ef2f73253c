import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CdrError, type MessageField } from './codec.ts';
import * as gen from './gen/index.ts';
import { Transition, TransitionEvent } from './gen/lifecycle_msgs.ts';
import { ParameterDescriptor } from './gen/rcl_interfaces.ts';
import { NodeEntitiesInfo } from './gen/rmw_dds_common.ts';
import { Delete, PodStatus, PodStatusArray } from './gen/roslet_msgs.ts';
import * as std_msgs from './gen/std_msgs.ts';
import { RosMessage } from './message.ts';

const all: RosMessage<object>[] = [
  ...gen.messages,
  ...gen.services.flatMap((service): RosMessage<object>[] => [service.request, service.response]),
];
const everyPrimitive = new RosMessage<Record<string, unknown>>(
  'a_msgs/msg/Everything',
  '',
  [
    ...(['bool', 'byte', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const),
    ...(['int64', 'uint64', 'float32', 'float64', 'string'] as const),
  ].flatMap((type): MessageField[] => [
    { name: `one_${type}`, type },
    { name: `three_${type}`, type, array: 3 },
    { name: `many_${type}`, type, array: 'sequence' },
    { name: `few_${type}`, type, array: 'sequence', bound: 2 },
  ]),
);

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

describe('what is on the wire', () => {
  test('a string has its length in bytes and a NUL', () => {
    expect(std_msgs.String.encode({ data: 'hé' })).toEqual(hex('00010000 04000000 68c3a900'));
  });

  test('values are aligned to their size, counted from behind the header', () => {
    const event = TransitionEvent.create({
      timestamp: 1n,
      transition: Transition.create({ id: Transition.TRANSITION_ACTIVATE, label: 'a' }),
      start_state: { id: 2, label: '' },
      goal_state: { id: 3, label: '' },
    });
    const cdr = hex(`00010000 0100000000000000
      03000000 02000000 6100 02 00 01000000 00 03 0000 01000000 00`);
    expect(TransitionEvent.encode(event)).toEqual(cdr);
    expect(TransitionEvent.decode(cdr)).toEqual(event);
  });

  test('a message without fields is one byte', () => {
    const { request } = gen.services.find(({ name }) => name === 'lifecycle_msgs/srv/GetState')!;
    expect(request.encode(request.create())).toEqual(hex('00010000 00'));
    expect(request.decode(hex('00010000 00'))).toEqual({});
  });

  test('big endian and plain XCDR2 are read, too', () => {
    expect(std_msgs.String.decode(hex('00000000 00000002 6100'))).toEqual({ data: 'a' });
    // In XCDR2 eight bytes are aligned to four.
    const fields: MessageField[] = [
      { name: 'a', type: 'uint32' },
      { name: 'b', type: 'uint64' },
    ];
    const message = new RosMessage<object>('a_msgs/msg/A', '', fields);
    expect(message.decode(hex('00070000 01000000 0200000000000000'))).toEqual({ a: 1, b: 2n });
  });

  test('what a later version of a type appends is left alone', () => {
    expect(std_msgs.String.decode(hex('00010000 02000000 6100 0000 05000000'))).toEqual({ data: 'a' });
  });
});

describe('a message', () => {
  test('starts with the default values of its definition', () => {
    expect(Delete.request.create({ pod_name: 'a' })).toEqual({
      pod_namespace: '',
      pod_name: 'a',
      grace_period_seconds: Delete.GRACE_PERIOD_OF_POD,
    });
    expect(ParameterDescriptor.create().read_only).toBe(false);
    expect(PodStatus.create().lifecycle_state).toEqual({ id: 0, label: '' });
    const message = new RosMessage<object>('a_msgs/msg/A', '', [
      { name: 'some', type: 'int64', array: 'sequence', defaultValue: [1n, 2n] },
      { name: 'three', type: 'string', array: 3 },
    ]);
    expect(message.create()).toEqual({ some: BigInt64Array.of(1n, 2n), three: ['', '', ''] });
  });

  test.each(all.map((message) => [message.name, message] as const))('%s survives the wire', (_, message) => {
    fc.assert(
      fc.property(arbitrary(message), (value) => {
        expect(message.decode(message.encode(value))).toEqual(value);
      }),
      { numRuns: 20 },
    );
  });

  test('every primitive survives the wire in every kind of array', () => {
    fc.assert(
      fc.property(arbitrary(everyPrimitive), (value) => {
        expect(everyPrimitive.decode(everyPrimitive.encode(value))).toEqual(value);
      }),
    );
  });

  test.each<[string, object, string]>([
    [
      'too large',
      { restart_count: 2 ** 32 },
      'restart_count of roslet_msgs/msg/PodStatus has to be uint32 and cannot be 4294967296',
    ],
    ['broken', { restart_count: 1.5 }, 'cannot be 1.5'],
    ['missing', { restart_count: undefined }, 'cannot be undefined'],
    [
      'of another type',
      { pod_name: 3 },
      'pod_name of roslet_msgs/msg/PodStatus has to be string and cannot be 3',
    ],
    ['too large for 64 bits', { memory_usage_bytes: 1n << 64n }, 'has to be uint64'],
    ['no array', { ips: 'x' }, 'ips of roslet_msgs/msg/PodStatus has to be string[] and cannot be "x"'],
    ['an array with something else in it', { ips: ['x', 1] }, 'cannot be Array of 2'],
    ['no message', { start_time: null }, 'has to be builtin_interfaces/msg/Time and cannot be null'],
  ])('with a value that is %s is refused with the field', (_, values, reason) => {
    expect(() => PodStatus.encode(PodStatus.create(values))).toThrow(reason);
  });

  test('with more than its bounds allow is refused', () => {
    const long = NodeEntitiesInfo.create({ node_name: 'é'.repeat(129) });
    expect(() => NodeEntitiesInfo.encode(long)).toThrow(
      'node_name of rmw_dds_common/msg/NodeEntitiesInfo has to be string<=256',
    );
    const range = { from_value: 0n, to_value: 1n, step: 1n };
    const twice = ParameterDescriptor.create({ integer_range: [range, range] });
    expect(() => ParameterDescriptor.encode(twice)).toThrow('has to be rcl_interfaces/msg/IntegerRange[<=1]');
    const short = everyPrimitive.create({ three_uint8: Uint8Array.of(1, 2) });
    expect(() => everyPrimitive.encode(short)).toThrow(
      'three_uint8 of a_msgs/msg/Everything has to be uint8[3] and cannot be Uint8Array of 2',
    );
  });
});

describe('a sample from anybody', () => {
  test.each<[string, string, string]>([
    ['nothing', '', 'A sample of 0 bytes is not a std_msgs/msg/String: it has no header'],
    ['a parameter list', '00030000 00000000', 'its encoding 0003 is none that ROS 2 uses'],
    ['a header alone', '00010000', 'it ends too early (field data)'],
    ['a string that is longer than the sample', '00010000 ffffffff 61', 'it ends too early (field data)'],
    ['a string that ends outside', '00010000 03000000 6100', 'it ends too early (field data)'],
  ])('that is %s is refused', (_, cdr, reason) => {
    expect(() => std_msgs.String.decode(hex(cdr))).toThrow(reason);
  });

  test('gives nothing of the memory beside it', () => {
    const memory = hex('00010000 09000000 73656372 65742100');
    expect(() => std_msgs.String.decode(memory.subarray(0, 10))).toThrow('it ends too early');
    const numbers = new RosMessage<object>('a_msgs/msg/A', '', [{ name: 'n', type: 'uint64' }]);
    expect(() => numbers.decode(memory.subarray(0, 8))).toThrow('it ends too early (field n)');
  });

  test.each(everyPrimitive.fields.filter(({ array }) => array === 'sequence'))(
    'with 4 billion elements of $name allocates nothing',
    (field) => {
      const message = new RosMessage<object>('a_msgs/msg/A', '', [field]);
      expect(() => message.decode(hex('00010000 ffffffff 00000000 00000000'))).toThrow('4294967295 elements');
    },
  );

  test('with 4 billion messages allocates nothing', () => {
    const header = hex('00010000 00000000 00000000 01000000 00000000 ffffffff');
    expect(() => PodStatusArray.decode(header)).toThrow(
      '4294967295 elements do not fit into it (field pods)',
    );
  });

  test('is a message or an error, whatever its bytes are', () => {
    const cdr = fc
      .tuple(fc.constantFrom(0, 1, 6, 7), fc.uint8Array({ maxLength: 300 }))
      .map(([kind, bytes]) => Uint8Array.of(0, kind, 0, 0, ...bytes));
    fc.assert(
      fc.property(
        fc.constantFrom(...all, everyPrimitive),
        fc.oneof(fc.uint8Array(), cdr),
        (message, sample) => {
          try {
            message.decode(sample);
          } catch (error) {
            expect(error).toBeInstanceOf(CdrError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('that was cut or changed on the way is a message or an error', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(arbitrary(PodStatusArray), fc.array(change), fc.nat(), (value, changes, length) => {
        const sample = PodStatusArray.encode(value as unknown as PodStatusArray);
        for (const [at, byte] of changes) sample[4 + (at % (sample.length - 4))] = byte;
        try {
          PodStatusArray.decode(sample.slice(0, 4 + (length % (sample.length - 4))));
        } catch (error) {
          expect(error).toBeInstanceOf(CdrError);
        }
      }),
    );
  });
});

/** Any value of the type. */
function arbitrary(message: RosMessage<object>): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(message.fields.map((field) => [field.name, fieldArbitrary(field)])));
}

function fieldArbitrary(field: MessageField): fc.Arbitrary<unknown> {
  const element = elementArbitrary(field);
  if (field.array === undefined) return element;
  const length =
    field.array === 'sequence'
      ? { maxLength: Math.min(field.bound ?? 4, 4) }
      : { minLength: field.array, maxLength: field.array };
  const elements = fc.array(element, length);
  const { type } = field;
  if (typeof type !== 'string' || type === 'bool' || type === 'string') return elements;
  const arrayType = everyPrimitive.create()[`many_${type}`]!.constructor as new (
    elements: unknown,
  ) => unknown;
  return elements.map((values) => new arrayType(values));
}

function elementArbitrary({ type, stringBound }: MessageField): fc.Arbitrary<unknown> {
  if (typeof type !== 'string') return arbitrary(type as RosMessage<object>);
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'string':
      // A lone surrogate is no text and becomes a replacement character.
      return fc
        .string({ unit: 'binary', maxLength: Math.min(stringBound ?? 20, 20) })
        .map((text) => text.toWellFormed());
    case 'float32':
      return fc.float();
    case 'float64':
      return fc.double();
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    default: {
      const bits = type === 'byte' ? 8 : Number(/\d+/.exec(type)![0]);
      return type.startsWith('int')
        ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
        : fc.integer({ min: 0, max: 2 ** bits - 1 });
    }
  }
}
