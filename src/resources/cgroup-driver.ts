/** What writes one kind of cgroup file system: v1.ts and v2.ts; systemd/slice-driver.ts has systemd do it. */
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
  /** Has what is made below the cgroup keep its limits, where a third party could take the controllers away. */
  holdControllers(path: string): Promise<void>;
  apply(path: string, settings: CgroupSettings): Promise<void>;
  /** Kills what is in the cgroups and removes them. @throws CgroupError when something does not die in time */
  remove(paths: readonly string[], signal?: AbortSignal): Promise<void>;
  stats(path: string): CgroupStats;
  details(path: string): CgroupDetails;
}
