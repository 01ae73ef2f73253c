/**
 * apt with lists, cache and sources of its own, so that the machine's stay as they are and no root is needed. The mirror is
 * that of the machine's own sources, and what is fetched is checked by the archive's keys.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface AptSources {
  kind: 'deb' | 'deb-src';
  /** Archives in order of preference: the first whose mirror the machine has is taken. */
  archives: readonly Archive[];
}

export interface Archive {
  origin: 'Debian' | 'Ubuntu';
  releases: readonly string[];
  components: string;
}

export type Apt = (program: 'apt-get' | 'apt-cache', args: string[]) => string;

/** Runs in `dir`, where downloads land. */
export function privateApt(dir: string, { kind, archives }: AptSources): Apt {
  for (const part of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(dir, part), { recursive: true });
  }
  const found = archives
    .map((archive) => ({ ...archive, mirror: mirrorOf(archive.origin) }))
    .find(({ mirror }) => mirror !== undefined);
  if (!found) {
    const names = archives.map(({ origin }) => origin).join(' or ');
    throw new Error(`the machine's apt sources hold no ${names} mirror`);
  }
  const keyring = `/usr/share/keyrings/${found.origin.toLowerCase()}-archive-keyring.gpg`;
  const signedBy = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  const lines = found.releases.map(
    (release) => `${kind} ${signedBy}${found.mirror} ${release} ${found.components}\n`,
  );
  writeFileSync(join(dir, 'sources.list'), lines.join(''));
  writeFileSync(join(dir, 'status'), '');
  const config = join(dir, 'apt.conf');
  writeFileSync(
    config,
    `Dir::Etc::sourcelist "${dir}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "${dir}/state";
Dir::State::status "${dir}/status";
Dir::Cache "${dir}/cache";
APT::Sandbox::User "root";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
`,
  );
  return (program, args) =>
    execFileSync(program, args, {
      cwd: dir,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, APT_CONFIG: config },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
}

function mirrorOf(origin: Archive['origin']): string | undefined {
  const mirrors = execFileSync(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', `Origin: ${origin}`],
    { encoding: 'utf8' },
  );
  // Debian has its security updates on another.
  return mirrors.split('\n').find((uri) => uri !== '' && !uri.includes('security'));
}
