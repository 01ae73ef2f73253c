import { describe, expect, it } from 'vitest';
import { configSourceAnnotation } from '../sources/source.ts';
import { orphanRecord } from './orphans.ts';
import { workingPod } from './working-pods.ts';

const pod = (annotations = {}) => ({
  metadata: { name: 'a', uid: 'a', annotations },
  spec: { containers: [{ name: 'main' }] },
});
const stop = { graceMs: 0, deadlineMs: 0 };

describe('a pod of the node', () => {
  it.each([
    ['runs', { ended: false }, true, 'sync', 'desired'],
    ['goes down', { ended: false, stop }, true, 'terminating', 'desired'],
    ['is down', { ended: true, stop }, true, 'terminated', 'desired'],
    ['came to its end', { ended: true }, true, 'terminated', 'desired'],
    ['goes down as nobody wants it', { ended: false, stop }, false, 'terminating', 'orphan'],
  ])('that %s', (_, state, isDesired, lifecycle, config) => {
    expect(workingPod({ pod: pod(), ...state }, isDesired)).toEqual({ lifecycle, config, isStatic: false });
  });
  it('that is static', () => {
    const file = pod({ [configSourceAnnotation]: 'file' });
    expect(workingPod({ pod: file, ended: false }, true).isStatic).toBe(true);
  });
  it('that nobody knew of', () => {
    const seen = { uid: 'a', namespace: 'b', name: 'c', runtime: { images: null } };
    const record = orphanRecord(seen as Parameters<typeof orphanRecord>[0], 0);
    expect(workingPod(record, false)).toMatchObject({ lifecycle: 'terminating', config: 'runtime_only' });
  });
});
