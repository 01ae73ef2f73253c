/**
 * Packages of other Debian releases than the machine's, unpacked and not installed: from the same mirror as the
 * machine's own apt sources, checked by the archive's keys.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateApt } from '../../scripts/private-apt.ts';

const debianReleases = ['bookworm', 'trixie', 'sid'];

/**
 * @param packages by name, each with which version is wanted; the first that any release has
 * @param check throws when what was unpacked does not work
 */
export function unpackDebianPackages(
  packages: Readonly<Record<string, (version: string) => boolean>>,
  target: string,
  check: (root: string) => void,
): void {
  const work = mkdtempSync(join(tmpdir(), 'roslet-apt-'));
  try {
    const apt = privateApt(work, {
      kind: 'deb',
      archives: [{ origin: 'Debian', releases: debianReleases, components: 'main' }],
    });
    apt('apt-get', ['update', '-q']);
    const root = join(work, 'root');
    for (const [name, isWanted] of Object.entries(packages)) {
      const version = apt('apt-cache', ['madison', name])
        .split('\n')
        .map((row) => row.split('|')[1]?.trim() ?? '')
        .find(isWanted);
      if (version === undefined) throw new Error(`no Debian release of ${debianReleases} has it`);
      apt('apt-get', ['download', '-q', `${name}=${version}`]);
      const archive = readdirSync(work).find((file) => file.startsWith(`${name}_`));
      if (archive === undefined) throw new Error('apt-get download left no package');
      execFileSync('dpkg', ['-x', join(work, archive), root]);
    }
    check(root);
    rmSync(target, { recursive: true, force: true });
    execFileSync('cp', ['-a', root, `${target}.${process.pid}`]);
    renameSync(`${target}.${process.pid}`, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
