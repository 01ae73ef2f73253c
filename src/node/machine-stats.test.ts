import { describe, expect, it } from 'vitest';
import {
  exhausted,
  hasDedicatedImageFs,
  isReadOnly,
  observeMachine,
  observeMemory,
} from './machine-stats.ts';
import { prettyName } from './node-info.ts';
import type { EvictionSignal } from './thresholds.ts';

describe('observeMachine', () => {
  it('finds every signal of this machine, and no more available than there is', async () => {
    const observations = await observeMachine('/', ['/']);
    for (const signal of [
      'memory.available',
      'nodefs.available',
      'imagefs.available',
      'pid.available',
    ] as const) {
      const { available, capacity } = observations.get(signal) ?? { available: -1, capacity: 0 };
      expect(available, signal).toBeGreaterThan(0);
      expect(available, signal).toBeLessThanOrEqual(capacity);
    }
  });
  it('has no signal of images where there are none', async () => {
    expect((await observeMachine('/', [])).has('imagefs.available')).toBe(false);
  });
});

describe('hasDedicatedImageFs', () => {
  it('compares the file systems', async () => {
    expect(await hasDedicatedImageFs('/', ['/etc'])).toBe(false);
    expect(await hasDedicatedImageFs('/', ['/proc'])).toBe(true);
    expect(await hasDedicatedImageFs('/', [])).toBe(false);
  });
});

describe('exhausted', () => {
  const left = (signal: EvictionSignal, available: number) =>
    exhausted(new Map([[signal, { available, capacity: 1e9 }]]));
  it.each([
    ['nodefs.available', 1000, 'DiskPressure'],
    ['nodefs.inodesFree', 0, 'DiskPressure'],
    ['pid.available', 63, 'PIDPressure'],
  ] as const)('tells of %s at %d', (signal, available, pressure) => {
    expect([...left(signal, available)]).toEqual([pressure]);
  });
  it.each([
    ['nodefs.available', 1e6],
    ['nodefs.inodesFree', 1],
    ['pid.available', 64],
    ['memory.available', 0],
  ] as const)('leaves %s at %d to the thresholds', (signal, available) => {
    expect([...left(signal, available)]).toEqual([]);
  });
});

describe('observeMemory', () => {
  it('counts the cache that the kernel gives back as available', () => {
    const meminfo = 'MemTotal:  1000 kB\nMemFree:  200 kB\nInactive(file):  100 kB\nHugePages_Total:  3\n';
    expect(observeMemory(meminfo)).toEqual({ capacity: 1000 * 1024, available: 300 * 1024 });
  });
});

describe('isReadOnly', () => {
  const root = '1 0 8:1 / / rw,relatime - ext4 /dev/sda rw';
  const mounts = (options: string, superOptions: string, dir = '/var/lib/my\\040robot') =>
    `${root}\n2 1 8:2 / ${dir} ${options} shared:4 - ext4 /dev/sdb ${superOptions}`;
  it.each([
    ['a writable file system', mounts('rw', 'rw'), false],
    ['a read-only mount', mounts('ro,nosuid', 'rw'), true],
    ['a file system that the kernel made read-only', mounts('rw', 'ro,errors=remount-ro'), true],
    ['another mount', mounts('ro', 'ro', '/var/lib/my\\040robots'), false],
    [
      'a later mount over it',
      `${mounts('rw', 'rw')}\n3 1 8:3 / /var/lib/my\\040robot ro - ext4 /dev/sdc ro`,
      true,
    ],
  ])('%s', (_, mountinfo, expected) =>
    expect(isReadOnly(mountinfo, '/var/lib/my robot/agent')).toBe(expected),
  );
});

describe('prettyName', () => {
  it.each([
    ['NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', 'Debian GNU/Linux 12 (bookworm)'],
    ["PRETTY_NAME='One'\n", 'One'],
    ['PRETTY_NAME=Plain\n', 'Plain'],
    ['PRETTY_NAME="a \\"b\\""\n', 'a "b"'],
    ['', 'Linux'],
  ])('%j', (text, name) => expect(prettyName(text)).toBe(name));
});
