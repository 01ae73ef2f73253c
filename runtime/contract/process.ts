/** The process runtime under the contract: roslet-oci is built from its sources, conmon is the machine's. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { silentLogger } from '../../src/log.ts';
import { cgroups } from '../process/cgroups.ts';
import { machineHierarchies } from '../process/hierarchies.ts';
import { processRuntime } from '../process/index.ts';
import type { RuntimeUnderTest } from './harness.ts';

const run = promisify(execFile);

export const processUnderTest: RuntimeUnderTest = {
  name: 'process',
  traits: {
    events: true,
    hostFilesystem: true,
    endsWholeCommand: true,
    endsCancelledCommand: true,
    makesMountSources: false,
    needsCni: false,
  },
  async setup() {
    // Long, as a root directory may be: the paths of unix sockets may not.
    const workDir = await mkdtemp(join(tmpdir(), `roslet-contract-${'x'.repeat(80)}-`));
    const ociPath = join(workDir, 'roslet-oci');
    await compileOciRuntime(ociPath);
    const stateDir = join(workDir, 'process');
    const open = () => processRuntime({ stateDir, ociPath, log: silentLogger(), hiddenPaths: [stateDir] });
    const cgroupRoot = `/${basename(workDir)}`;
    return {
      runtime: open(),
      reopen: async () => open(),
      image: '',
      workDir,
      cgroupRoot,
      leftovers: async () => [
        ...(await filesLeft(stateDir)),
        ...(await mountsLeft(workDir)),
        ...(await processesLeft(workDir)),
        ...(await cgroupsLeft(cgroupRoot)),
      ],
      async teardown() {
        await cgroups().remove(cgroupRoot);
        await removeExits(stateDir);
        await rm(workDir, { recursive: true });
      },
    };
  },
};

export async function compileOciRuntime(target: string): Promise<void> {
  const folder = join(import.meta.dirname, '..', 'process', 'native');
  const sources = (await readdir(folder))
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(folder, name));
  await run('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-static', '-o', target, ...sources]);
}

/** What is kept apart from a state directory, if it was ever used. */
export async function removeExits(stateDir: string): Promise<void> {
  const exits = join(stateDir, 'exits');
  if (existsSync(exits)) await rm(await realpath(exits), { recursive: true });
}

/** What was never used has none. */
async function filesLeft(stateDir: string): Promise<string[]> {
  if (!existsSync(stateDir)) return [];
  const folders = ['sandboxes', 'containers', 'starts', 'exits', 'corrupt'];
  const names = await Promise.all(folders.map((folder) => readdir(join(stateDir, folder))));
  return names.flat().map((name) => `file ${name}`);
}

async function mountsLeft(workDir: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').filter((line) => line.includes(basename(workDir)));
}

/** All that the runtime starts has the work directory in its arguments. */
async function processesLeft(workDir: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines
    .filter((line) => line.includes(workDir))
    .map((line) => `process ${line.replaceAll('\0', ' ')}`);
}

/** The pods' own cgroups are the agent's to remove; nothing may be in or below them. */
async function cgroupsLeft(cgroupRoot: string): Promise<string[]> {
  const perHierarchy = machineHierarchies().map(async ({ mountPoint }) => {
    const root = join(mountPoint, cgroupRoot);
    if (!existsSync(root)) return [];
    const names = await readdir(root, { recursive: true, withFileTypes: true });
    return names
      .filter((entry) => entry.isDirectory() && entry.parentPath !== root)
      .map((entry) => `cgroup ${join(entry.parentPath, entry.name)}`);
  });
  return (await Promise.all(perHierarchy)).flat();
}
