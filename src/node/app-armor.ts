/** Whether profiles can be enforced: by the kernel, which is told at boot, and through the file system that loads them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../log.ts';

/** @param sysDir where sysfs is mounted */
export function hasAppArmor(sysDir: string, log: Logger): boolean {
  if (!existsSync(join(sysDir, 'kernel/security/apparmor'))) return false;
  const file = join(sysDir, 'module/apparmor/parameters/enabled');
  try {
    return readFileSync(file, 'utf8').startsWith('Y');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ err, file }, 'cannot read whether the kernel has AppArmor, taking it for not enabled');
    return false;
  }
}
