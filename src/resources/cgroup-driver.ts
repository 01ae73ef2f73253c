/** What writes one kind of cgroup file system: v1.ts and v2.ts. */
import type { CgroupDetails } from './cgroup-details.ts';
import type { CgroupStats } from './cgroup-stats.ts';
import type { CgroupSettings } from './container.ts';

export interface CgroupDriver {
  readonly version: 1 | 2;
  /** Mount points of all hierarchies. */
  readonly roots: readonly string[];
  /** Controllers and control files that this kernel turned out not to have; grows with what is tried. */
  readonly lost: ReadonlySet<string>;
  /** Makes the cgroup and those above it, in every hierarchy, with the controllers that those below it need. */
  create(path: string): Promise<void>;
  apply(path: string, settings: CgroupSettings): Promise<void>;
  stats(path: string): CgroupStats;
  details(path: string): CgroupDetails;
}
