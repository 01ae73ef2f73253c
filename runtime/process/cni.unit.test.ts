import { expect, test } from 'vitest';
import { parseNetworkList } from './cni.ts';

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
])('%s is refused with the name of the file', (text, why) => {
  expect(() => parseNetworkList(text, '10-net.conflist')).toThrow(`10-net.conflist ${why}`);
});
