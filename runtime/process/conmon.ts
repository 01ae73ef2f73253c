/** conmon, the supervisor of each container: how it is called, and how it is told things while it runs. */
import { constants, existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeError, type TerminalSize } from '../runtime.ts';
import type { Context } from './context.ts';
import type { ContainerRecord } from './store.ts';

const reopenPatienceMs = 5000;

export function conmonCommand(context: Context, { id, config, logPath }: ContainerRecord): string[] {
  const directory = context.store.containers.directory(id);
  return [
    context.conmonPath,
    ...['--api-version', '1'],
    ...['--cid', id],
    ...['--cuuid', id],
    ...['--name', config.metadata.name],
    ...['--runtime', context.ociPath],
    ...['--bundle', directory],
    ...['--container-pidfile', join(directory, 'pid')],
    ...['--conmon-pidfile', join(directory, 'conmon.pid')],
    ...['--exit-dir', context.store.exitsDir],
    ...['--log-path', logPath === '' ? 'off' : `k8s-file:${logPath}`],
    '--full-attach',
    '--no-sync-log',
    ...(config.tty ? ['--terminal'] : []),
    ...(config.stdin ? ['--stdin'] : []),
    ...(config.stdin && !config.stdinOnce ? ['--leave-stdin-open'] : []),
  ];
}

/** Returns once the log file is there again: conmon answers nothing. */
export async function reopenLog(context: Context, { id, logPath }: ContainerRecord): Promise<void> {
  await control(context, id, '2 0 0\n');
  const deadline = Date.now() + reopenPatienceMs;
  while (!existsSync(logPath)) {
    if (Date.now() > deadline)
      throw new RuntimeError(
        'DeadlineExceeded',
        `conmon did not open ${logPath} anew: is its directory there?`,
      );
    await sleep(5);
  }
}

export const resizeTerminal = (
  context: Context,
  id: string,
  { columns, rows }: TerminalSize,
): Promise<void> => control(context, id, `1 ${rows} ${columns}\n`);

/** Never waits for a reader of the pipe: without one conmon is gone. */
async function control(context: Context, id: string, message: string): Promise<void> {
  const path = join(context.store.containers.directory(id), 'ctl');
  const pipe = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    await pipe.write(message);
  } finally {
    await pipe.close();
  }
}
