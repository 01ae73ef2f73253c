import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pairStore } from '../certificates/pair-store.ts';
import { keyPem, newKey, selfSignedCertificate } from '../certificates/x509.ts';
import { silentLogger } from '../log.ts';
import { openAccess } from './access.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-access-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const pair = () => {
  const key = newKey();
  const subject = { commonName: 'system:node:n', organizations: ['system:nodes'], dnsNames: [], ips: [] };
  return { cert: selfSignedCertificate(key, subject, { fromMs: 0, untilMs: 3600_000 }), key: keyPem(key) };
};
const base64 = (text: string) => Buffer.from(text).toString('base64');

async function writeKubeconfig({ cert, key }: ReturnType<typeof pair>): Promise<string> {
  const kubeconfig = join(dir, 'kubeconfig');
  await writeFile(
    kubeconfig,
    `current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {client-certificate-data: ${base64(cert)}, client-key-data: ${base64(key)}}}]
`,
  );
  return kubeconfig;
}

const accessBy = (kubeconfig: string, bootstrapKubeconfig: string | undefined, nowMs: number) =>
  openAccess({
    config: { kubeconfig, bootstrapKubeconfig, rotateCertificates: true },
    certDir: dir,
    nodeName: 'n',
    userAgent: 'test',
    onExpiry: () => undefined,
    onFailure: () => undefined,
    nowMs: () => nowMs,
    log: silentLogger(),
    signal: new AbortController().signal,
  });

it('needs no bootstrap kubeconfig where the node has joined: kubeadm has taken it away', async () => {
  const written = pair();
  const kubeconfig = await writeKubeconfig(written);
  const gone = join(dir, 'bootstrap');
  const access = await accessBy(kubeconfig, gone, 1);
  expect(await access.credentials()).toEqual(written);
  await expect(accessBy(kubeconfig, gone, 3600_001)).rejects.toThrow(/bootstrap cannot be read: ENOENT/);
});

it('shows the certificate that was issued last, and that of the kubeconfig where the other is damaged', async () => {
  const written = pair();
  const access = await accessBy(await writeKubeconfig(written), undefined, 1);
  const issued = pair();
  await pairStore(dir, 'kubelet-client').add(issued, 0);
  expect((await access.credentials()).key?.trim()).toBe(issued.key.trim());
  await writeFile(join(dir, 'kubelet-client-1970-01-01-00-00-00.pem'), 'half a cert');
  expect(await access.credentials()).toEqual(written);
});
