/** Streams to and from a container's main process, by conmon's attach socket and its control pipe. */
import { type AttachOptions, type ExecSession, RuntimeError, type TerminalSize } from '../runtime.ts';
import { resizeTerminal } from './conmon.ts';
import type { Containers } from './containers.ts';
import type { Context } from './context.ts';
import { hasCode } from './files.ts';
import { connectHelper, spawnHelper } from './helper.ts';

export async function attach(
  context: Context,
  containers: Containers,
  containerId: string,
  options: AttachOptions,
  signal?: AbortSignal,
): Promise<ExecSession> {
  const { record } = await containers.running(containerId);
  if (options.tty !== record.config.tty)
    throw new RuntimeError('InvalidArgument', `the container has ${record.config.tty ? 'a' : 'no'} terminal`);
  const directory = context.store.containers.directory(containerId);
  const resize = (size: TerminalSize): void => {
    resizeTerminal(context, containerId, size).catch((err: unknown) => {
      // ENXIO, ENOENT: the container ended meanwhile.
      if (!hasCode(err, 'ENXIO', 'ENOENT'))
        context.log.warn({ err, containerId }, 'cannot resize a terminal');
    });
  };
  const stdin = record.config.stdin ? options.stdin : undefined;
  const args = ['attach', ...(stdin ? ['--stdin'] : []), directory];
  const session = await connectHelper(spawnHelper(context.ociPath, args, signal), { ...options, stdin });
  if (options.initialSize) resize(options.initialSize);
  return { resize, exitCode: session.exitCode };
}
