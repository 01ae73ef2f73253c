/**
 * The names of cgroups of pods, as the kubelet has them with either driver:
 *
 *     cgroupfs  /kubepods[/burstable|/besteffort]/pod<uid>
 *     systemd   /kubepods.slice[/kubepods-burstable.slice|/kubepods-besteffort.slice]/kubepods[-…]-pod<uid>.slice
 *
 * The name of a slice is its place (systemd.slice(5)), so that a dash in a part of it is written as an underscore.
 */
import { basename, join } from 'node:path';
import { CgroupError } from './cgroup-layout.ts';

/** The configuration's `cgroupDriver`. */
export type CgroupDriverKind = 'cgroupfs' | 'systemd';

export interface PodCgroupNames {
  /** Where pods of the three classes are; Guaranteed ones are directly below all others. */
  readonly parents: Readonly<Record<'Guaranteed' | 'Burstable' | 'BestEffort', string>>;
  /** @throws CgroupError when that cannot be the uid of a pod */
  pod(parent: string, uid: string): string;
  /** The uid of the pod that a cgroup of that name, in one of the parents, is of. */
  uidOf(name: string): string | undefined;
}

/** @param cgroupRoot parent of all, e.g. `/`; for systemd `/robot` and `/robot.slice` are the same */
export function podCgroupNames(driver: CgroupDriverKind, cgroupRoot: string): PodCgroupNames {
  return driver === 'systemd' ? sliceNames(cgroupRoot) : directoryNames(cgroupRoot);
}

function directoryNames(cgroupRoot: string): PodCgroupNames {
  const base = join('/', cgroupRoot, 'kubepods');
  return {
    parents: {
      Guaranteed: base,
      Burstable: join(base, 'burstable'),
      BestEffort: join(base, 'besteffort'),
    },
    pod: (parent, uid) => join(parent, podPrefix + checkedUid(uid, /^[\w-][\w.-]*$/)),
    uidOf: (name) => (name.startsWith(podPrefix) ? name.slice(podPrefix.length) : undefined),
  };
}

function sliceNames(cgroupRoot: string): PodCgroupNames {
  const root = cgroupRoot.split('/').filter((part) => part !== '');
  const base = [...root.map((part) => escaped(part.replace(/\.slice$/, ''))), 'kubepods'];
  return {
    parents: {
      Guaranteed: slicePath(base),
      Burstable: slicePath([...base, 'burstable']),
      BestEffort: slicePath([...base, 'besteffort']),
    },
    // One with an underscore could be taken for another's.
    pod: (parent, uid) => {
      const parts = basename(parent, '.slice');
      return join(
        parent,
        `${parts}-${podPrefix}${escaped(checkedUid(uid, /^[A-Za-z\d-][A-Za-z\d.-]*$/))}.slice`,
      );
    },
    uidOf: (name) => /-pod([^-]+)\.slice$/.exec(name)?.[1]?.replaceAll('_', '-'),
  };
}

/** Of a cgroup that somebody else made, as the kubelet reads its name: a slice by its last part alone. */
export function existingCgroup(driver: CgroupDriverKind, name: string): string {
  return driver === 'systemd' ? slicePath(basename(name, '.slice').split('-')) : join('/', name);
}

/** `['a', 'b']` gives `/a.slice/a-b.slice`. */
const slicePath = (parts: readonly string[]): string =>
  `/${parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/')}`;

const escaped = (part: string): string => part.replaceAll('-', '_');

/** A uid with a path in it would have another cgroup killed and removed. */
function checkedUid(uid: string, allowed: RegExp): string {
  if (!allowed.test(uid)) throw new CgroupError(uid, `'${uid}' cannot be the uid of a pod`);
  return uid;
}

const podPrefix = 'pod';
