import { expect, it } from 'vitest';
import { turns } from './rate-limit.ts';

it('lets a burst go at once and the rest one after the other; a pause fills the burst again', () => {
  const waitAt = turns(10, 3);
  expect([0, 0, 0, 0, 0].map(waitAt)).toEqual([0, 0, 0, 100, 200]);
  expect([300, 300].map(waitAt)).toEqual([0, 100]);
  expect([5000, 5000, 5000, 5000].map(waitAt)).toEqual([0, 0, 0, 100]);
});
