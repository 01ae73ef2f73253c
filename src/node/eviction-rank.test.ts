import { describe, expect, it } from 'vitest';
import {
  type DiskUsage,
  type PodUsage,
  type PodWithUsage,
  rankForEviction,
  usageMessage,
} from './eviction-rank.ts';

const mi = 2 ** 20;
const disk = (bytes: number, inodes = 0): DiskUsage => ({ bytes, inodes });

interface Shape extends Partial<PodUsage> {
  requests?: Record<string, string>;
  priority?: number;
}

const pod = (name: string, { requests, priority, ...usage }: Shape): PodWithUsage => ({
  pod: {
    metadata: { name },
    spec: {
      containers: [{ name: 'main', resources: { requests } }],
      ...(priority !== undefined && { priority }),
    },
  },
  usage: { containers: new Map(), volumes: new Map(), ...usage },
});
const order = (pods: PodWithUsage[], ...rest: [Parameters<typeof rankForEviction>[1], boolean?]) =>
  rankForEviction(pods, rest[0], rest[1] ?? false).map(({ pod }) => pod.metadata?.name);

describe('rankForEviction', () => {
  it('takes those beyond their request before those within, whatever their priority', () => {
    const within = pod('within', { memoryWorkingSetBytes: 900 * mi, requests: { memory: '1000Mi' } });
    const beyond = pod('beyond', {
      memoryWorkingSetBytes: 10 * mi,
      requests: { memory: '1Mi' },
      priority: 1000,
    });
    expect(order([within, beyond], 'memory.available')).toEqual(['beyond', 'within']);
  });
  it('takes the lower priority, then the one that is further beyond', () => {
    const pods = [
      pod('high', { memoryWorkingSetBytes: 900 * mi, priority: 10 }),
      pod('low-small', { memoryWorkingSetBytes: 5 * mi }),
      pod('low-large', { memoryWorkingSetBytes: 6 * mi }),
      pod('low-asked', { memoryWorkingSetBytes: 100 * mi, requests: { memory: '99Mi' } }),
    ];
    expect(order(pods, 'memory.available')).toEqual(['low-large', 'low-small', 'low-asked', 'high']);
  });
  it('takes a pod whose files cannot be measured for the largest, but only where disk is short', () => {
    const known = pod('known', {
      volumes: new Map([['v', disk(1000 * mi, 100)]]),
      memoryWorkingSetBytes: mi,
    });
    const unknown = pod('unknown', { isDiskUnknown: true });
    const important = pod('important', { isDiskUnknown: true, priority: 1 });
    for (const signal of ['nodefs.available', 'nodefs.inodesFree'] as const) {
      expect(order([known, important, unknown], signal)).toEqual(['unknown', 'known', 'important']);
    }
    expect(order([unknown, known], 'memory.available')).toEqual(['known', 'unknown']);
  });
  it('counts processes when pids run out', () => {
    const pods = [
      pod('few', { processCount: 2 }),
      pod('many', { processCount: 50 }),
      pod('important', { processCount: 500, priority: 1 }),
    ];
    expect(order(pods, 'pid.available')).toEqual(['many', 'few', 'important']);
  });
  it('counts writable layers, logs and volumes when the disk is full', () => {
    const pods = [
      pod('layer', { containers: new Map([['main', { rootfs: disk(10) }]]) }),
      pod('logs', { containers: new Map([['main', { logs: disk(30) }]]) }),
      pod('volume', { volumes: new Map([['data', disk(20)]]) }),
    ];
    expect(order(pods, 'nodefs.available')).toEqual(['logs', 'volume', 'layer']);
  });
  it('tells the disks apart when images have their own', () => {
    const pods = [
      pod('layer', { containers: new Map([['main', { rootfs: disk(90) }]]) }),
      pod('volume', { volumes: new Map([['data', disk(20)]]) }),
    ];
    expect(order(pods, 'nodefs.available', true)).toEqual(['volume', 'layer']);
    expect(order(pods, 'imagefs.available', true)).toEqual(['layer', 'volume']);
  });
  it('counts files when inodes run out, and no request is in the way', () => {
    const pods = [
      pod('bytes', { volumes: new Map([['data', disk(900, 1)]]) }),
      pod('files', { volumes: new Map([['data', disk(1, 900)]]), requests: { 'ephemeral-storage': '1Gi' } }),
    ];
    expect(order(pods, 'nodefs.inodesFree')).toEqual(['files', 'bytes']);
  });
});

describe('usageMessage', () => {
  it('names only the containers that use more than they asked for', () => {
    const containers = new Map([['main', { memoryWorkingSetBytes: 5 * mi, rootfs: disk(3), logs: disk(4) }]]);
    const subject = pod('p', { containers, requests: { memory: '8Mi' } });
    expect(usageMessage(subject, 'memory.available')).toBe('');
    expect(usageMessage(subject, 'nodefs.available')).toBe(
      'Container main was using 7, request is 0, has larger consumption of ephemeral-storage. ',
    );
    expect(usageMessage(subject, 'pid.available')).toBe('');
    expect(usageMessage(subject, 'nodefs.inodesFree')).toBe('');
  });
});
