/** openssl reads what we write. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipBytes, objectId, time, unsignedInteger } from './der.ts';
import { certificateRequest, keyPem, namesOfHost, newKey, selfSignedCertificate } from './x509.ts';

function openssl(input: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout + stderr;
}

const subject = {
  commonName: 'system:node:robot-1',
  organizations: ['system:nodes'],
  dnsNames: ['robot-1', 'robot-1.local'],
  ips: ['10.0.0.7', 'fe80::1:2'],
};

describe('certificateRequest', () => {
  const read = (request: string): string =>
    openssl(request, 'req', '-noout', '-text', '-verify', '-nameopt', 'RFC2253,utf8,-esc_msb');

  it('carries the subject and its names, signed by the key', () => {
    const key = newKey();
    const text = read(certificateRequest(key, subject));
    expect(text).toContain('verify OK');
    expect(text).toContain('Subject: CN=system:node:robot-1,O=system:nodes');
    expect(text).toContain(
      'DNS:robot-1, DNS:robot-1.local, IP Address:10.0.0.7, IP Address:FE80:0:0:0:0:0:1:2',
    );
    expect(text).toContain('ecdsa-with-SHA256');
    const publicOf = openssl(certificateRequest(key, subject), 'req', '-noout', '-pubkey');
    expect(openssl(keyPem(key), 'ec', '-pubout')).toContain(publicOf);
  });

  it('asks for no extension where there are no names', () => {
    const text = read(certificateRequest(newKey(), { ...subject, dnsNames: [], ips: [] }));
    expect(text).toContain('verify OK');
    expect(text).toMatch(/Attributes:\s+\(none\)/);
  });

  it('may be long and hold any text', () => {
    const commonName = 'ö'.repeat(60);
    const dnsNames = Array.from({ length: 2000 }, (_, i) => `host-${i}.example`);
    const text = read(certificateRequest(newKey(), { ...subject, commonName, dnsNames }));
    expect(text).toContain('verify OK');
    expect(text).toContain(`CN=${commonName}`);
    expect(text).toContain('DNS:host-1999.example');
  });
});

describe('selfSignedCertificate', () => {
  it('is one that the key belongs to, for servers, of the time that is given', () => {
    const key = newKey();
    const [fromMs, untilMs] = [Date.UTC(2026, 0, 2, 3, 4, 5), Date.UTC(2060, 0, 1)];
    const pem = selfSignedCertificate(key, subject, { fromMs, untilMs });
    const certificate = new X509Certificate(pem);
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkHost('robot-1.local')).toBe('robot-1.local');
    expect(certificate.checkIP('fe80::1:2')).toBe('fe80::1:2');
    expect([certificate.validFromDate.getTime(), certificate.validToDate.getTime()]).toEqual([
      fromMs,
      untilMs,
    ]);
    const text = openssl(pem, 'x509', '-noout', '-text');
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Server Authentication/);
  });
});

it.each([
  ['robot', { dnsNames: ['robot'], ips: [] }],
  ['10.0.0.1', { dnsNames: [], ips: ['10.0.0.1'] }],
])('the name of the host %s', (host, names) => expect(namesOfHost(host)).toEqual(names));

describe('DER', () => {
  it.each([
    ['1.2.840.113549.1.9.14', '06092a864886f70d01090e'],
    ['2.5.4.3', '0603550403'],
    ['1.3.6.1.4.1.57683', '06082b0601040183c253'],
  ])('writes the object id %s', (id, hex) => expect(objectId(id).toString('hex')).toBe(hex));

  it.each([
    ['00', '020100'],
    ['0000', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['00ff00', '020300ff00'],
  ])('writes the number %s', (bytes, hex) => {
    expect(unsignedInteger(Buffer.from(bytes, 'hex')).toString('hex')).toBe(hex);
  });

  it('changes the form of times with 2050', () => {
    expect(
      time(Date.UTC(2049, 11, 31, 23, 59, 59))
        .subarray(2)
        .toString(),
    ).toBe('491231235959Z');
    expect(
      time(Date.UTC(2050, 0, 1))
        .subarray(2)
        .toString(),
    ).toBe('20500101000000Z');
  });

  it('writes every address as its bytes', () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        const groups = ipBytes(ip).toString('hex').match(/.{4}/g)!.join(':');
        expect(new URL(`http://[${groups}]`).hostname).toBe(new URL(`http://[${ip}]`).hostname);
      }),
    );
    expect(ipBytes('::ffff:1.2.3.4').toString('hex')).toBe('00000000000000000000ffff01020304');
    expect([...ipBytes('192.168.0.1')]).toEqual([192, 168, 0, 1]);
    expect(() => ipBytes('robot')).toThrow('no IP address');
  });
});
