import { describe, expect, it } from 'vitest';
import { ttlCache } from './ttl-cache.ts';

const setUp = (maxEntries = 10) => {
  let nowMs = 0;
  const cache = ttlCache<string>({
    ttlMs: (value) => (value === 'yes' ? 100 : 10),
    maxEntries,
    nowMs: () => nowMs,
  });
  let asked = 0;
  return {
    get: (key: string, answer = 'yes') =>
      cache.get(key, async () => {
        asked += 1;
        if (answer === 'fail') throw new Error('no answer');
        return answer;
      }),
    pass: (ms: number) => {
      nowMs += ms;
    },
    asked: () => asked,
  };
};

describe('ttlCache', () => {
  it('keeps each answer for its own time', async () => {
    const { get, pass, asked } = setUp();
    expect(await get('a', 'yes')).toBe('yes');
    expect(await get('b', 'no')).toBe('no');
    pass(9);
    expect([await get('a', 'no'), await get('b', 'yes'), asked()]).toEqual(['yes', 'no', 2]);
    pass(1);
    expect([await get('a', 'no'), await get('b', 'yes'), asked()]).toEqual(['yes', 'yes', 3]);
    pass(90);
    expect([await get('a', 'no'), asked()]).toEqual(['no', 4]);
  });

  it('asks once for those who ask at the same time', async () => {
    const { get, asked } = setUp();
    expect(await Promise.all([get('a', 'yes'), get('a', 'no'), get('b', 'no')])).toEqual([
      'yes',
      'yes',
      'no',
    ]);
    expect(asked()).toBe(2);
  });

  it('keeps no failure', async () => {
    const { get } = setUp();
    await expect(Promise.all([get('a', 'fail'), get('a', 'yes')])).rejects.toThrow('no answer');
    expect(await get('a', 'no')).toBe('no');
  });

  it('forgets the oldest when it is full', async () => {
    const { get, asked } = setUp(2);
    for (const key of ['a', 'b', 'c', 'c', 'b']) await get(key);
    expect(asked()).toBe(3);
    await get('a');
    expect(asked()).toBe(4);
  });
});
