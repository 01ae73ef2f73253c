import { describe, expect, it } from 'vitest';
import type { Container } from '../api/core.gen.ts';
import { testPod } from '../pods/testing.ts';
import { fsUser } from './fs-user.ts';
import { isGiven } from './ownership.ts';

const as = (runAsUser?: number): Container => ({
  name: 'a',
  ...(runAsUser !== undefined && { securityContext: { runAsUser } }),
});

describe('the user of a pod', () => {
  it.each<[string, number | undefined, Parameters<typeof testPod>[0]]>([
    ['is that of all its containers', 7, { containers: [as(7), as(7)], initContainers: [as(7)] }],
    ['is that of the pod', 7, { containers: [as()], securityContext: { runAsUser: 7 } }],
    ['is root, too', 0, { containers: [as(0)] }],
    ['is none where two differ', undefined, { containers: [as(7), as()], securityContext: { runAsUser: 8 } }],
    ['is none where an image says it', undefined, { containers: [as(7)], initContainers: [as()] }],
  ])('%s', (_, expected, spec) => {
    expect(fsUser(testPod(spec))).toBe(expected);
  });
});

describe('the root of a volume', () => {
  it.each([
    ['is the group’s', { gid: 5, mode: 0o42775 }, true],
    ['belongs to another', { gid: 6, mode: 0o42775 }, false],
    ['does not pass its group on', { gid: 5, mode: 0o40775 }, false],
    ['cannot be written by the group', { gid: 5, mode: 0o42755 }, false],
  ])('%s', (_, stat, expected) => {
    expect(isGiven(stat, 5)).toBe(expected);
  });
});
