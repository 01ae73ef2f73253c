/**
 * One logger, made in main and passed down. JSON where journald or a file reads, readable lines on a terminal.
 * Fields that recur: `pod` (namespace/name), `podUid`, `container`, `err`.
 */
import { isatty } from 'node:tty';
import { styleText } from 'node:util';
import { type DestinationStream, destination, pino } from 'pino';

export type Logger = import('pino').Logger;

export const logFormats = ['auto', 'json', 'text'] as const;
/** `auto`: text where standard error is a terminal, JSON elsewhere. */
export type LogFormat = (typeof logFormats)[number];

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  format: LogFormat;
  level: LogLevel;
}

const stderrFd = 2;

/**
 * Writes to standard error, synchronously: the last line before a crash is the one that matters.
 * @param onLine gets each line as JSON, too
 */
export function createLogger({ format, level }: LoggerOptions, onLine?: (json: string) => void): Logger {
  const stderr = destination({ fd: stderrFd, sync: true });
  // A full disk or a closed pipe behind the log must not end what supervises pods; there is nobody left to tell.
  stderr.on('error', () => undefined);
  const asText = format === 'text' || (format === 'auto' && isatty(stderrFd));
  const shown: DestinationStream = asText ? textStream(stderr, isatty(stderrFd)) : stderr;
  const stream: DestinationStream = onLine === undefined ? shown : teeStream(shown, onLine);
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

/** A logger that drops everything: for tests of code that must be given one. */
export const silentLogger = (): Logger => pino({ level: 'silent' });

/** `12:00:01.234 INFO  started the container pod=default/web container=nginx`, errors below with their causes. */
export function formatLine(json: string, color: boolean): string {
  const { level, time, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown> & {
    err?: LoggedError;
  };
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const label = String(level);
  const parts = [
    paint('dim', clock(String(time))),
    paint(levelStyles[label] ?? 'green', label.toUpperCase().padEnd(5)),
  ];
  if (msg !== undefined) parts.push(String(msg));
  for (const [name, value] of Object.entries(fields)) parts.push(paint('dim', `${name}=${fieldText(value)}`));
  const lines = [parts.join(' ')];
  if (err !== undefined) lines.push(indent(err.stack ?? err.message ?? fieldText(err)));
  return `${lines.join('\n')}\n`;
}

interface LoggedError {
  message?: string;
  stack?: string;
}

const levelStyles: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  fatal: ['red', 'inverse'],
  error: 'red',
  warn: 'yellow',
  debug: 'blue',
  trace: 'dim',
};

function textStream(out: DestinationStream, color: boolean): DestinationStream {
  return { write: (json) => out.write(formatLine(json, color)) };
}

function teeStream(out: DestinationStream, onLine: (json: string) => void): DestinationStream {
  return {
    write: (json) => {
      out.write(json);
      onLine(json);
    },
  };
}

/** The time of day in the machine's zone: on a terminal one watches what happens now. */
function clock(time: string): string {
  const at = new Date(time);
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}
