/** One TCP connection into a sandbox's network namespace, relayed by `roslet-oci dial`. */
import { Duplex, PassThrough } from 'node:stream';
import { type PortForwardSession, RuntimeError } from '../runtime.ts';
import { type Context, mustFindSandbox } from './context.ts';
import { spawnHelper } from './helper.ts';
import { formatProcess } from './processes.ts';
import type { Sandboxes } from './sandboxes.ts';

export async function portForward(
  context: Context,
  pods: Sandboxes,
  podSandboxId: string,
  port: number,
  signal?: AbortSignal,
): Promise<PortForwardSession> {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new RuntimeError('InvalidArgument', `${port} is not a port`);
  const holder = await pods.holder(await mustFindSandbox(context, podSandboxId));
  const helper = spawnHelper(context.ociPath, ['dial', formatProcess(holder), String(port)], signal);
  const received = helper.stdout.pipe(new PassThrough());
  helper.stderr.resume();
  await helper.ready;
  const stream = Duplex.from({ readable: received, writable: helper.stdin });
  stream.once('close', helper.abandon);
  return { stream };
}
