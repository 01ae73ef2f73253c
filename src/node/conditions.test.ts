import { describe, expect, it } from 'vitest';
import { nodeConditions, type Pressure, sameConditions } from './conditions.ts';

const at = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);
const time = (second: number) => `2026-01-01T00:00:0${second}Z`;
const none: ReadonlySet<Pressure> = new Set();

describe('nodeConditions', () => {
  it('tells of a healthy node as the kubelet does', () => {
    const conditions = nodeConditions({ pressures: none, problems: [] }, [], at(1));
    expect(conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`)).toEqual([
      'MemoryPressure=False KubeletHasSufficientMemory',
      'DiskPressure=False KubeletHasNoDiskPressure',
      'PIDPressure=False KubeletHasSufficientPID',
      'Ready=True KubeletReady',
    ]);
  });
  it('is not ready while there is a problem, and names them all', () => {
    const ready = (problems: string[]) => nodeConditions({ pressures: none, problems }, [], at(1)).at(-1);
    expect(ready(['the runtime is gone'])).toMatchObject({
      status: 'False',
      reason: 'KubeletNotReady',
      message: 'the runtime is gone',
    });
    expect(ready(['a', 'b'])?.message).toBe('[a, b]');
  });
  it('keeps the time of the last change, and renews the heartbeat', () => {
    const first = nodeConditions({ pressures: none, problems: [] }, [], at(1));
    const second = nodeConditions(
      { pressures: new Set<Pressure>(['DiskPressure']), problems: [] },
      first,
      at(2),
    );
    expect(second.find(({ type }) => type === 'DiskPressure')).toMatchObject({
      status: 'True',
      lastTransitionTime: time(2),
    });
    expect(second.find(({ type }) => type === 'Ready')).toMatchObject({
      lastTransitionTime: time(1),
      lastHeartbeatTime: time(2),
    });
    expect(sameConditions(first, second)).toBe(false);
    expect(sameConditions(first, nodeConditions({ pressures: none, problems: [] }, first, at(3)))).toBe(true);
  });
});
