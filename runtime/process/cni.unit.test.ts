import { expect, test } from 'vitest';
import { parseNetworkList, parseResult } from './cni.ts';

test('a list is read, and a single plugin is a list of one', () => {
  const list = { cniVersion: '1.0.0', name: 'pods', plugins: [{ type: 'ptp' }, { type: 'portmap' }] };
  expect(parseNetworkList(JSON.stringify(list), 'x')).toEqual(list);
  const single = { name: 'pods', type: 'ptp', mtu: 1400 };
  expect(parseNetworkList(JSON.stringify(single), 'x')).toEqual({
    name: 'pods',
    cniVersion: '0.2.0',
    plugins: [single],
  });
});

test.each([
  ['{', 'is not JSON'],
  ['[]', 'has no name'],
  ['null', 'has no name'],
  ['{"name": "a"}', 'names no plugins'],
  ['{"name": "a", "plugins": [{}]}', 'names no plugins'],
  ['{"name": "a", "plugins": [null]}', 'names no plugins'],
  ['{"name": "a", "plugins": {"type": "ptp"}}', 'names no plugins'],
])('%s is refused with the name of the file', (text, why) => {
  expect(() => parseNetworkList(text, '10-net.conflist')).toThrow(`10-net.conflist ${why}`);
});

test('the result of a plugin is taken as it is', () => {
  const result = { cniVersion: '1.0.0', ips: [{ address: '10.1.0.2/24', gateway: '10.1.0.1' }], routes: [] };
  expect(parseResult(JSON.stringify(result), { type: 'ptp' })).toEqual(result);
  expect(parseResult('{}', { type: 'loopback' })).toEqual({});
});

test.each([
  ['done', 'no JSON'],
  ['null', 'no result: null'],
  ['{"ips": {"address": "10.1.0.2/24"}}', 'no result: {"ips"'],
  ['{"ips": [{"ip": "10.1.0.2"}]}', 'no result: {"ips"'],
  ['{"ips": [null]}', 'no result: {"ips"'],
])('%s is refused, with the name of the plugin that answered so', (text, why) => {
  expect(() => parseResult(text, { type: 'ptp' })).toThrow(`CNI plugin ptp answered with ${why}`);
});
