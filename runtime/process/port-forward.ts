/** One TCP connection into a sandbox's network namespace, relayed by `roslet-oci dial`. */
import { Duplex, type Readable, type Writable } from 'node:stream';
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
  const { child, abandon } = await spawnHelper(
    context.ociPath,
    ['dial', formatProcess(holder), String(port)],
    signal,
  );
  child.stderr?.resume();
  const readable = child.stdout as Readable;
  const writable = child.stdin as Writable;
  const stream = Duplex.from({ readable, writable });
  stream.once('close', abandon);
  return { stream };
}
