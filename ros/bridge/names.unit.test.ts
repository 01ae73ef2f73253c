import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { fullName, nameToken, podNodeNames } from './names.ts';

const pod = (name: string, uid = `uid-${name}`, namespace = 'default'): Pod => ({
  metadata: { name, namespace, uid },
  spec: { containers: [] },
});
const namesOf = (pods: Pod[], before?: Parameters<typeof podNodeNames>[2]) =>
  [...podNodeNames('robot', pods, before)].map(([uid, name]) => `${uid} ${fullName(name)}`).sort();

describe('a part of a ROS name', () => {
  it.each([
    ['camera', 'camera'],
    ['front-camera.left', 'front_camera_left'],
    ['a--b.-c', 'a_b_c'],
    ['2d-lidar', 'n2d_lidar'],
    ['Robot-1', 'Robot_1'],
    ['', 'n'],
  ])('%s becomes %s', (text, expected) => {
    expect(nameToken(text)).toBe(expected);
  });

  it('is always one that ROS takes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(nameToken(text)).toMatch(/^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$/);
      }),
    );
  });
});

describe('names of pods', () => {
  it('tell pods apart that would have one name, the same in every life of the agent', () => {
    const pods = [pod('a.b', 'bb11-2233'), pod('a-b', 'AA11-2233'), pod('c', 'cc')];
    const expected = [
      'AA11-2233 /robot/pods/default/a_b',
      'bb11-2233 /robot/pods/default/a_b_bb1122',
      'cc /robot/pods/default/c',
    ];
    expect(namesOf(pods)).toEqual(expected);
    expect(namesOf([...pods].reverse())).toEqual(expected);
  });

  it('stay with the pod that had them in an earlier life of the agent', () => {
    const since = (startTime: string) => ({ status: { startTime } });
    const pods = [
      { ...pod('a-b', 'aa11-2233'), ...since('2026-01-02T00:00:00Z') },
      { ...pod('a.b', 'bb11-2233'), ...since('2026-01-01T00:00:00Z') },
    ];
    expect(namesOf(pods)).toEqual([
      'aa11-2233 /robot/pods/default/a_b_aa1122',
      'bb11-2233 /robot/pods/default/a_b',
    ]);
  });

  it('stay what they are while the pod is there', () => {
    const first = podNodeNames('robot', [pod('a.b', 'bb11-2233')]);
    expect(namesOf([pod('a.b', 'bb11-2233'), pod('a-b', 'aa11-2233')], first)).toEqual([
      'aa11-2233 /robot/pods/default/a_b_aa1122',
      'bb11-2233 /robot/pods/default/a_b',
    ]);
  });

  it('are different, valid, and short enough for DDS', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-.a-z0-9]{0,120}[a-z0-9])?$/);
    const any = fc.uniqueArray(
      fc.record({ name: label, namespace: fc.constantFrom('default', '1'), uid: fc.uuid() }),
      {
        selector: ({ uid }) => uid,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(any, (all) => {
        const names = [
          ...podNodeNames(
            'r'.repeat(60),
            all.map(({ name, namespace, uid }) => pod(name, uid, namespace)),
          ).values(),
        ];
        expect(names).toHaveLength(all.length);
        expect(new Set(names.map(fullName)).size).toBe(all.length);
        for (const name of names.map(fullName)) {
          expect(name.length).toBeLessThanOrEqual(210);
          expect(name).toMatch(/^(\/[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*)+$/);
        }
      }),
    );
  });
});
