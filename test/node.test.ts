/** What the node tells of its machine when a real file system fills up, runs out of inodes or turns read-only. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../src/log.ts';
import { createNodeMonitor, type NodeMonitor, type NodeMonitorOptions } from '../src/node/node.ts';
import { toAmounts } from '../src/resources/amounts.ts';

const mib = 2 ** 20;

describe('the node', () => {
  let rootDir: string;
  let running: AbortController;
  let ended: Promise<void>;
  let node: NodeMonitor;

  const start = async (more: Partial<NodeMonitorOptions> = {}) => {
    node = await createNodeMonitor({
      nodeName: 'robot',
      labels: { arm: 'left' },
      taints: [],
      addresses: () => [{ type: 'InternalIP', address: '127.0.0.1' }],
      kubeletPort: 0,
      agentVersion: 'v1',
      rootDir,
      maxPods: 110,
      reservations: { kubeReserved: {}, systemReserved: {} },
      thresholds: [],
      periodMs: 20,
      log: silentLogger(),
      now: Date.now,
      ...more,
    });
    ended = node.run(running.signal);
  };
  const mount = (...args: string[]) => execFileSync('mount', [...args, rootDir]);

  beforeEach(async () => {
    running = new AbortController();
    rootDir = await mkdtemp(join(tmpdir(), 'roslet-node-'));
    mount('-t', 'tmpfs', '-o', 'size=4m,nr_inodes=64', 'tmpfs');
  });
  afterEach(async () => {
    running.abort();
    await ended;
    execFileSync('umount', [rootDir]);
    await rm(rootDir, { recursive: true });
  });

  const condition = (type: string) => node.node().status?.conditions?.find((found) => found.type === type);
  const becomes = (type: string, status: string) => expect.poll(() => condition(type)?.status).toBe(status);

  it('says what it is and has', async () => {
    await start();
    const { metadata, status } = node.node();
    expect(metadata?.labels).toMatchObject({
      'kubernetes.io/hostname': 'robot',
      'kubernetes.io/os': 'linux',
      arm: 'left',
    });
    expect(status?.nodeInfo).toMatchObject({ operatingSystem: 'linux', kubeletVersion: 'v1' });
    expect(status?.nodeInfo?.bootID).toMatch(/^[0-9a-f-]{36}$/);
    expect(toAmounts(status?.capacity)).toMatchObject({ pods: 110, 'ephemeral-storage': 4 * mib });
    expect(status?.conditions?.map(({ type }) => type)).toEqual([
      'MemoryPressure',
      'DiskPressure',
      'PIDPressure',
      'Ready',
    ]);
  });

  it('has disk pressure while its file system is full, also without a threshold', async () => {
    await start();
    await expect(writeFile(join(rootDir, 'large'), Buffer.alloc(5 * mib))).rejects.toThrow('ENOSPC');
    await becomes('DiskPressure', 'True');
    expect(node.pressures()).toEqual(['DiskPressure']);
    expect(condition('Ready')?.status).toBe('True');
    await rm(join(rootDir, 'large'));
    await becomes('DiskPressure', 'False');
  });

  it('has disk pressure while there are no inodes', async () => {
    await start();
    const files = Array.from({ length: 70 }, (_, i) => join(rootDir, `file-${i}`));
    const written = await Promise.allSettled(files.map((file) => writeFile(file, '')));
    expect(written.some(({ status }) => status === 'rejected')).toBe(true);
    await becomes('DiskPressure', 'True');
    for (const file of files) await rm(file, { force: true });
    await becomes('DiskPressure', 'False');
  });

  it('is not ready while its file system is read-only, and says so', async () => {
    await start();
    mount('-o', 'remount,ro');
    await becomes('Ready', 'False');
    expect(condition('Ready')).toMatchObject({
      reason: 'KubeletNotReady',
      message: `the file system of ${rootDir} is read-only`,
    });
    mount('-o', 'remount,rw');
    await becomes('Ready', 'True');
  });

  it('is known from the beginning to have what is wrong with it', async () => {
    await expect(writeFile(join(rootDir, 'large'), Buffer.alloc(5 * mib))).rejects.toThrow('ENOSPC');
    mount('-o', 'remount,ro');
    // It never looks again.
    running.abort();
    await start();
    expect(condition('Ready')?.status).toBe('False');
    expect(condition('DiskPressure')?.status).toBe('True');
  });

  it('tells of a change once, and not of heartbeats', async () => {
    await start();
    await becomes('Ready', 'True');
    let changes = 0;
    const unsubscribe = node.onChange(() => {
      changes += 1;
    });
    node.setProblem('runtime', 'the runtime is gone');
    node.setProblem('runtime', 'the runtime is gone');
    expect(changes).toBe(1);
    const before = condition('Ready')?.lastHeartbeatTime;
    await expect.poll(() => condition('Ready')?.lastHeartbeatTime, { timeout: 5000 }).not.toBe(before);
    expect(changes).toBe(1);
    unsubscribe();
    node.setProblem('runtime', undefined);
    expect(changes).toBe(1);
    expect(condition('Ready')?.status).toBe('True');
  });

  it('stops looking when it is told to', async () => {
    await start();
    const aborted = once(running.signal, 'abort');
    running.abort();
    await aborted;
    await expect(ended).resolves.toBeUndefined();
  });
});
