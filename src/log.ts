/**
 * One logger, made in main and passed down. JSON where journald or a file reads, readable lines on a terminal.
 * Fields that recur: `pod` (namespace/name), `podUid`, `container`, `err`.
 */
import { pino } from 'pino';

export type Logger = import('pino').Logger;

/** A logger that drops everything: for tests of code that must be given one. */
export const silentLogger = (): Logger => pino({ level: 'silent' });
