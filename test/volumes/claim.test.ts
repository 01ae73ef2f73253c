import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ClaimSource } from '../../src/sources/source.ts';
import type { VolumeManager } from '../../src/volumes/manager.ts';
import { podWith, run, signal, uid, volumesPlace } from './place.ts';

const on = volumesPlace();

describe('a claim', () => {
  const pod = podWith([{ name: 'v', persistentVolumeClaim: { claimName: 'maps' } }]);
  /** Of a cluster that may be out of reach. */
  const managerOf = (claimSource: () => Promise<ClaimSource>): VolumeManager =>
    on.newManager({
      cluster: { claimSource, token: () => Promise.reject(new Error('nobody asks for a token here')) },
    });
  const isReached = async (): Promise<ClaimSource> => ({ path: join(on.root, 'maps'), kind: 'hostPath' });
  const isGone = () => Promise.reject(new Error('the cluster is out of reach'));

  beforeEach(async () => {
    await mkdir(join(on.root, 'maps'));
    await writeFile(join(on.root, 'maps', 'hall'), '');
    await managerOf(isReached).setUp(pod, signal);
    // As a reboot does.
    await run('/bin/umount', [on.pathOf(pod, 'v')]);
  });

  test('is found again after a reboot out of reach of the cluster', async () => {
    await managerOf(isGone).setUp(pod, signal);
    expect(await readdir(on.pathOf(pod, 'v'))).toEqual(['hall']);
  });

  test.each(['', '{"path":"/sr', 'null', '7', '{"path":7,"kind":"local"}'])(
    'of which %j is noted is asked for again',
    async (torn) => {
      await writeFile(join(on.podsDir, uid, 'plugins/kubernetes.io~local-volume/v/source'), torn);
      await expect(managerOf(isGone).setUp(pod, signal)).rejects.toThrow('the cluster is out of reach');
      await managerOf(isReached).setUp(pod, signal);
      expect(await readdir(on.pathOf(pod, 'v'))).toEqual(['hall']);
      await run('/bin/umount', [on.pathOf(pod, 'v')]);
      await managerOf(isGone).setUp(pod, signal);
    },
  );
});
