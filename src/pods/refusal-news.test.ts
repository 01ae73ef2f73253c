import { describe, expect, it } from 'vitest';
import { refusalNews } from './refusal-news.ts';

function news() {
  let elapsedMs = 0;
  const { isNews } = refusalNews(() => elapsedMs);
  return { isNews, pass: (ms: number) => (elapsedMs += ms) };
}

describe('a refusal', () => {
  it('is news once, also when another comes in between', () => {
    const { isNews } = news();
    expect(['a', 'b', 'a', 'b', 'a'].map(isNews)).toEqual([true, true, false, false, false]);
  });

  it('is news again after ten minutes', () => {
    const { isNews, pass } = news();
    isNews('a');
    pass(599_999);
    expect(isNews('a')).toBe(false);
    pass(1);
    expect(isNews('a')).toBe(true);
  });

  it('with ever new words is news only now and then', () => {
    const { isNews, pass } = news();
    let told = 0;
    for (let second = 0; second < 600; second++, pass(1000)) if (isNews(`used: ${second}`)) told += 1;
    expect(told).toBeGreaterThan(5);
    expect(told).toBeLessThanOrEqual(15);
  });
});
