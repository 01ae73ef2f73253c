import { expect, test } from 'vitest';
import { RuntimeError } from '../runtime.ts';
import { asRuntimeError } from './errors.ts';

test.each([
  [Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }), 'ResourceExhausted'],
  [Object.assign(new Error('read-only file system'), { code: 'EROFS' }), 'FailedPrecondition'],
  [Object.assign(new Error('strange'), { code: 'EXYZ' }), 'Unknown'],
  [new Error('plain'), 'Unknown'],
])('%s has the code %s and keeps message and cause', (error, code) => {
  expect(asRuntimeError(error)).toMatchObject({ code, message: error.message, cause: error });
});

test('an error of the port stays itself', () => {
  const error = new RuntimeError('NotFound', 'gone');
  expect(asRuntimeError(error)).toBe(error);
});
