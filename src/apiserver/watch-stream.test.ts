import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { labelSelector } from './selectors.ts';
import { typeFor } from './watch-stream.ts';

const pod = (app?: string): Pod => ({ metadata: { labels: app ? { app } : {} } });
const selects = labelSelector('app=cam');

describe('what a change means to who only sees app=cam', () => {
  it.each([
    ['ADDED', undefined, pod('cam'), 'ADDED'],
    ['ADDED', undefined, pod('imu'), undefined],
    ['MODIFIED', pod('cam'), pod('cam'), 'MODIFIED'],
    ['MODIFIED', pod('imu'), pod('cam'), 'ADDED'],
    ['MODIFIED', pod('cam'), pod('imu'), 'DELETED'],
    ['MODIFIED', pod('imu'), pod(), undefined],
    ['DELETED', pod('cam'), pod('cam'), 'DELETED'],
    ['DELETED', pod('imu'), pod('imu'), undefined],
  ] as const)('%s of %j to %j is %s', (type, previous, object, seen) => {
    expect(typeFor<'pods'>({ type, previous, object, revision: 1 }, selects)).toBe(seen);
  });
});
