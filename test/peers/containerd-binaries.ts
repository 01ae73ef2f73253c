/**
 * Real containerd programs by release line. The line that the machine has installed is used as it is; the others come
 * from the packages of other Debian releases (same mirror as the machine's own apt sources, checked by the archive's
 * keys, unpacked and not installed). Debian 12 has 1.6, Debian 13 has 1.7, Debian unstable has 2.x.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateApt } from '../../scripts/private-apt.ts';
import { cacheDir } from './cache.ts';

export type ContainerdLine = '1.6' | '1.7' | '2.x';
export const containerdLines: readonly ContainerdLine[] = ['1.6', '1.7', '2.x'];

const debianReleases = ['bookworm', 'trixie', 'sid'];

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
  const work = mkdtempSync(join(tmpdir(), 'roslet-apt-'));
  try {
    const apt = privateApt(work, {
      kind: 'deb',
      archives: [{ origin: 'Debian', releases: debianReleases, components: 'main' }],
    });
    apt('apt-get', ['update', '-q']);
    const version = apt('apt-cache', ['madison', 'containerd'])
      .split('\n')
      .map((row) => row.split('|')[1]?.trim() ?? '')
      .find((candidate) => lineOf(candidate) === line);
    if (version === undefined) throw new Error(`no Debian release of ${debianReleases} has it`);
    apt('apt-get', ['download', '-q', `containerd=${version}`]);
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download left no package');
    const root = join(work, 'root');
    execFileSync('dpkg', ['-x', join(work, archive), root]);
    versionOf(join(root, 'usr', 'bin'));
    const target = join(cacheDir(), `containerd-${line}`);
    rmSync(target, { recursive: true, force: true });
    execFileSync('cp', ['-a', root, `${target}.${process.pid}`]);
    renameSync(`${target}.${process.pid}`, target);
  } catch (error) {
    throw new Error(
      `containerd ${line} is neither installed nor to be had from Debian's packages, so its tests cannot run: ${String(error)}`,
      { cause: error },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
