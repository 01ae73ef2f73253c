/**
 * One agent a cgroup root, whatever their root directories: each would take the other's pods for leftovers and kill
 * them. The lock is on the cgroup itself, in one hierarchy: it is the same one from every mount namespace, needs no
 * directory that both know, and is gone with its holder.
 */
import { join } from 'node:path';
import { type Lock, lockDirectory } from '../store/lock.ts';
import { detectLayout } from './cgroup-layout.ts';
import { makeCgroup, prefixes } from './cgroup-tree.ts';

/**
 * Locks the cgroup of all pods, which is made for it.
 * @throws LockError when another agent has it, CgroupError
 */
export async function lockCgroups(podsCgroup: string): Promise<Lock> {
  const { hierarchies } = await detectLayout();
  // The same one for all, in whatever order they are mounted.
  const [first] = [...hierarchies].sort((a, b) => (a.controllers.join() < b.controllers.join() ? -1 : 1));
  const root = first?.dir ?? '/sys/fs/cgroup';
  for (const cgroup of prefixes(podsCgroup)) makeCgroup(join(root, cgroup));
  return await lockDirectory(
    join(root, podsCgroup),
    (holder) =>
      `another roslet agent (${holder}) has its pods in the cgroup ${podsCgroup}, and each would end the other's: ` +
      'stop that one, or give this one another --cgroup-root',
  );
}
