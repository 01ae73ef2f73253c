/** Whether profiles can be enforced: by the kernel, which is told at boot, and through the file system that loads them. */
import { existsSync, readFileSync } from 'node:fs';

export function hasAppArmor(): boolean {
  if (!existsSync('/sys/kernel/security/apparmor')) return false;
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}
