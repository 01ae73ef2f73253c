/** One TCP connection into a sandbox's network namespace, relayed by `roslet-oci dial`. */
import { Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
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
  const stream = joined(received, helper.stdin);
  stream.once('close', helper.abandon);
  return { stream };
}

/** Not Duplex.from: that fails as a whole when one side closes, and so loses what a peer said before it hung up. */
function joined(readable: Readable, writable: Writable): Duplex {
  const stream = new Duplex({
    read: () => void readable.resume(),
    // A peer that does not listen any more may still have something to say.
    write: (chunk, encoding, callback) => void writable.write(chunk, encoding, () => callback()),
    final: (callback) => void writable.end(() => callback()),
    destroy: (err, callback) => {
      readable.destroy();
      writable.destroy();
      callback(err);
    },
  });
  readable.on('data', (chunk) => {
    if (!stream.push(chunk)) readable.pause();
  });
  readable.once('end', () => stream.push(null));
  readable.once('error', (err) => stream.destroy(err));
  writable.on('error', () => undefined);
  return stream;
}
