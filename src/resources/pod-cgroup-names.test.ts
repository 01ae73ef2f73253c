import { basename, dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CgroupDriverKind, existingCgroup, podCgroupNames } from './pod-cgroup-names.ts';

const uid = '5fa1e5e3-3a64-4a4b-9f3e-0f0d2cb1f0aa';
const escapedUid = '5fa1e5e3_3a64_4a4b_9f3e_0f0d2cb1f0aa';

describe('the cgroup of a pod', () => {
  it.each<[CgroupDriverKind, string, 'Guaranteed' | 'Burstable' | 'BestEffort', string]>([
    ['cgroupfs', '/', 'Guaranteed', `/kubepods/pod${uid}`],
    ['cgroupfs', '/', 'Burstable', `/kubepods/burstable/pod${uid}`],
    ['cgroupfs', '/robot', 'BestEffort', `/robot/kubepods/besteffort/pod${uid}`],
    ['systemd', '/', 'Guaranteed', `/kubepods.slice/kubepods-pod${escapedUid}.slice`],
    [
      'systemd',
      '/',
      'Burstable',
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${escapedUid}.slice`,
    ],
    [
      'systemd',
      '/my-robot',
      'BestEffort',
      `/my_robot.slice/my_robot-kubepods.slice/my_robot-kubepods-besteffort.slice/my_robot-kubepods-besteffort-pod${escapedUid}.slice`,
    ],
    [
      'systemd',
      '/robot.slice',
      'Guaranteed',
      `/robot.slice/robot-kubepods.slice/robot-kubepods-pod${escapedUid}.slice`,
    ],
  ])('with %s below %s, %s: %s', (driver, root, qos, path) => {
    const names = podCgroupNames(driver, root);
    expect(names.pod(names.parents[qos], uid)).toBe(path);
  });

  it.each<CgroupDriverKind>(['cgroupfs', 'systemd'])('tells whose it is, with %s', (driver) => {
    const uids = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9.-]{0,60}$/);
    const roots = fc.stringMatching(/^(\/[a-z0-9-]{1,9}){0,3}$/);
    fc.assert(
      fc.property(uids, roots, (uid, root) => {
        const names = podCgroupNames(driver, root);
        for (const parent of Object.values(names.parents)) {
          const path = names.pod(parent, uid);
          expect(dirname(path)).toBe(parent);
          expect(names.uidOf(basename(path))).toBe(uid);
        }
      }),
    );
  });

  it.each<[CgroupDriverKind, string]>([
    ['cgroupfs', 'burstable'],
    ['systemd', 'kubepods-burstable.slice'],
    ['systemd', 'cri-containerd-0123.scope'],
  ])('is not, with %s, %s', (driver, name) => {
    expect(podCgroupNames(driver, '/').uidOf(name)).toBeUndefined();
  });

  it.each<[CgroupDriverKind, string]>([
    ['cgroupfs', '..'],
    ['cgroupfs', 'a/b'],
    ['cgroupfs', ''],
    ['systemd', '../a'],
    ['systemd', ''],
    // It would be read as that of `a-b`.
    ['systemd', 'a_b'],
  ])('is not made, with %s, for the uid %j', (driver, uid) => {
    const names = podCgroupNames(driver, '/');
    expect(() => names.pod(names.parents.Burstable, uid)).toThrow('cannot be the uid of a pod');
  });
});

it.each([
  ['cgroupfs', '/runtime/kube', '/runtime/kube'],
  ['cgroupfs', 'system.slice', '/system.slice'],
  ['systemd', '/system.slice', '/system.slice'],
  ['systemd', 'system', '/system.slice'],
  ['systemd', '/a.slice/a-b.slice', '/a.slice/a-b.slice'],
  ['systemd', 'a-b.slice', '/a.slice/a-b.slice'],
] as const)('with %s a cgroup that is called %s is %s', (driver, name, path) => {
  expect(existingCgroup(driver, name)).toBe(path);
});
