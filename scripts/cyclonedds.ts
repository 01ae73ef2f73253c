/**
 * Cyclone DDS as a static library, from the distribution's source package with our patches on it, built once and kept in the
 * user's cache. Where that cannot be had (no network, no sources on the mirror) the distribution's own library serves, if it
 * is installed: then only clients of Cyclone DDS get answers from our services.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { privateApt } from './private-apt.ts';

const run = promisify(execFile);

export interface CycloneLibrary {
  version: string;
  /** For the compiler of what uses it. */
  flags: string[];
  /** What is to be linked, after the objects. */
  libraries: string[];
  isPatched: boolean;
  /** The licence that a copy of it must come with. */
  licence?: string;
}

/** Interfaces of another line differ. */
const line = /^0\.10\./;
/** Debian 12 has 0.10.2, Debian 13 an 0.10.5 that is the better of the two. */
const debianReleases = ['trixie', 'bookworm'];

const cmakeFlags = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DCMAKE_C_FLAGS=-ffunction-sections -fdata-sections',
  '-DCMAKE_POSITION_INDEPENDENT_CODE=ON',
  '-DBUILD_SHARED_LIBS=OFF',
  ...['BUILD_IDLC', 'BUILD_DDSPERF', 'BUILD_TESTING', 'BUILD_EXAMPLES'].map((name) => `-D${name}=OFF`),
  ...['LTO', 'SECURITY', 'SSL', 'SHM', 'TYPE_DISCOVERY', 'TOPIC_DISCOVERY'].map(
    (name) => `-DENABLE_${name}=OFF`,
  ),
];

/** @throws Error that says why there is none. */
export async function cycloneLibrary(patchFolder: string): Promise<CycloneLibrary> {
  const patches = (await readdir(patchFolder)).sort().map((name) => join(patchFolder, name));
  const folder = join(cacheFolder(), `cyclonedds-${process.arch}-${await recipeHash(patches)}`);
  try {
    if (!existsSync(folder)) await buildInto(folder, patches);
  } catch (cause) {
    const reason = firstLine(cause);
    const installed = installedLibrary();
    if (!installed) throw new Error(reason, { cause });
    console.log(
      `build: the distribution's Cyclone DDS ${installed.version} it is, as ours could not be built (${reason}): service clients of Fast DDS will get no answers`,
    );
    return installed;
  }
  return {
    version: readFileSync(join(folder, 'version'), 'utf8'),
    flags: ['-isystem', join(folder, 'include')],
    libraries: [join(folder, 'lib', 'libddsc.a'), '-lpthread'],
    isPatched: true,
    licence: join(folder, 'LICENSE'),
  };
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'roslet');
}

async function recipeHash(patches: string[]): Promise<string> {
  const hash = createHash('sha256').update(cmakeFlags.join('\n'));
  for (const patch of patches) hash.update(await readFile(patch));
  return hash.digest('hex').slice(0, 12);
}

async function buildInto(folder: string, patches: string[]): Promise<void> {
  for (const program of ['cmake', 'patch', 'apt-get']) {
    await run('which', [program]).catch(() => {
      throw new Error(`${program} is not installed`);
    });
  }
  const work = await mkdtemp(join(tmpdir(), 'roslet-cyclonedds-'));
  try {
    const version = await fetchSource(work);
    console.log(`build: building Cyclone DDS ${version} from the source package, once`);
    const source = join(work, 'source');
    for (const patch of patches) {
      await run('patch', ['--batch', '--strip=1', `--directory=${source}`, `--input=${patch}`]);
    }
    const target = join(work, 'target');
    const build = join(work, 'build');
    await run('cmake', [
      '-S',
      source,
      '-B',
      build,
      `-DCMAKE_INSTALL_PREFIX=${target}`,
      '-DCMAKE_INSTALL_LIBDIR=lib',
      ...cmakeFlags,
    ]);
    const jobs = String(availableParallelism());
    await run('cmake', ['--build', build, '--target', 'install', '-j', jobs], { maxBuffer: 2 ** 26 });
    await cp(join(source, 'LICENSE'), join(target, 'LICENSE'));
    await writeFile(join(target, 'version'), version);
    await mkdir(cacheFolder(), { recursive: true });
    // Whole or not at all, also when two builds run at once.
    const fresh = `${folder}.${process.pid}`;
    await cp(target, fresh, { recursive: true });
    await rename(fresh, folder).catch(async (error) => {
      await rm(fresh, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Only upstream's archive: what the distribution changes in its packaging does not matter to a static library. */
async function fetchSource(work: string): Promise<string> {
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'noble';
  const apt = privateApt(work, {
    kind: 'deb-src',
    archives: [
      { origin: 'Debian', releases: debianReleases, components: 'main' },
      { origin: 'Ubuntu', releases: [codename], components: 'universe' },
    ],
  });
  const reasons: string[] = [];
  let packages = '';
  try {
    // Without that option a network that is not there counts as success.
    apt('apt-get', ['update', '-q', '-o', 'APT::Update::Error-Mode=any']);
  } catch (error) {
    // One of the releases may have been read all the same.
    reasons.push(firstLine(error));
  }
  try {
    packages = apt('apt-cache', ['showsrc', 'cyclonedds']);
  } catch (error) {
    reasons.push(firstLine(error));
  }
  const versions = [...new Set(Array.from(packages.matchAll(/^Version: (\S+)/gm), ([, version]) => version!))]
    .filter((version) => line.test(version))
    .sort()
    .reverse();
  for (const version of versions) {
    try {
      apt('apt-get', ['source', '-q', '--download-only', '--tar-only', `cyclonedds=${version}`]);
      const archive = (await readdir(work)).find((name) => /\.orig\.tar\.\w+$/.test(name));
      if (archive === undefined) throw new Error(`the source package of ${version} has no archive`);
      const source = join(work, 'source');
      await mkdir(source);
      await run('tar', ['-xf', join(work, archive), '-C', source, '--strip-components=1']);
      return /^[\d.]+\d/.exec(version)![0];
    } catch (error) {
      reasons.push(firstLine(error));
    }
  }
  throw new Error(reasons[0] ?? 'the mirror has no source package cyclonedds 0.10');
}

function installedLibrary(): CycloneLibrary | undefined {
  const config = (option: string) =>
    execFileSync('pkg-config', [option, 'CycloneDDS'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const version = config('--modversion');
    if (!line.test(version)) return undefined;
    const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');
    return {
      version,
      flags: words(config('--cflags')),
      libraries: words(config('--libs')),
      isPatched: false,
    };
  } catch {
    return undefined;
  }
}

/** Of what a program printed to standard error, else of the error itself. */
function firstLine(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string };
  const lines = (stderr || message).split('\n').filter((text) => text.trim() !== '');
  return (lines.find((text) => /^E:|error/i.test(text)) ?? lines[0] ?? 'unknown').trim();
}
