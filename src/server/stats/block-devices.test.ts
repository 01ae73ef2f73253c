import { expect, test } from 'vitest';
import { deviceName, usedDevices } from './block-devices.ts';

test('whole devices that were used count, with sectors in bytes', () => {
  const text = `   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 61382 1024 5040050 22000 90012 3000 8000 41000 0 30000 63000 0 0 0 0 5 6
 254       1 vda1 100 0 800 2 3 0 16 1 0 3 3 0 0 0 0 0 0
`;
  expect(usedDevices(text, new Set(['loop0', 'vda']))).toEqual([
    {
      major: 254,
      minor: 0,
      readBytes: 2_580_505_600,
      writtenBytes: 4_096_000,
      reads: 61_382,
      writes: 90_012,
    },
  ]);
  expect(usedDevices('', new Set(['vda']))).toEqual([]);
});

test('a device that is gone goes by its numbers', () => {
  expect(deviceName({ major: 4095, minor: 7 })).toBe('4095:7');
});
