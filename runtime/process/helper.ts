/**
 * A relaying roslet-oci subcommand as a session: streams wired up, exit code awaited. Descriptor 3 of the helper is its
 * control channel: it reports in lines, takes resizes, and kills what it started when the channel ends.
 */
import { spawn } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import { type ExecSession, RuntimeError, type TerminalSize } from '../runtime.ts';
import { cancelled } from './watch.ts';

export interface SessionStreams {
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
}

/**
 * Resolves once the command runs or the connection stands; rejects with what kept it from doing so. A call that is
 * cancelled ends at once, whatever the helper still waits for.
 */
export async function connectHelper(helper: Helper, streams: SessionStreams): Promise<ExecSession> {
  const outputs = [copy(helper.stdout, streams.stdout), copy(helper.stderr, streams.stderr)];
  await helper.ready;
  connectInput(streams.stdin, helper.stdin);
  const ended = helper.closed.then(async () => {
    await Promise.all(outputs);
    return helper.exitCode() ?? killedExitCode;
  });
  const exitCode = Promise.race([ended, helper.cancelled]);
  // Whoever does not wait for the exit code need not handle its failure.
  exitCode.catch(() => undefined);
  return { exitCode, resize: helper.resize };
}

export interface Helper {
  stdin: Writable;
  /** To be read from at once: what is not read when the helper ends is lost. */
  stdout: Readable;
  stderr: Readable;
  ready: Promise<void>;
  /** Settles when the helper has ended and all its descriptors are closed. */
  closed: Promise<void>;
  /** Rejects when the signal aborts. */
  cancelled: Promise<never>;
  /** Undefined when it did not report one: it was killed. */
  exitCode(): number | undefined;
  resize(size: TerminalSize): void;
  /** Ends the helper and what it started. */
  abandon(): void;
}

const killedExitCode = 137;
/** For the helper to kill what it started; that is done in milliseconds, if it can be done at all. */
const abandonGraceMs = 2000;

export function spawnHelper(path: string, args: readonly string[], signal: AbortSignal | undefined): Helper {
  if (signal?.aborted) throw cancelled();
  const child = spawn(path, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: {},
    cwd: '/',
  });
  const [stdin, stdout, stderr] = [
    child.stdin as Writable,
    child.stdout as Readable,
    child.stderr as Readable,
  ];
  const control = child.stdio[3] as Duplex;
  let grace: NodeJS.Timeout | undefined;
  const abandon = (): void => {
    for (const stream of [control, stdin, stdout, stderr]) stream.destroy();
    if (child.exitCode === null && child.signalCode === null)
      grace ??= setTimeout(() => child.kill('SIGKILL'), abandonGraceMs);
  };
  const { promise: cancellation, reject: cancel } = Promise.withResolvers<never>();
  cancellation.catch(() => undefined);
  const abort = (): void => {
    abandon();
    cancel(cancelled());
  };
  signal?.addEventListener('abort', abort, { once: true });
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new RuntimeError('Unavailable', `cannot run ${path}: ${cause.message}`, { cause })),
    );
    child.once('close', () => resolve());
  }).finally(() => {
    clearTimeout(grace);
    signal?.removeEventListener('abort', abort);
  });
  let reported = '';
  const firstReport = new Promise<void>((resolve) => {
    control.setEncoding('utf8').on('data', (text: string) => {
      reported += text;
      if (reported.includes('\n')) resolve();
    });
  });
  // A helper that has ended does not read what is written to it any more; its report and exit tell.
  control.on('error', () => undefined);
  stdin.on('error', () => undefined);
  const ready = Promise.race([firstReport, closed, cancellation]).then(() => {
    if (/^(started|connected)\n/.test(reported)) return;
    abandon();
    const reason = /^failed \d+ ([\s\S]*)$/.exec(reported.trimEnd())?.[1];
    throw new RuntimeError('Unknown', reason ?? 'the helper was killed before it was ready');
  });
  return {
    stdin,
    stdout,
    stderr,
    ready,
    closed,
    cancelled: cancellation,
    abandon,
    exitCode() {
      const code = /^exit (\d+)$/m.exec(reported)?.[1];
      return code === undefined ? undefined : Number(code);
    },
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
    // Torn down on one side or the other; the exit code tells the rest.
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
