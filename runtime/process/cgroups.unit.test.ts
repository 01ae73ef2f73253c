import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { cgroups } from './cgroups.ts';

test('what the kernel does not show by its pid is waited for, but never killed as pid 0', async () => {
  const mountPoint = await mkdtemp(join(tmpdir(), 'roslet-cgroups-'));
  onTestFinished(() => rm(mountPoint, { recursive: true }));
  await mkdir(join(mountPoint, 'pod'));
  const procs = join(mountPoint, 'pod', 'cgroup.procs');
  await writeFile(procs, '0\n4194304\n');
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  onTestFinished(() => kill.mockRestore());
  let settled = false;
  const killed = cgroups([{ version: 1, mountPoint, controllers: ['freezer'] }])
    .kill('/pod')
    .finally(() => {
      settled = true;
    });
  await expect.poll(() => kill).toHaveBeenCalledWith(4194304, 'SIGKILL');
  expect(kill).not.toHaveBeenCalledWith(0, expect.anything());
  expect(settled).toBe(false);
  await writeFile(procs, '');
  await killed;
});
