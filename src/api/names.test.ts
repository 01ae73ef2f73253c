import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as names from './names.ts';

const long = (length: number): string => 'a'.repeat(length);

/** By rule: what it takes, and what it does not. */
const table: [keyof typeof names, names.NameRule, good: string[], bad: string[]][] = [
  [
    'dns1123Label',
    names.dns1123Label,
    ['a', '0', 'a-b', 'a--b', '1a', long(63)],
    ['', '-a', 'a-', 'A', 'a.b', 'a_b', 'ä', 'a\n', long(64)],
  ],
  [
    'dns1123Subdomain',
    names.dns1123Subdomain,
    ['a', 'a.b', '1.2', 'a-b.c', long(253)],
    ['', '.', 'a.', '.a', 'a..b', 'a.-b', 'A.b', 'a_b', long(254)],
  ],
  [
    'uid',
    names.uid,
    ['a', '0f.A-z', 'robot.', long(128)],
    ['', '.', '..', '../../x', 'a/b', 'a..b', '-a', 'a_b', 'a\n', long(129)],
  ],
  ['dnsSearchDomain', names.dnsSearchDomain, ['a.b', '_tcp.a', 'a_b.c'], ['', 'a..b', '-a', 'A']],
  ['labelValue', names.labelValue, ['', 'a', 'A_b.c-d', '1', long(63)], ['-', 'a-', 'a b', 'a/b', long(64)]],
  [
    'qualifiedName',
    names.qualifiedName,
    ['a', 'A_b.c', 'example.com/A', `a.b/${long(63)}`],
    ['', '/', 'a/', '/a', 'a/b/c', 'A.b/c', 'a b', `a/${long(64)}`, `${long(254)}/a`],
  ],
  [
    'configMapKey',
    names.configMapKey,
    ['a', '.a', 'A_b.c-d'],
    ['', '.', '..', '..a', 'a/b', 'a b', long(254)],
  ],
  ['envVarName', names.envVarName, ['A', 'a.b-c', '1', 'A B', '{', '~'], ['', 'A=B', 'ä', 'a\tb', 'a\n']],
  [
    'portName',
    names.portName,
    ['http', 'a1', '1a', 'a-b', long(15)],
    ['', '80', 'A', '-a', 'a-', 'a--b', 'a_b', long(16)],
  ],
  ['httpHeaderName', names.httpHeaderName, ['X-A', 'a1'], ['', 'a b', 'a:b', 'a_b']],
  [
    'sysctlName',
    names.sysctlName,
    ['kernel.shm', 'net/core/x', 'net.ipv4.tcp_a'],
    ['', '.a', 'a.', 'A.b', 'a..b'],
  ],
  [
    'ipAddress',
    names.ipAddress,
    ['10.0.0.1', '::1', '2001:DB8::1', '::ffff:1.2.3.4'],
    ['', '10.0.0', '256.0.0.1', '010.0.0.1', 'a', 'fe80::1%eth0', '10.0.0.1/8'],
  ],
];

describe.each(table)('%s', (_, rule, good, bad) => {
  it.each(good)('takes %j', (value) => {
    expect(rule(value)).toBeUndefined();
  });
  it.each(bad)('refuses %j and says what it must be', (value) => {
    expect(rule(value)).toMatch(/^must /);
  });
});

it.each([1, 80, 65535])('takes port %i', (port) => {
  expect(names.portNumber(port)).toBeUndefined();
});
it.each([0, -1, 65536])('refuses port %i', (port) => {
  expect(names.portNumber(port)).toContain('between 1 and 65535');
});
it.each([0, 2 ** 31 - 1])('takes id %i', (id) => {
  expect(names.posixId(id)).toBeUndefined();
});
it.each([-1, 2 ** 31])('refuses id %i', (id) => {
  expect(names.posixId(id)).toContain('between 0 and');
});

describe('properties', () => {
  it('every label is a subdomain, and labels joined by dots are one', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 5 }), (labels) => {
        for (const item of labels) expect(names.dns1123Label(item)).toBeUndefined();
        expect(names.dns1123Subdomain(labels.join('.'))).toBeUndefined();
      }),
    );
  });

  it('what is taken as a file name below a volume cannot leave it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('.', '/', 'a', '\0', '-') }), (key) => {
        if (names.configMapKey(key) === undefined) expect(key).not.toMatch(/\/|\0|^\.\.?$/);
      }),
    );
  });

  it('answers for any text at once', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5000 }), (value) => {
        for (const [, rule] of table)
          expect([undefined, expect.stringMatching(/^must /)]).toContainEqual(rule(value));
      }),
    );
  });
});
