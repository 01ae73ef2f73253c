import { expect, it } from 'vitest';
import { messageOf } from './error-message.ts';

it.each([
  [new TypeError('no'), 'no'],
  ['no', 'no'],
  [undefined, 'undefined'],
])('says what %s says', (error, expected) => {
  expect(messageOf(error)).toBe(expected);
});
