/**
 * Probes that the ROS 2 bridge answers, written as the command of an exec probe: `ros2-probe heartbeat /camera/heartbeat
 * --deadline 100ms`. Such a command is never run in the container.
 */

import type { RosProbeSpec } from '../../ros/prober.ts';
import type { ExecAction } from '../api/core.gen.ts';
import { nearestName } from '../api/nearest.ts';
import { parseDuration } from '../config/duration.ts';

export const rosProbeCommand = 'ros2-probe';

export const isRosProbe = (exec: ExecAction | undefined): exec is { command: string[] } =>
  exec?.command?.[0] === rosProbeCommand;

/** What is wrong with the command, and at which of its words. */
export class RosProbeError extends Error {
  override readonly name = 'RosProbeError';
  /** Position in the command. */
  readonly word: number;
  constructor(word: number, message: string) {
    super(message);
    this.word = word;
  }
}

/**
 * @param command as written, `ros2-probe` being its first word
 * @throws RosProbeError
 */
export function parseRosProbe(command: readonly string[]): RosProbeSpec {
  const kind = command[1];
  if (kind === undefined) throw new RosProbeError(0, `needs a kind: one of ${kindNames.join(', ')}`);
  if (!isKind(kind)) throw new RosProbeError(1, `is no kind of ${rosProbeCommand}${hint(kind, kindNames)}`);
  const { subject, flags } = grammar[kind];
  const words = readWords(command, kind);
  const name = words.subject;
  if (name === undefined) throw new RosProbeError(1, `needs the ${subject} behind it: ${exampleOf(kind)}`);
  checkName(name.text, name.word, subject);
  for (const [flag, { required }] of Object.entries(flags)) {
    if (required && !words.values.has(flag)) {
      throw new RosProbeError(1, `needs --${flag}: ${exampleOf(kind)}`);
    }
  }
  return build(kind, name.text, words.values);
}

type Kind = RosProbeSpec['kind'];

interface FlagRule {
  required: boolean;
  takes: 'duration' | 'rate' | 'text';
}

interface KindRule {
  subject: 'topic' | 'node';
  flags: Readonly<Record<string, FlagRule>>;
  example: string;
}

const grammar: Readonly<Record<Kind, KindRule>> = {
  heartbeat: {
    subject: 'topic',
    flags: { deadline: { required: true, takes: 'duration' } },
    example: 'heartbeat /camera/heartbeat --deadline 100ms',
  },
  liveliness: {
    subject: 'topic',
    flags: { lease: { required: true, takes: 'duration' } },
    example: 'liveliness /camera/image --lease 500ms',
  },
  node: { subject: 'node', flags: {}, example: 'node /camera' },
  lifecycle: {
    subject: 'node',
    flags: { state: { required: true, takes: 'text' } },
    example: 'lifecycle /camera --state active',
  },
  topic: {
    subject: 'topic',
    flags: {
      'min-rate': { required: true, takes: 'rate' },
      'max-age': { required: false, takes: 'duration' },
    },
    example: 'topic /scan --min-rate 10',
  },
  bond: {
    subject: 'topic',
    flags: { id: { required: true, takes: 'text' } },
    example: 'bond /bond --id camera',
  },
};

const kindNames = Object.keys(grammar);
const isKind = (text: string): text is Kind => text in grammar;
const exampleOf = (kind: Kind): string => `${rosProbeCommand} ${grammar[kind].example}`;

const hint = (word: string, known: readonly string[]): string => {
  const nearest = nearestName(word, known);
  return nearest === undefined ? `: it is one of ${known.join(', ')}` : `; did you mean ${nearest}?`;
};

type Value = { text: string; number: number };

function readWords(
  command: readonly string[],
  kind: Kind,
): { subject?: { text: string; word: number }; values: Map<string, Value> } {
  const { flags } = grammar[kind];
  const values = new Map<string, Value>();
  let subject: { text: string; word: number } | undefined;
  for (let word = 2; word < command.length; word++) {
    const text = command[word]!;
    if (!text.startsWith('-')) {
      if (subject !== undefined) throw new RosProbeError(word, `is one word too many: ${exampleOf(kind)}`);
      subject = { text, word };
      continue;
    }
    const [, flag = '', inline] = /^--([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
    const rule = Object.hasOwn(flags, flag) ? flags[flag] : undefined;
    if (rule === undefined) {
      const known = Object.keys(flags).map((name) => `--${name}`);
      throw new RosProbeError(
        word,
        known.length === 0 ? `: ${kind} has no options` : `is no option of ${kind}${hint(text, known)}`,
      );
    }
    if (values.has(flag)) throw new RosProbeError(word, 'is given twice');
    if (inline === undefined) word += 1;
    const value = inline ?? command[word];
    if (value === undefined) throw new RosProbeError(word - 1, `needs a value: ${exampleOf(kind)}`);
    values.set(flag, { text: value, number: readValue(rule, value, word) });
  }
  return { ...(subject === undefined ? {} : { subject }), values };
}

function readValue(rule: FlagRule, text: string, word: number): number {
  if (rule.takes === 'text') {
    if (text === '') throw new RosProbeError(word, 'must not be empty');
    return Number.NaN;
  }
  if (rule.takes === 'rate') {
    const rateHz = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (rateHz > 0 && rateHz <= maxRateHz) return rateHz;
    throw new RosProbeError(word, `must be a rate in Hz such as 10 or 0.5, at most ${maxRateHz}`);
  }
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= minDurationMs && ms <= maxDurationMs) return ms;
  throw new RosProbeError(word, 'must be a duration from 1ms to 24h, such as 100ms or 2s');
}

const maxRateHz = 1_000_000;
const minDurationMs = 1;
const maxDurationMs = 24 * 3_600_000;

/** A fully qualified name, as the ROS 2 name rules have it (design.ros2.org, topic and service names). */
function checkName(name: string, word: number, subject: string): void {
  if (!name.startsWith('/')) {
    throw new RosProbeError(word, `must be the full name of the ${subject}, beginning with "/": /${name}`);
  }
  if (name.length > maxNameLength || !/^(\/[A-Za-z_][A-Za-z0-9_]*)+$/.test(name) || name.includes('__')) {
    throw new RosProbeError(
      word,
      `is no ROS 2 name: it has words of letters, digits and single "_" that do not begin with a digit, each behind a "/"`,
    );
  }
}

const maxNameLength = 245;

function build(kind: Kind, name: string, values: ReadonlyMap<string, Value>): RosProbeSpec {
  const number = (flag: string) => values.get(flag)!.number;
  const text = (flag: string) => values.get(flag)!.text;
  switch (kind) {
    case 'heartbeat':
      return { kind, topic: name, deadlineMs: number('deadline') };
    case 'liveliness':
      return { kind, topic: name, leaseMs: number('lease') };
    case 'node':
      return { kind, node: name };
    case 'lifecycle':
      return { kind, node: name, state: text('state') };
    case 'topic':
      return {
        kind,
        topic: name,
        minRateHz: number('min-rate'),
        ...(values.has('max-age') ? { maxAgeMs: number('max-age') } : {}),
      };
    case 'bond':
      return { kind, topic: name, id: text('id') };
  }
}
