/** Commands run in a container, by `roslet-oci exec`: it enters the container's namespaces, cgroups and user. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { longestTimerMs } from '../../src/timers.ts';
import { type ExecOptions, type ExecSession, type ExecSyncResult, RuntimeError } from '../runtime.ts';
import type { Containers } from './containers.ts';
import type { Context } from './context.ts';
import { connectHelper, type Helper, spawnHelper } from './helper.ts';
import { formatProcess } from './processes.ts';

const execPrefix = 'exec-';
const maxOutputBytes = 16 * 1024 * 1024;

export async function exec(
  context: Context,
  containers: Containers,
  containerId: string,
  options: ExecOptions,
  signal?: AbortSignal,
): Promise<ExecSession> {
  if (options.command.length === 0) throw new RuntimeError('InvalidArgument', 'no command was given to run');
  const { record, process } = await containers.living(containerId);
  const { columns, rows } = options.initialSize ?? { columns: 0, rows: 0 };
  // Of its own, so that all that the command starts can be found and killed.
  const name = `${execPrefix}${randomBytes(8).toString('hex')}`;
  const args = [
    'exec',
    ...['--spec', join(context.store.containers.directory(containerId), 'spec')],
    ...['--target', formatProcess(process)],
    ...['--cgroup', join(context.cgroups.trackingDirectory(record.cgroup), name)],
    ...(options.tty ? ['--tty'] : []),
    ...(columns > 0 ? ['--size', `${columns}x${rows}`] : []),
    '--',
    ...options.command,
  ];
  // Of earlier commands that left something running, which has ended since.
  const isOver = (found: string): boolean => found.startsWith(execPrefix) && !context.execs.has(found);
  context.cgroups.removeEmptyBelow(record.cgroup, isOver);
  const helper = spawnHelper(context.ociPath, args, signal);
  context.execs.add(name);
  helper.closed
    .catch(() => undefined) // It could not be run, which connecting to it tells.
    .then(() => putAway(context, helper, record.cgroup, name))
    .catch((err: unknown) =>
      context.log.error({ err, containerId }, 'what a command started in a container is not put away yet'),
    );
  return connectHelper(helper, options);
}

/** A helper that was killed could not end its command. What a command leaves running when it ends lives on. */
async function putAway(context: Context, helper: Helper, cgroup: string, name: string): Promise<void> {
  try {
    if (helper.exitCode() === undefined) await context.cgroups.kill(join(cgroup, name));
  } finally {
    context.execs.delete(name);
    context.cgroups.removeEmptyBelow(cgroup, (found) => found === name);
  }
}

export async function execSync(
  context: Context,
  containers: Containers,
  containerId: string,
  command: readonly string[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<ExecSyncResult> {
  const timeout = timeoutMs > 0 ? AbortSignal.timeout(Math.min(timeoutMs, longestTimerMs)) : undefined;
  const stop = AbortSignal.any([signal, timeout].filter((one) => one !== undefined));
  const [stdout, stderr] = [boundedBuffer(), boundedBuffer()];
  try {
    const options = { command, tty: false, stdout: stdout.stream, stderr: stderr.stream };
    const session = await exec(context, containers, containerId, options, stop);
    return { exitCode: await session.exitCode, stdout: stdout.bytes(), stderr: stderr.bytes() };
  } catch (error) {
    if (!timeout?.aborted || signal?.aborted) throw error;
    throw new RuntimeError('DeadlineExceeded', `${command[0]} did not end within ${timeoutMs} ms`, {
      cause: error,
    });
  }
}

/** Keeps the beginning; what is too much is read and dropped, so that the command is not held up. */
function boundedBuffer(): { stream: Writable; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const kept = chunk.subarray(0, maxOutputBytes - size);
      if (kept.length > 0) chunks.push(kept);
      size += kept.length;
      done();
    },
  });
  return { stream, bytes: () => Buffer.concat(chunks) };
}
