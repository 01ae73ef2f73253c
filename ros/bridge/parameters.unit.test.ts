import { describe, expect, it } from 'vitest';
import { listParameters, parametersOf } from './parameters.ts';

describe('the configuration as parameters', () => {
  it('has a type for every value', () => {
    const found = parametersOf({
      maxPods: 5,
      logging: { format: 'text', verbosity: 1.5 },
      list: ['a'],
      taints: [{ key: 'x' }],
      empty: {},
      isOn: true,
      unset: undefined,
    });
    const shown = [...found].map(([name, value]) => [name, value.type]);
    expect(Object.fromEntries(shown)).toEqual({
      use_sim_time: 1,
      maxPods: 2,
      'logging.format': 4,
      'logging.verbosity': 3,
      list: 9,
      taints: 4,
      empty: 4,
      isOn: 1,
    });
    expect(found.get('taints')?.string_value).toBe('[{"key":"x"}]');
    expect(found.get('maxPods')?.integer_value).toBe(5n);
  });
});

describe('list_parameters', () => {
  const names = ['a', 'b.c', 'b.d.e', 'bc'];
  it.each<[string[], bigint, string[], string[]]>([
    [[], 0n, ['a', 'b.c', 'b.d.e', 'bc'], ['b', 'b.d']],
    [[], 1n, ['a', 'bc'], []],
    [[], 2n, ['a', 'b.c', 'bc'], ['b']],
    [['b'], 0n, ['b.c', 'b.d.e'], ['b', 'b.d']],
    [['b'], 1n, ['b.c'], ['b']],
    [['a'], 1n, ['a'], []],
    [['x'], 0n, [], []],
  ])('of %j to depth %s', (prefixes, depth, expected, above) => {
    expect(listParameters(names, { prefixes, depth })).toEqual({ names: expected, prefixes: above });
  });
});
