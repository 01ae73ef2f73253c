/**
 * Where this machine's cgroup hierarchies are: v2 alone, v1 alone, or the hybrid in which the controllers are on v1 and
 * an empty v2 tree lies beside them. Read from what is mounted, never guessed from the kernel's version.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Hierarchy {
  /** Mount point. */
  dir: string;
  /** v1: controllers bound to it, or `name=systemd`; the v2 tree of a hybrid has none. */
  controllers: readonly string[];
}

export type CgroupLayout =
  /** Every hierarchy counts when a cgroup is created or removed, also those without controllers. */
  { version: 1; hierarchies: readonly Hierarchy[] } | { version: 2; hierarchies: readonly [Hierarchy] };

export class CgroupError extends Error {
  override readonly name = 'CgroupError';
  /** File or directory concerned. */
  readonly path: string;
  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** @throws CgroupError when no cgroup file system is mounted. */
export async function detectLayout(): Promise<CgroupLayout> {
  // A long one of the kernel's is read in many small pieces, each by a thread of its own, otherwise.
  const layout = parseLayout(readFileSync(mountinfoPath, 'utf8'));
  if (layout.version === 1) return layout;
  const [unified] = layout.hierarchies;
  const controllers = words(await readFile(join(unified.dir, 'cgroup.controllers'), 'utf8'));
  return { version: 2, hierarchies: [{ dir: unified.dir, controllers }] };
}

export function parseLayout(mountinfo: string): CgroupLayout {
  const v1 = new Map<string, Hierarchy>();
  let unified: Hierarchy | undefined;
  for (const line of mountinfo.split('\n')) {
    // Where many pods run most lines are of something else, and long.
    if (!line.includes(' - cgroup')) continue;
    const mount = parseMount(line);
    // A mount of a subtree has paths that no runtime would understand.
    if (mount === undefined || mount.root !== '/') continue;
    if (mount.type === 'cgroup2') unified ??= { dir: mount.dir, controllers: [] };
    if (mount.type === 'cgroup' && !v1.has(mount.device)) {
      v1.set(mount.device, { dir: mount.dir, controllers: mount.options.filter(isController) });
    }
  }
  const hierarchies = [...v1.values()];
  if (hierarchies.some(({ controllers }) => controllers.some((name) => !name.startsWith('name=')))) {
    return { version: 1, hierarchies: unified === undefined ? hierarchies : [...hierarchies, unified] };
  }
  if (unified !== undefined) return { version: 2, hierarchies: [unified] };
  throw new CgroupError(
    mountinfoPath,
    'no cgroup file system is mounted with its root: mount cgroup2 on /sys/fs/cgroup, or start the container of this agent with the cgroup namespace of the host',
  );
}

/**
 * Where a process is, from its /proc/PID/cgroup. Undefined: in no cgroup but the root, or on v1 in one of which not both its
 * memory and its CPU time are counted.
 */
export function cgroupOfProcess(procCgroup: string, version: 1 | 2): string | undefined {
  const pathOf = new Map<string, string>();
  for (const [, controllers = '', path = ''] of procCgroup.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    for (const controller of controllers.split(',')) pathOf.set(controller, path);
  }
  const path = pathOf.get(version === 2 ? '' : 'memory');
  if (path === '/' || (version === 1 && path !== pathOf.get('cpuacct'))) return undefined;
  return path;
}

export interface MissingController {
  controller: string;
  /** Why, and what to do about it. */
  message: string;
}

/** Which of the controllers that pods need this machine cannot give, from /proc/cgroups. */
export function missingControllers(layout: CgroupLayout, procCgroups: string): MissingController[] {
  const present = new Set(layout.hierarchies.flatMap(({ controllers }) => controllers));
  const wanted = layout.version === 1 ? [...wantedControllers, 'cpuacct'] : wantedControllers;
  const kernel = parseProcCgroups(procCgroups);
  return wanted
    .filter((controller) => !present.has(controller))
    .map((controller) => ({ controller, message: explainMissing(controller, kernel.get(controller)) }));
}

/** What pods are limited with. Huge pages are limited where the machine has any. */
const wantedControllers: readonly string[] = ['cpu', 'cpuset', 'memory', 'pids'];

export const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

const mountinfoPath = '/proc/self/mountinfo';

interface CgroupMount {
  device: string;
  root: string;
  dir: string;
  type: string;
  options: string[];
}

/** proc_pid_mountinfo(5): optional fields end with a lone `-`; blanks and backslashes are octal escapes. */
function parseMount(line: string): CgroupMount | undefined {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [, , device, root, dir] = fields;
  const type = fields[separator + 1];
  if (separator < 0 || device === undefined || root === undefined || dir === undefined) return undefined;
  if (type !== 'cgroup' && type !== 'cgroup2') return undefined;
  return { device, root, dir: unescapeOctal(dir), type, options: (fields[separator + 3] ?? '').split(',') };
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const mountFlags = new Set(['rw', 'ro', 'xattr', 'noprefix', 'clone_children', 'none', 'all']);

const isController = (option: string): boolean =>
  option !== '' && !mountFlags.has(option) && (!option.includes('=') || option.startsWith('name='));

function parseProcCgroups(text: string): Map<string, { enabled: boolean }> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [name = '', , , enabled] = words(line);
      return [name, { enabled: enabled === '1' }];
    }),
  );
}

function explainMissing(controller: string, kernel: { enabled: boolean } | undefined): string {
  if (kernel?.enabled === false) {
    return `the ${controller} controller is switched off: add cgroup_enable=${controller} to the kernel's command line and start the machine anew`;
  }
  if (kernel === undefined)
    return `this kernel was built without the ${controller} controller, or does not show it`;
  return `the ${controller} controller is in no mounted cgroup hierarchy`;
}
