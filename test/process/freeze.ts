/** Holds the processes of a container still, so that what waits for them waits for sure. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroups } from '../../runtime/process/cgroups.ts';

/** In both cgroup versions, where they are: in v1 a frozen process does not even die. */
export function freeze(container: string, on: boolean): void {
  for (const directory of cgroups().directories(container))
    for (const [file, value] of [
      ['freezer.state', on ? 'FROZEN' : 'THAWED'],
      ['cgroup.freeze', on ? '1' : '0'],
    ] as const)
      if (existsSync(join(directory, file))) writeFileSync(join(directory, file), value);
}
