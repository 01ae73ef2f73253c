import { describe, expect, it } from 'vitest';
import { locators, userDataField } from './graph.ts';

describe('userDataField', () => {
  it.each([
    ['enclave=/;', 'enclave', '/'],
    ['typehash=RIHS01_ab;other=1;', 'other', '1'],
    ['typehash=RIHS01_ab', 'typehash', 'RIHS01_ab'],
    ['xenclave=/;', 'enclave', undefined],
    ['=;;=\0', 'enclave', undefined],
    [undefined, 'enclave', undefined],
  ])('of %j takes %s as %j', (userData, key, value) => {
    expect(userDataField(userData, key)).toBe(value);
  });
});

describe('locators', () => {
  it.each([
    ['udp/192.0.2.2:17410@4', [{ address: '192.0.2.2', port: 17410 }]],
    [
      'udp/10.0.0.1:7410,udp/10.0.0.2:7410',
      [
        { address: '10.0.0.1', port: 7410 },
        { address: '10.0.0.2', port: 7410 },
      ],
    ],
    ['udp6/[fe80::1]:7410@2', [{ address: 'fe80::1', port: 7410 }]],
    ['localprocess', []],
    ['', []],
    [undefined, []],
  ])('of %j are %j', (text, wanted) => {
    expect(locators(text)).toEqual(wanted);
  });
});
