import { describe, expect, it } from 'vitest';
import type { NodeSelectorTerm, Pod, Toleration } from '../api/core.gen.ts';
import { matchesNode, tolerates } from './placement.ts';

const node = { name: 'robot', labels: { arm: 'left', axes: '6', empty: '' } };
const requiring = (...nodeSelectorTerms: NodeSelectorTerm[]): Pod => ({
  spec: {
    containers: [],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  },
});
const expression = (key: string, operator: string, ...values: string[]): NodeSelectorTerm => ({
  matchExpressions: [{ key, operator, values }],
});

describe('matchesNode', () => {
  const cases: [string, NodeSelectorTerm[], boolean][] = [
    ['In one of the values', [expression('arm', 'In', 'right', 'left')], true],
    ['In none of the values', [expression('arm', 'In', 'right')], false],
    ['In without the label', [expression('leg', 'In', '')], false],
    ['NotIn another value', [expression('arm', 'NotIn', 'right')], true],
    ['NotIn without the label', [expression('leg', 'NotIn', 'x')], true],
    ['NotIn its value', [expression('arm', 'NotIn', 'left')], false],
    ['Exists with an empty value', [expression('empty', 'Exists')], true],
    ['Exists without the label', [expression('leg', 'Exists')], false],
    ['DoesNotExist', [expression('leg', 'DoesNotExist')], true],
    ['DoesNotExist with the label', [expression('arm', 'DoesNotExist')], false],
    ['Gt', [expression('axes', 'Gt', '5')], true],
    ['Gt of the same', [expression('axes', 'Gt', '6')], false],
    ['Lt', [expression('axes', 'Lt', '7')], true],
    ['Gt of a word', [expression('arm', 'Gt', '1')], false],
    ['an operator that there is not', [expression('arm', 'Like', 'left')], false],
    ['a name that objects have anyway', [expression('toString', 'Exists')], false],
    ['any of the terms', [expression('arm', 'In', 'right'), expression('axes', 'Exists')], true],
    [
      'all of a term',
      [
        {
          matchExpressions: [
            { key: 'arm', operator: 'Exists' },
            { key: 'leg', operator: 'Exists' },
          ],
        },
      ],
      false,
    ],
    [
      'the node by name',
      [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['robot'] }] }],
      true,
    ],
    [
      'another node by name',
      [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['other'] }] }],
      false,
    ],
    ['an empty term', [{}], false],
    ['no term', [], false],
  ];
  it.each(cases)('%s', (_, terms, expected) => expect(matchesNode(requiring(...terms), node)).toBe(expected));
  it('needs the node selector as well', () => {
    const pod = requiring(expression('arm', 'Exists'));
    pod.spec!.nodeSelector = { arm: 'right' };
    expect(matchesNode(pod, node)).toBe(false);
  });
});

describe('tolerates', () => {
  const taint = { key: 'off', value: 'yes', effect: 'NoExecute' };
  const cases: [string, Toleration, boolean][] = [
    ['the same value', { key: 'off', value: 'yes' }, true],
    ['another value', { key: 'off', value: 'no' }, false],
    ['any value', { key: 'off', operator: 'Exists' }, true],
    ['another key', { key: 'on', operator: 'Exists' }, false],
    ['everything', { operator: 'Exists' }, true],
    ['the same effect', { operator: 'Exists', effect: 'NoExecute' }, true],
    ['another effect', { operator: 'Exists', effect: 'NoSchedule' }, false],
    ['nothing without a key', { value: 'yes' }, false],
  ];
  it.each(cases)('%s', (_, toleration, expected) => expect(tolerates(toleration, taint)).toBe(expected));
});
