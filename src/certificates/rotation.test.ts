import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import { CertificateError, type CertificatePair } from './files.ts';
import { pairStore } from './pair-store.ts';
import { keepCertificate, msUntilRenewal } from './rotation.ts';
import { type CertificateSubject, keyPem, newKey, selfSignedCertificate } from './x509.ts';

const subject: CertificateSubject = {
  commonName: 'system:node:robot',
  organizations: ['system:nodes'],
  dnsNames: ['robot'],
  ips: ['10.0.0.1', 'fe80::1'],
};
const noNames = { dnsNames: [], ips: [] };
/** Ten hours, from the first. */
const validity = { fromMs: 3600_000, untilMs: 11 * 3600_000 };

function issued(says: CertificateSubject = subject, time = validity, key = newKey()): CertificatePair {
  return { cert: selfSignedCertificate(key, says, time), key: keyPem(key) };
}

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-pki-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

describe('msUntilRenewal', () => {
  it('is the rest of the share of its time', () => {
    expect(msUntilRenewal(issued(), subject, 2 * 3600_000, 0.8)).toBe(7 * 3600_000);
    expect(msUntilRenewal(issued(), subject, 9 * 3600_000, 0.8)).toBe(0);
    expect(msUntilRenewal(issued(), subject, 20 * 3600_000, 0.8)).toBe(0);
  });

  it('is nothing where there is none', () => expect(msUntilRenewal(undefined, subject, 0, 0.8)).toBe(0));

  it.each<[string, Partial<CertificateSubject>, boolean]>([
    ['the same', {}, true],
    ['less', { organizations: [], ...noNames }, true],
    ['another name', { commonName: 'system:node:other' }, false],
    ['another group', { organizations: ['system:nodes', 'more'] }, false],
    ['another host', { dnsNames: ['robot', 'robot.local'] }, false],
    ['another address', { ips: ['10.0.0.1', '10.0.0.2'] }, false],
    ['an address written otherwise', { ips: ['fe80:0:0:0:0:0:0:1'] }, true],
  ])('lets one stay that has to say %s', (_, change, stays) => {
    expect(msUntilRenewal(issued(), { ...subject, ...change }, 2 * 3600_000, 0.8) > 0).toBe(stays);
  });
});

describe('pairStore', () => {
  const store = () => pairStore(dir, 'kubelet-client');

  it('keeps the newest under the name of the kubelet, in one file that only root reads', async () => {
    const [first, second] = [issued(), issued()];
    expect(await store().current()).toBeUndefined();
    await store().add(first, Date.UTC(2026, 0, 2, 3, 4, 5));
    await store().add(second, Date.UTC(2026, 1, 2, 3, 4, 5));
    expect((await readdir(dir)).sort()).toEqual([
      'kubelet-client-2026-01-02-03-04-05.pem',
      'kubelet-client-2026-02-02-03-04-05.pem',
      'kubelet-client-current.pem',
    ]);
    const current = join(dir, 'kubelet-client-current.pem');
    expect(store().currentPath).toBe(current);
    expect(await readlink(current)).toBe(join(dir, 'kubelet-client-2026-02-02-03-04-05.pem'));
    expect((await stat(current)).mode & 0o777).toBe(0o600);
    const text = await readFile(current, 'utf8');
    expect(new X509Certificate(text).fingerprint256).toBe(new X509Certificate(second.cert).fingerprint256);
    const found = await store().current();
    expect([found?.cert.trim(), found?.key.trim()]).toEqual([second.cert.trim(), second.key.trim()]);
  });

  it('keeps a chain whole, and the last of two in one second', async () => {
    const [pair, issuer] = [issued(), issued()];
    await store().add(issued(), 0);
    await store().add({ cert: pair.cert + issuer.cert, key: pair.key }, 0);
    expect((await store().current())?.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(await readdir(dir)).toHaveLength(2);
  });

  it('takes no key of another certificate, and says what it cannot use', async () => {
    await expect(store().add({ ...issued(), key: keyPem(newKey()) }, 0)).rejects.toThrow(CertificateError);
    await writeFile(join(dir, 'kubelet-client-current.pem'), 'nonsense');
    await expect(store().current()).rejects.toThrow(/kubelet-client-current.pem does not hold/);
    await expect(store().add(issued(), 0)).rejects.toThrow(/is no link/);
  });
});

describe('keepCertificate', () => {
  /** Signs whatever is asked for, as `says` and for a time. */
  const keep = async (
    over: Partial<Parameters<typeof keepCertificate>[0]>,
    until: (seen: CertificatePair[]) => boolean,
  ) => {
    const stop = new AbortController();
    const seen: CertificatePair[] = [];
    const options = {
      store: pairStore(dir, 'kubelet-client'),
      subject: () => subject,
      issue: async () => {
        throw new Error('nobody signs');
      },
      onFailure: () => undefined,
      renew: true,
      nowMs: () => 2 * 3600_000,
      log: silentLogger(),
      ...over,
      onCertificate: (pair: CertificatePair) => {
        seen.push(pair);
        if (until(seen)) stop.abort();
      },
    };
    await keepCertificate(options, stop.signal);
    return seen;
  };

  it('begins with what is there, and asks for none', async () => {
    const pair = issued();
    await pairStore(dir, 'kubelet-client').add(pair, 0);
    const [found] = await keep({}, (seen) => seen.length === 1);
    expect(found?.key.trim()).toBe(pair.key.trim());
  });

  it('is done with the first where none is to be renewed', async () => {
    await pairStore(dir, 'kubelet-client').add(issued(subject, { fromMs: 0, untilMs: 1 }), 0);
    expect(await keep({ renew: false }, () => false)).toHaveLength(1);
  });

  it('replaces one that cannot be used or does not belong to the key', async () => {
    await writeFile(join(dir, 'kubelet-client-current.pem'), 'nonsense');
    const requests: string[] = [];
    const stop = new AbortController();
    const issue = async (request: string) => {
      requests.push(request);
      // Signed for a key that is not ours: refused, and another is asked for.
      if (requests.length === 1) return issued().cert;
      stop.abort();
      throw new Error('enough');
    };
    await keepCertificate(
      {
        store: pairStore(dir, 'kubelet-client'),
        subject: () => subject,
        issue,
        onCertificate: () => expect.fail('none is ours'),
        onFailure: () => undefined,
        renew: true,
        nowMs: () => 2 * 3600_000,
        log: silentLogger(),
      },
      stop.signal,
    );
    expect(requests).toHaveLength(2);
    expect(requests[0]).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----/);
    expect(requests[0]).not.toBe(requests[1]);
  });

  it('uses one that says less than was asked for, but takes its time to ask for another', async () => {
    const key = newKey();
    const less = { ...subject, ips: [] };
    const warnings: string[] = [];
    const warn = ({ err }: { err: Error }) => warnings.push(err.message);
    let asked = 0;
    let store = pairStore(dir, 'kubelet-client');
    // As a signer that takes no addresses; the key of the request is not known here.
    store = {
      ...store,
      add: async (pair, nowMs) => pairStore(dir, 'kubelet-client').add({ ...pair, key: keyPem(key) }, nowMs),
    };
    const issue = async () => {
      asked += 1;
      return issued(less, validity, key).cert;
    };
    const log = { ...silentLogger(), warn } as never;
    const seen = await keep({ store, issue, log }, (all) => all.length === 2);
    expect(seen).toHaveLength(2);
    expect(asked).toBe(2);
    expect(warnings).toEqual([expect.stringContaining('says less than was asked for')]);
  });
});
