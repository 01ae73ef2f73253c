/**
 * A line of a container's log as a line of /rosout. What ROS 2 itself wrote to the console is taken apart again
 * (`[WARN] [1700000000.123456789] [driver]: too hot`); of other lines standard error is a warning. Pure.
 */
import type { LogLine, PodLogLine } from '../agent-port.ts';

export function podLogLine({ stampMs, stream, text }: PodLogLine): LogLine {
  const plain = text.replace(colors, '').trimEnd();
  const [, severity, rest] = consoleLine.exec(plain) ?? [];
  const known = severity === undefined ? undefined : levels.get(severity);
  return {
    timeMs: stampMs,
    level: known ?? (stream === 'stderr' ? 'warn' : 'info'),
    message: known === undefined ? plain : (rest ?? ''),
  };
}

/** What terminals take for colors, as rcutils writes it where it is told to. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const colors = /\u001b\[[0-9;]*m/g;

/** rcutils' default RCUTILS_CONSOLE_OUTPUT_FORMAT, and what people make of it: the time may be missing. */
const consoleLine = /^\[(\w+)\]:?\s*(?:\[\d+(?:\.\d+)?\]:?\s*)?(.*)$/s;

const levels: ReadonlyMap<string, LogLine['level']> = new Map([
  ['DEBUG', 'debug'],
  ['INFO', 'info'],
  ['WARN', 'warn'],
  ['WARNING', 'warn'],
  ['ERROR', 'error'],
  ['FATAL', 'fatal'],
]);
