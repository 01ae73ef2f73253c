/** Other agents and earlier lives of this one: what they hold, and what they left on disk. */
import { readdirSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TestAgent } from '../agent.ts';
import { containerId, faultsPlace, pod, restarts } from './place.ts';

const { start } = faultsPlace();

describe('a second agent', () => {
  it('of the same root directory is told who is there', async () => {
    const a = await start();
    const { code, output } = await a.tryCli('run', '--config', join(a.dir, 'config.yaml'));
    expect(code).not.toBe(0);
    expect(output).toContain(String(a.pid));
  });

  it('of the same cgroups is refused before it touches a pod of the first, also after a kill of that', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('steady'));
    const before = await a.ready('steady');
    await a.stop('SIGKILL');
    await a.start();
    const other = await TestAgent.create({ args: ['--cgroup-root', a.cgroup] });
    try {
      other.spawn();
      expect(await other.ended()).toBe(1);
      expect(other.log).toMatch(new RegExp(`process ${a.pid}\\).* ${a.cgroup}/kubepods.*--cgroup-root`));
      const after = await a.ready('steady');
      expect(containerId(after)).toBe(containerId(before));
      expect(restarts(after)).toBe(0);
      // Nothing is left of the lock of one that was killed.
      await a.stop('SIGKILL');
      await other.start();
    } finally {
      await other.remove();
    }
  });
});

describe('a root directory', () => {
  it.each(['.', 'log', 'log/pods', 'store', 'store/pod-records'])(
    'with a file where the agent keeps files is refused by that path: %s',
    async (name) => {
      const a = await TestAgent.create();
      try {
        const path = join(a.root, name);
        await mkdir(dirname(path), { recursive: true });
        writeFileSync(path, '');
        a.spawn();
        expect(await a.ended()).toBe(1);
        expect(a.log).toMatch(/^roslet: .*\n$/);
        expect(a.log).toContain(path);
      } finally {
        // One that fails late has made its cgroup.
        await a.killPods();
        await rm(a.dir, { recursive: true });
      }
    },
  );
});

describe('state on disk', () => {
  it('that is corrupt is set aside, and the pod goes on', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('steady'));
    const before = await a.ready('steady');
    await sleep(1500);
    await a.stop('SIGKILL');
    const records = join(a.root, 'store', 'pod-records');
    for (const name of readdirSync(records)) writeFileSync(join(records, name), 'garbage');
    await a.start();
    const after = await a.ready('steady');
    expect(containerId(after)).toBe(containerId(before));
    expect(restarts(after)).toBe(0);
    expect(a.log).toMatch(/set aside/);
  });
});
