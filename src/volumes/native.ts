/**
 * mount(2) and umount2(2) for what is in memory: by an addon of ours (native/mount.c), as a program that is started for it
 * costs forty times as much and has the agent stand still meanwhile. Such a call does not hang, as it could where a server
 * has to answer.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getSystemErrorMap } from 'node:util';
import { program } from '../programs.ts';

export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly code: string;
  constructor(call: string, target: string, errno: number) {
    const [code, message] = getSystemErrorMap().get(-errno) ?? [`${errno}`, 'unknown error'];
    super(`${call} ${target}: ${message}`);
    this.code = code;
  }
}

export class MissingAddonError extends Error {
  override readonly name = 'MissingAddonError';
  constructor(path: string) {
    super(
      `${path} is missing, without which nothing can be mounted in memory: run 'make build', or install roslet anew`,
    );
  }
}

/** @throws SystemCallError, MissingAddonError */
export async function mountInMemory(fsType: string, target: string, options: string): Promise<void> {
  const errno = await new Promise<number>((done) => native().mount(fsType, target, options, done));
  if (errno !== 0) throw new SystemCallError(`mount ${fsType} at`, target, errno);
}

/** Follows no link. @throws SystemCallError, MissingAddonError */
export async function unmountInMemory(target: string, isLazy: boolean): Promise<void> {
  const errno = await new Promise<number>((done) => native().unmount(target, isLazy, done));
  if (errno !== 0) throw new SystemCallError('unmount', target, errno);
}

type Done = (errno: number) => void;

interface NativeModule {
  mount(fsType: string, target: string, options: string, done: Done): void;
  unmount(target: string, isLazy: boolean, done: Done): void;
}

/** Node keeps what it has loaded. */
function native(): NativeModule {
  const path = program('roslet-mount.node');
  if (!existsSync(path)) throw new MissingAddonError(path);
  return createRequire(import.meta.url)(path) as NativeModule;
}
