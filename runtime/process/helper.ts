/**
 * A relaying roslet-oci subcommand as a session: streams wired up, exit code awaited. Descriptor 3 of the helper is its
 * control channel: it reports in lines, takes resizes, and kills what it started when the channel ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import { type ExecSession, RuntimeError, type TerminalSize } from '../runtime.ts';
import { cancelled } from './watch.ts';

export interface SessionStreams {
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
}

/** Resolves once the command runs or the connection stands; rejects with what kept it from doing so. */
export async function startHelper(
  path: string,
  args: readonly string[],
  streams: SessionStreams,
  signal?: AbortSignal,
): Promise<ExecSession> {
  const helper = await spawnHelper(path, args, signal);
  const outputs = [
    copy(helper.child.stdout as Readable, streams.stdout),
    copy(helper.child.stderr as Readable, streams.stderr),
  ];
  connectInput(streams.stdin, helper.child.stdin as Writable);
  const exitCode = helper.closed.then(async () => {
    if (signal?.aborted) throw cancelled();
    await Promise.all(outputs);
    return helper.exitCode();
  });
  // Whoever does not wait for the exit code need not handle its failure.
  exitCode.catch(() => undefined);
  return { exitCode, resize: helper.resize };
}

interface Helper {
  child: ChildProcess;
  /** Settles when the helper has ended and all its descriptors are closed. */
  closed: Promise<void>;
  exitCode(): number;
  resize(size: TerminalSize): void;
  /** Ends the helper and what it started. */
  abandon(): void;
}

/** Without a report the helper was killed, with its container. */
const killedExitCode = 137;

export async function spawnHelper(
  path: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Helper> {
  if (signal?.aborted) throw cancelled();
  const child = spawn(path, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: {},
    cwd: '/',
  });
  const control = child.stdio[3] as Duplex;
  const abandon = (): void => {
    for (const stream of [control, child.stdin, child.stdout, child.stderr]) stream?.destroy();
  };
  signal?.addEventListener('abort', abandon, { once: true });
  let reported = '';
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new RuntimeError('Unavailable', `cannot run ${path}: ${cause.message}`, { cause })),
    );
    child.once('close', () => resolve());
  }).finally(() => signal?.removeEventListener('abort', abandon));
  const ready = new Promise<void>((resolve) => {
    control.setEncoding('utf8').on('data', (text: string) => {
      reported += text;
      if (reported.includes('\n')) resolve();
    });
  });
  // A helper that has ended does not read what is written to it any more; its report and exit tell.
  control.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  await Promise.race([ready, closed]);
  if (signal?.aborted) throw cancelled();
  const failed = /^failed (\d+) ([\s\S]*)$/.exec(reported.trimEnd());
  if (failed) {
    abandon();
    throw new RuntimeError('Unknown', failed[2] ?? '');
  }
  if (!/^(started|connected)\n/.test(reported)) {
    abandon();
    throw new RuntimeError('Unknown', 'the helper was killed before it was ready');
  }
  return {
    child,
    closed,
    abandon,
    exitCode: () => Number(/^exit (\d+)$/m.exec(reported)?.[1] ?? killedExitCode),
    resize: ({ columns, rows }) => {
      if (control.writable) control.write(`resize ${columns} ${rows}\n`);
    },
  };
}

/** At the reader's pace. A reader that goes away closes the pipe, which the command sees as it would in a shell. */
async function copy(from: Readable, to: Writable | undefined): Promise<void> {
  try {
    for await (const chunk of from) if (to) await written(to, chunk as Buffer);
  } catch {
    from.destroy();
  }
}

const written = (to: Writable, chunk: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('the reader went away'));
    if (to.destroyed) return gone();
    to.once('close', gone);
    to.write(chunk, (error) => {
      to.off('close', gone);
      if (error) reject(error);
      else resolve();
    });
  });

function connectInput(from: Readable | undefined, to: Writable): void {
  if (!from) {
    to.end();
    return;
  }
  from.pipe(to);
  from.once('close', () => to.end());
  to.once('close', () => from.unpipe(to));
}
