/** The control plane of the tests leaves nothing behind when it cannot start. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { ControlPlane } from '../peers/control-plane.ts';

it('leaves nothing behind when it cannot start', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roslet-no-plane-'));
  try {
    vi.stubEnv('TMPDIR', dir);
    await expect(ControlPlane.start({ address: 'no address' })).rejects.toThrow();
    expect(await readdir(dir)).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
    await rm(dir, { recursive: true });
  }
});
