/**
 * Rotation of container logs, as the kubelet lays them out: `<log>` is written to, `<log>.<time>` was rotated last,
 * `<log>.<time>.gz` are older. No line is lost: a log is renamed, then the runtime opens it anew, and what was renamed
 * is compressed only at the next rotation, when nothing writes to it any more. Every step may be the last before a
 * power cut; the next rotation cleans up.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { Logger } from '../log.ts';

/** The log of a running container. */
export interface RotatableLog {
  containerId: string;
  /** Absolute. */
  path: string;
  reopen(signal: AbortSignal): Promise<void>;
}

export interface LogRotationOptions {
  maxSizeBytes: number;
  /** With the one that is written to; at least 2. */
  maxFiles: number;
  periodMs: number;
  logs(signal: AbortSignal): Promise<RotatableLog[]>;
  /** Epoch. */
  now: () => number;
  log: Logger;
}

/** Looks at all logs again and again until the signal aborts. */
export async function runLogRotation(options: LogRotationOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const log of await options.logs(signal)) await rotateWhenLarge(log, options, signal);
    } catch (err) {
      if (signal.aborted) return;
      options.log.error({ err }, 'cannot list the container logs to rotate');
    }
    await delay(options.periodMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Rotates the log if it has grown to its limit; what goes wrong with it does not keep back the others. */
export async function rotateWhenLarge(
  log: RotatableLog,
  options: LogRotationOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    const size = await sizeOf(log.path);
    if (size === undefined) await recover(log, signal);
    else if (size >= options.maxSizeBytes) await rotate(log, options, signal);
  } catch (err) {
    signal.throwIfAborted();
    // One that has ended meanwhile, and perhaps was removed with its log, is no reason to alarm anybody.
    const running = await options.logs(signal);
    if (!running.some(({ containerId }) => containerId === log.containerId)) return;
    options.log.error({ err, path: log.path }, 'container log cannot be rotated and goes on growing');
  }
}

async function rotate(log: RotatableLog, options: LogRotationOptions, signal: AbortSignal): Promise<void> {
  const rotated = await cleanUp(log.path);
  // One place is for the log that is written to, one for what is renamed below.
  const excess = Math.max(rotated.length - (options.maxFiles - 2), 0);
  for (const path of rotated.slice(0, excess)) await rm(path, { force: true });
  const kept = rotated.slice(excess);
  for (const path of kept) if (!path.endsWith(gzSuffix)) await compress(path, options, signal);

  const target = rotatedPath(log.path, rotated.at(-1), options.now());
  await rename(log.path, target);
  await openAnew(log, target, signal);
}

/**
 * conmon opens the log in its own time, and puts a new file in the place of any that is there by then: nothing may be
 * renamed, and it may not be told again, before it has. Asked a second time because a container that has ended meanwhile
 * will never open it: it then says so.
 */
async function openAnew(log: RotatableLog, renamedTo: string, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      await log.reopen(signal);
    } catch (error) {
      // What was written stays in sight under its old name. A container that runs goes on writing to it.
      if ((await sizeOf(log.path)) === undefined) await rename(renamedTo, log.path);
      throw error;
    }
    if (await appears(log.path, openPatienceMs, signal)) return;
  }
  throw new Error(`the runtime does not open ${log.path}, though it was told to twice`);
}

/** An earlier life of the agent renamed the log and did not come to have it opened anew, or that takes its time. */
async function recover(log: RotatableLog, signal: AbortSignal): Promise<void> {
  if (await appears(log.path, recoverPatienceMs, signal)) return;
  await log.reopen(signal);
  await appears(log.path, openPatienceMs, signal);
}

/** Returns whether the file is there before the time is over. */
async function appears(path: string, patienceMs: number, signal: AbortSignal): Promise<boolean> {
  const deadlineMs = performance.now() + patienceMs;
  for (let pauseMs = 2; (await sizeOf(path)) === undefined; pauseMs = Math.min(pauseMs * 2, 100)) {
    if (performance.now() > deadlineMs) return false;
    await delay(pauseMs, undefined, { signal });
  }
  return true;
}

/** Removes what an interrupted rotation left. Returns the rotated logs, oldest first. */
async function cleanUp(path: string): Promise<string[]> {
  const dir = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = (await readdir(dir)).filter((name) => name.startsWith(prefix));
  const rotated: string[] = [];
  for (const name of names.sort()) {
    const suffix = name.slice(prefix.length);
    const unfinished = suffix.endsWith(tmpSuffix) && rotatedSuffix.test(suffix.slice(0, -tmpSuffix.length));
    const compressedAlready = names.includes(name + gzSuffix);
    if (unfinished || (rotatedSuffix.test(suffix) && compressedAlready))
      await rm(join(dir, name), { force: true });
    else if (rotatedSuffix.test(suffix)) rotated.push(join(dir, name));
  }
  return rotated;
}

/** Without room for it the log stays as it is: rotation itself must go on, it alone bounds the growth. */
async function compress(path: string, { log }: LogRotationOptions, signal: AbortSignal): Promise<void> {
  const unfinished = path + tmpSuffix;
  try {
    await pipeline(
      createReadStream(path),
      createGzip(),
      createWriteStream(unfinished, { mode: 0o640, flush: true }),
      { signal },
    );
    await rename(unfinished, path + gzSuffix);
    await rm(path);
  } catch (err) {
    await rm(unfinished, { force: true });
    signal.throwIfAborted();
    log.warn({ err, path }, 'rotated container log stays uncompressed');
  }
}

/** Later than every rotated log, also when the clock was set back: their names are their order. */
function rotatedPath(path: string, newest: string | undefined, nowMs: number): string {
  const newestMs = newest === undefined ? Number.NEGATIVE_INFINITY : timeOf(newest.slice(path.length + 1));
  return `${path}.${formatTime(Math.max(nowMs, newestMs + 1000))}`;
}

const openPatienceMs = 5000;
const recoverPatienceMs = 1000;
const gzSuffix = '.gz';
const tmpSuffix = '.tmp';
const rotatedSuffix = /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})(?:\.gz)?$/;

/** `20060102-150405`, in UTC. */
const formatTime = (ms: number): string =>
  new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');

function timeOf(suffix: string): number {
  const [, year, month, day, hour, minute, second] = (rotatedSuffix.exec(suffix) ?? []).map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
