import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRosProbe, RosProbeError } from './ros-spec.ts';

const parse = (line: string) => parseRosProbe(line.split(' '));

describe('a ros2-probe command', () => {
  test.each([
    [
      'ros2-probe heartbeat /camera/heartbeat --deadline 100ms',
      { kind: 'heartbeat', topic: '/camera/heartbeat', deadlineMs: 100 },
    ],
    ['ros2-probe heartbeat --deadline=1.5s /hb', { kind: 'heartbeat', topic: '/hb', deadlineMs: 1500 }],
    ['ros2-probe liveliness /image --lease 500ms', { kind: 'liveliness', topic: '/image', leaseMs: 500 }],
    ['ros2-probe node /robot/camera', { kind: 'node', node: '/robot/camera' }],
    ['ros2-probe lifecycle /camera --state active', { kind: 'lifecycle', node: '/camera', state: 'active' }],
    ['ros2-probe topic /scan --min-rate 0.5', { kind: 'topic', topic: '/scan', minRateHz: 0.5 }],
    [
      'ros2-probe topic /scan --min-rate 10 --max-age 2s',
      { kind: 'topic', topic: '/scan', minRateHz: 10, maxAgeMs: 2000 },
    ],
    ['ros2-probe bond /bond --id cam', { kind: 'bond', topic: '/bond', id: 'cam' }],
  ])('%s', (line, spec) => {
    expect(parse(line)).toEqual(spec);
  });

  test.each([
    ['ros2-probe', 0, 'needs a kind'],
    ['ros2-probe heartbeet /a', 1, 'did you mean heartbeat?'],
    ['ros2-probe heartbeat --deadline 1s', 1, 'needs the topic'],
    ['ros2-probe heartbeat /a', 1, 'needs --deadline'],
    ['ros2-probe heartbeat /a --deadline', 3, 'needs a value'],
    ['ros2-probe heartbeat /a --deadlin 1s', 3, 'did you mean --deadline?'],
    ['ros2-probe heartbeat /a --deadline soon', 4, 'must be a duration'],
    ['ros2-probe heartbeat /a --deadline 0s', 4, 'must be a duration'],
    ['ros2-probe heartbeat /a --deadline 1s --deadline 2s', 5, 'is given twice'],
    ['ros2-probe heartbeat /a /b --deadline 1s', 3, 'one word too many'],
    ['ros2-probe heartbeat camera --deadline 1s', 2, 'beginning with "/"'],
    ['ros2-probe node /camera-1', 2, 'is no ROS 2 name'],
    ['ros2-probe node /1st', 2, 'is no ROS 2 name'],
    ['ros2-probe node /a__b', 2, 'is no ROS 2 name'],
    ['ros2-probe node /a --state active', 3, 'node has no options'],
    ['ros2-probe topic /a --min-rate 0', 4, 'must be a rate'],
    ['ros2-probe topic /a --min-rate fast', 4, 'must be a rate'],
  ])('%s is refused at word %i: %s', (line, word, message) => {
    const error = catchError(() => parse(line));
    expect(error).toBeInstanceOf(RosProbeError);
    expect((error as RosProbeError).word).toBe(word);
    expect((error as RosProbeError).message).toContain(message);
  });

  test('is parsed or refused with a sentence, whatever it is', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'heartbeat',
        'topic',
        'node',
        '/a',
        '--deadline',
        '--min-rate=3',
        '1s',
        '--constructor',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const error = catchError(() => parseRosProbe(['ros2-probe', ...words]));
        if (error === undefined) return;
        expect(error).toBeInstanceOf(RosProbeError);
        expect((error as RosProbeError).word).toBeLessThanOrEqual(words.length);
      }),
    );
  });
});

function catchError(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
