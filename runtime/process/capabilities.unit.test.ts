import { expect, test } from 'vitest';
import { capabilitySet } from './capabilities.ts';

const bit = (number: number): bigint => 1n << BigInt(number);
const [chown, netAdmin, sysTime] = [bit(0), bit(12), bit(25)];
const set = (add: string[], drop: string[], privileged = false) =>
  capabilitySet({ privileged, capabilities: { add, drop } });

const granted = set([], []).mask;

test('fourteen are granted by default', () => {
  expect(granted.toString(2).replaceAll('0', '')).toHaveLength(14);
  expect(granted & netAdmin).toBe(0n);
});

test('they are added and dropped by name, with or without prefix, in any case', () => {
  expect(set(['NET_ADMIN', 'cap_sys_time'], ['CAP_CHOWN']).mask).toBe(
    (granted | netAdmin | sysTime) & ~chown,
  );
});

test('ALL comes before the names beside it', () => {
  expect(set(['NET_ADMIN'], ['ALL']).mask).toBe(netAdmin);
  const all = set(['ALL'], ['NET_ADMIN']);
  expect(all.all).toBe(true);
  expect(all.mask & netAdmin).toBe(0n);
  expect(all.mask & sysTime).toBe(sysTime);
});

test('a privileged container has all, whatever is dropped', () => {
  expect(set([], ['ALL'], true)).toEqual({ mask: (1n << 41n) - 1n, all: true });
});

test('an unknown name is refused', () => {
  expect(() => set(['FLY'], [])).toThrow(/FLY/);
  expect(() => set([], ['FLY'])).toThrow(/FLY/);
});
