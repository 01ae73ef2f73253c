import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { DesiredState } from './desired.ts';
import type { ObjectRef, SourceSnapshot } from './source.ts';

const pod = (uid: string, fields: Partial<Pod> = {}): Pod => ({ metadata: { name: uid, uid }, ...fields });
const snapshot = (fields: Partial<SourceSnapshot> = {}): SourceSnapshot => ({
  pods: [],
  configMaps: [],
  secrets: [],
  ...fields,
});

function listened(): { state: DesiredState; refs: ObjectRef[]; podChanges: () => number } {
  const state = new DesiredState();
  let count = 0;
  const refs: ObjectRef[] = [];
  state.onPodsChange(() => count++);
  state.onObjectChange((ref) => refs.push(ref));
  return { state, refs, podChanges: () => count };
}

describe('pods', () => {
  it('of all sources are there', () => {
    const { state } = listened();
    state.set('api', snapshot({ pods: [pod('b')] }));
    state.set('file', snapshot({ pods: [pod('a')] }));
    expect(state.pods()).toEqual([pod('a'), pod('b')]);
  });

  it.each<[string, Pod[], Pod[]]>([
    ['come', [], [pod('a')]],
    ['go', [pod('a'), pod('b')], [pod('b')]],
    ['are replaced', [pod('a')], [pod('b')]],
    ['have another spec', [pod('a')], [pod('a', { spec: { containers: [] } })]],
    ['have another label', [pod('a')], [pod('a', { metadata: { uid: 'a', name: 'a', labels: { x: 'z' } } })]],
    [
      'are being deleted',
      [pod('a')],
      [pod('a', { metadata: { uid: 'a', name: 'a', deletionTimestamp: 'now' } })],
    ],
  ])('are told when they %s', (_, before, after) => {
    const { podChanges, state } = listened();
    state.set('api', snapshot({ pods: before }));
    const told = podChanges();
    state.set('api', snapshot({ pods: after }));
    expect(podChanges()).toBe(told + 1);
  });

  it.each<[string, Pod, Pod]>([
    ['nothing', pod('a'), pod('a')],
    ['the status', pod('a'), pod('a', { status: { phase: 'Running' } })],
    [
      'the bookkeeping of the API',
      pod('a', { metadata: { uid: 'a', resourceVersion: '1' } }),
      pod('a', { metadata: { uid: 'a', resourceVersion: '2', managedFields: [] } }),
    ],
  ])('are not told again when %s changed, but the newest is handed out', (_, before, after) => {
    const { podChanges, state } = listened();
    state.set('api', snapshot({ pods: [before] }));
    state.set('api', snapshot({ pods: [after] }));
    expect(podChanges()).toBe(1);
    expect(state.pods()[0]).toBe(after);
  });

  it('of one source do not go with those of another', () => {
    const { podChanges, state } = listened();
    state.set('file', snapshot({ pods: [pod('a')] }));
    state.set('api', snapshot());
    expect(podChanges()).toBe(1);
    expect(state.pods()).toHaveLength(1);
  });

  it('are told no more after the listener has left', () => {
    const state = new DesiredState();
    let count = 0;
    const leave = state.onPodsChange(() => count++);
    leave();
    state.set('file', snapshot({ pods: [pod('a')] }));
    expect(count).toBe(0);
  });
});

describe('config maps and secrets', () => {
  const configMap = (value: string, resourceVersion = '1') => ({
    metadata: { name: 'c', namespace: 'n', resourceVersion },
    data: { value },
  });

  it('of files come before those of the API', async () => {
    const { state } = listened();
    state.set('api', snapshot({ configMaps: [configMap('api')], secrets: [{ metadata: { name: 's' } }] }));
    expect(await state.configMap('n', 'c')).toEqual(configMap('api'));
    state.set('file', snapshot({ configMaps: [configMap('file')] }));
    expect(await state.configMap('n', 'c')).toEqual(configMap('file'));
    expect(await state.secret('default', 's')).toBeDefined();
    expect(await state.configMap('default', 'c')).toBeUndefined();
    expect(await state.secret('n', 'c')).toBeUndefined();
  });

  it('are told when they come, change and go, and before the pods that use them', async () => {
    const { state, refs } = listened();
    const ref: ObjectRef = { kind: 'ConfigMap', namespace: 'n', name: 'c' };
    const order: string[] = [];
    state.onObjectChange(() => order.push('object'));
    state.onPodsChange(() => order.push('pods'));
    state.set('file', snapshot({ configMaps: [configMap('1')], pods: [pod('a')] }));
    state.set('file', snapshot({ configMaps: [configMap('1', '2')], pods: [pod('a')] }));
    state.set('file', snapshot({ configMaps: [configMap('2')], pods: [pod('a')] }));
    state.set('file', snapshot({ pods: [pod('a')] }));
    expect(refs).toEqual([ref, ref, ref]);
    expect(order).toEqual(['object', 'pods', 'object', 'object']);
  });

  it('of the API that one of a file hides are not told', () => {
    const { state, refs } = listened();
    state.set('file', snapshot({ configMaps: [configMap('file')] }));
    state.set('api', snapshot({ configMaps: [configMap('api')] }));
    expect(refs).toHaveLength(1);
  });
});
