import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import type { Pod } from '../api/core.gen.ts';
import { describeEvents } from './describe-events.ts';
import { describePod } from './describe-pod.ts';
import { formatRow, formatTable } from './output.ts';
import { printObject } from './print-object.ts';
import { visible, visibleLine } from './visible.ts';

const hostile = '\x1b]0;owned\x07a\rb\x9b2J\x7f';

/** Colours, which are ours, are off where the output is no terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const rawControl = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

const pod: Pod = {
  metadata: { name: 'a', namespace: 'default', annotations: { note: `first\n${hostile}` } },
  spec: {
    containers: [{ name: 'main', image: hostile, command: [hostile], env: [{ name: 'X', value: hostile }] }],
  },
  status: { phase: 'Failed', reason: hostile, message: hostile },
};

it('leaves what a terminal only shows', () => {
  expect(visible('grün\tµ\n')).toBe('grün\tµ\n');
});

it('names each control character', () => {
  expect(visible(hostile)).toBe('\\x1b]0;owned\\x07a\\rb\\x9b2J\\x7f');
  expect(visibleLine('a\nb')).toBe('a\\nb');
});

describe('no control character of a pod or event reaches the terminal', () => {
  it('in the description of a pod, whose lines stay below their name', () => {
    const text = describePod(pod, undefined, 0);
    expect(text).not.toMatch(rawControl);
    expect(text).toMatch(/^Annotations: +note: first\n +\\x1b]0;owned/m);
  });

  it('in events and tables', () => {
    const event = {
      metadata: {},
      involvedObject: {},
      type: 'Warning',
      reason: hostile,
      message: `${hostile}\nx`,
    };
    expect(describeEvents([event], 0)).not.toMatch(rawControl);
    const [row] = formatTable([[{ text: hostile }, { text: 'x\ny' }]]);
    expect(row).not.toMatch(rawControl);
    expect(row).not.toContain('\n');
    expect(formatRow([{ text: hostile }], [1])).not.toMatch(rawControl);
  });

  describe('in the object itself', () => {
    let out = '';
    beforeEach(() => {
      out = '';
      vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
        out += String(chunk);
        return true;
      });
    });
    afterEach(() => {
      vi.restoreAllMocks();
    });

    it.each(['json', 'yaml'] as const)('as %s, which still says the same', async (format) => {
      await printObject(pod, format);
      expect(out).not.toMatch(rawControl);
      expect(parse(out)).toEqual(pod);
    });
  });
});
