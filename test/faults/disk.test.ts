/** A disk that is full, fails or turns read-only. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { cgroupsBelow, isReady, pidsOf, TestAgent, until } from '../agent.ts';
import { containerId, pod } from './place.ts';

describe('the disk', () => {
  async function onSmallDisk(use: (a: TestAgent) => Promise<void>): Promise<void> {
    const a = await TestAgent.create();
    await mkdir(a.root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', a.root]);
    try {
      await a.start();
      await use(a);
    } finally {
      await a.discard();
    }
  }

  function fill(dir: string): string {
    const filler = join(dir, 'filler');
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'], { stdio: 'ignore' });
    } catch {
      // It ends when the disk is full: that is what it is for.
    }
    return filler;
  }

  it('that is full stops nothing that runs, and what was asked for comes when there is room', () =>
    onSmallDisk(async (a) => {
      await a.apply('a.yaml', pod('before'));
      const before = await a.ready('before');
      const filler = fill(a.root);
      await a.apply('b.yaml', pod('after'));
      await sleep(2000);
      expect(isReady((await a.pod('before'))!)).toBe(true);
      const node = JSON.parse(await a.get('/api/v1/nodes/robot'));
      await a.stop('SIGKILL');
      a.spawn();
      await sleep(1000);
      rmSync(filler);
      await a.stop('SIGKILL');
      await a.start();
      await a.ready('after');
      const same = await a.ready('before');
      expect(containerId(same)).toBe(containerId(before));
      expect(node.kind).toBe('Node');
      await a.unapply('a.yaml');
      await a.unapply('b.yaml');
      await until('the pods are gone', async () => (await a.pods()).length === 0);
    }));

  it.each(['the agent looks on', 'the agent is dead'])('that is full loses no exit code while %s', (when) =>
    onSmallDisk(async (a) => {
      const go = join(a.dir, 'go');
      const job = (name: string, code: number) =>
        pod(name, { command: `until [ -e ${go} ]; do sleep 0.05; done; exit ${code}` }).replace(
          'containers:',
          'restartPolicy: Never\n  containers:',
        );
      await a.apply('done.yaml', job('done', 0));
      await a.apply('failed.yaml', job('failed', 7));
      await Promise.all([a.ready('done'), a.ready('failed')]);
      const filler = fill(a.root);
      if (when === 'the agent is dead') await a.stop('SIGKILL');
      writeFileSync(go, '');
      if (when === 'the agent is dead') {
        const waiting = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(go);
        await until('both have ended', () => !cgroupsBelow(a.cgroup).flatMap(pidsOf).some(waiting));
        rmSync(filler);
        await a.start();
      }
      const [done, failed] = await Promise.all(
        ['done', 'failed'].map((name) =>
          a.podUntil(name, 'has ended', ({ status }) => /Succeeded|Failed/.test(status?.phase ?? '')),
        ),
      );
      expect([done?.status?.phase, failed?.status?.phase]).toEqual(['Succeeded', 'Failed']);
      expect(failed?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(7);
    }),
  );
});

describe('a disk that fails and turns read-only', () => {
  it('stops nothing that runs, and the node says so', async () => {
    const a = await TestAgent.create({ config: 'nodeStatusUpdateFrequency: 1s\n' });
    const image = join(a.dir, 'disk.img');
    execFileSync('truncate', ['-s', '64M', image]);
    execFileSync('mkfs.ext4', ['-q', image]);
    await mkdir(a.root);
    execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, a.root]);
    const device = execFileSync('findmnt', ['-no', 'SOURCE', a.root], { encoding: 'utf8' }).trim();
    try {
      await a.start();
      await a.apply('a.yaml', pod('before', { command: 'while sleep 0.1; do echo tick; done' }));
      const before = await a.ready('before');
      writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'test');
      await until('the node says so', async () => /read-only/.test(await a.get('/api/v1/nodes/robot')));
      await a.apply('b.yaml', pod('after'));
      await sleep(2000);
      expect(containerId((await a.pod('before'))!)).toBe(containerId(before));
      expect(isReady((await a.pod('before'))!)).toBe(true);
      expect(await a.cli('pods')).toContain('before-robot');
    } finally {
      await a.discard();
    }
  });
});
