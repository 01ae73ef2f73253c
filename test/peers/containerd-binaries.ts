/**
 * Real containerd programs by release line. The line that the machine has installed is used as it is; the others come
 * from the packages of other Debian releases (debian.ts). Debian 12 has 1.6, Debian 13 has 1.7, Debian unstable has 2.x.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './cache.ts';
import { unpackDebianPackages } from './debian.ts';

export type ContainerdLine = '1.6' | '1.7' | '2.x';
export const containerdLines: readonly ContainerdLine[] = ['1.6', '1.7', '2.x'];

/** Directory that holds `containerd`, `ctr` and the shim. */
export function containerdBinaries(line: ContainerdLine): string {
  const installed = '/usr/bin';
  if (existsSync(join(installed, 'containerd')) && lineOf(versionOf(installed)) === line) return installed;
  const cached = join(cacheDir(), `containerd-${line}`, 'usr', 'bin');
  if (!existsSync(join(cached, 'containerd'))) unpack(line);
  return cached;
}

function versionOf(binDir: string): string {
  const output = execFileSync(join(binDir, 'containerd'), ['--version'], { encoding: 'utf8' });
  return output.split(/\s+/)[2] ?? '';
}

function lineOf(version: string): ContainerdLine | undefined {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === '2') return '2.x';
  return containerdLines.find((line) => line === `${major}.${minor}`);
}

function unpack(line: ContainerdLine): void {
  const target = join(cacheDir(), `containerd-${line}`);
  try {
    unpackDebianPackages({ containerd: (version) => lineOf(version) === line }, target, (root) =>
      versionOf(join(root, 'usr', 'bin')),
    );
  } catch (error) {
    throw new Error(
      `containerd ${line} is neither installed nor to be had from Debian's packages, so its tests cannot run: ${String(error)}`,
      { cause: error },
    );
  }
}
