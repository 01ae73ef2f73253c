import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPod } from './defaults.ts';
import { formatFieldError } from './errors.ts';
import { formatCondition, parseStartOrder, type StartCondition } from './start-order.ts';
import { validatePod } from './validate.ts';

const problems = (annotations: Record<string, string>): string[] =>
  validatePod(
    defaultPod({ metadata: { name: 'p', annotations }, spec: { containers: [{ name: 'a', image: 'i' }] } }),
  ).map(formatFieldError);

describe('the start order of a pod', () => {
  it('is read', () => {
    expect(
      parseStartOrder('pod/localization,pod/other/x  inactive , topic /map,node /a/b, service /s_1'),
    ).toEqual([
      { kind: 'pod', name: 'localization', state: 'active' },
      { kind: 'pod', namespace: 'other', name: 'x', state: 'inactive' },
      { kind: 'topic', name: '/map' },
      { kind: 'node', name: '/a/b' },
      { kind: 'service', name: '/s_1' },
    ]);
  });

  it('is written as it is read', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const ros = fc.stringMatching(/^(\/[A-Za-z_][A-Za-z0-9_]{0,5}){1,3}$/);
    const condition: fc.Arbitrary<StartCondition> = fc.oneof(
      fc.record({
        kind: fc.constant('pod' as const),
        name,
        state: fc.constantFrom('inactive' as const, 'active' as const, 'finalized' as const),
      }),
      fc.record({ kind: fc.constantFrom('topic' as const, 'node' as const, 'service' as const), name: ros }),
    );
    fc.assert(
      fc.property(fc.array(condition, { minLength: 1, maxLength: 5 }), (conditions) => {
        expect(parseStartOrder(conditions.map(formatCondition).join(', '))).toEqual(conditions);
      }),
    );
  });

  it('never fails but with a sentence', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const [problem] = problems({ 'roslet.dev/after': text });
        expect(problem ?? 'metadata.annotations[roslet.dev/after]').toContain(
          'metadata.annotations[roslet.dev/after]',
        );
      }),
    );
  });
});

describe('annotations of ours are refused', () => {
  it.each([
    ['roslet.dev/after', '', 'must be conditions separated by single commas'],
    ['roslet.dev/after', 'topic /a,,topic /b', 'must be conditions separated by single commas'],
    ['roslet.dev/after', 'localization', 'must have conditions pod/NAME [STATE]'],
    ['roslet.dev/after', 'topics /map', 'did you mean "topic /NAME"?'],
    ['roslet.dev/after', 'pods/x', 'did you mean "pod/NAME"?'],
    ['roslet.dev/after', 'topic map', 'has the topic "map", which must be fully qualified: "/map"'],
    ['roslet.dev/after', 'topic /2d', 'none starting with a digit'],
    ['roslet.dev/after', 'topic', 'must name one topic'],
    ['roslet.dev/after', 'node /a b', 'must name one node'],
    ['roslet.dev/after', 'pod/x running', 'must have one state of inactive, active, finalized behind a pod'],
    ['roslet.dev/after', 'pod/X', 'has the pod "X", whose name must have only lower case letters'],
    ['roslet.dev/after', 'pod/a/b/c', 'must be pod/NAME or pod/NAMESPACE/NAME'],
    ['roslet.dev/autostart', 'no', 'must be "true" or "false": "no"'],
    ['roslet.dev/transition-timeout', '5', 'must be a duration above 0'],
    ['roslet.dev/transition-timeout', '0s', 'must be a duration above 0'],
    ['roslet.dev/autostrat', 'false', "is no annotation of roslet's; did you mean roslet.dev/autostart?"],
    ['roslet.dev/x', 'y', "is no annotation of roslet's; known are autostart"],
  ])('%s: %j', (name, value, message) => {
    expect(problems({ [name]: value })).toEqual([expect.stringContaining(message)]);
    expect(problems({ [name]: value })[0]).toContain(`metadata.annotations[${name}]: `);
  });

  it('but for good ones, and those of others', () => {
    expect(
      problems({
        'roslet.dev/after': 'pod/x',
        'roslet.dev/autostart': 'false',
        'roslet.dev/transition-timeout': '1m30s',
        'roslet.dev/manifest-file': '/etc/x.yaml',
        'example.com/roslet.dev': 'x',
      }),
    ).toEqual([]);
  });
});
