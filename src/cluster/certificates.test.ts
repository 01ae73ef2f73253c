import { describe, expect, it } from 'vitest';
import { issued } from './certificate-requests.ts';
import { servingSubject } from './serving-certificate.ts';

describe('issued', () => {
  const metadata = { name: 'csr-1' };
  const certificate = Buffer.from('PEM').toString('base64');
  const approved = { type: 'Approved' };

  it.each<[string, Parameters<typeof issued>[0]['status'], string | undefined]>([
    ['nothing', undefined, undefined],
    ['approved alone', { conditions: [approved] }, undefined],
    ['signed without approval', { certificate }, undefined],
    ['approved and signed', { conditions: [approved], certificate }, 'PEM'],
  ])('of a request that is %s', (_, status, expected) => {
    expect(issued({ metadata, ...(status && { status }) })).toBe(expected);
  });

  it('says why it will not be', () => {
    const denied = { type: 'Denied', reason: 'NotANode', message: 'who is that' };
    expect(() => issued({ metadata, status: { conditions: [denied] } })).toThrow(
      'the certificate request csr-1 was denied: NotANode: who is that',
    );
    const failed = { type: 'Failed', message: 'no signer' };
    expect(() => issued({ metadata, status: { conditions: [approved, failed], certificate } })).toThrow(
      'csr-1 has failed: no signer',
    );
  });
});

describe('servingSubject', () => {
  it('has every address of the node once, as a name or as an address', () => {
    const addresses = [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'ExternalIP', address: '10.0.0.1' },
      { type: 'InternalIP', address: 'fe80::1' },
      { type: 'Hostname', address: 'robot' },
      { type: 'InternalDNS', address: 'a.robot.local' },
      { type: 'ExternalDNS', address: '' },
    ];
    expect(servingSubject('robot', addresses)).toEqual({
      commonName: 'system:node:robot',
      organizations: ['system:nodes'],
      dnsNames: ['a.robot.local', 'robot'],
      ips: ['10.0.0.1', 'fe80::1'],
    });
  });

  it('is none of a node without an address', () => expect(servingSubject('robot', [])).toBeUndefined());
});
