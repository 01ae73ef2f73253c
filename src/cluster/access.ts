/**
 * How we reach the API server: by the kubeconfig. Where its client certificate is missing or has run out, one is requested with
 * the credentials of the bootstrap kubeconfig (TLS bootstrap), and each is renewed in time; files and their names are the kubelet's.
 */
import { X509Certificate } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CertificateError, type CertificatePair, expiryMs } from '../certificates/files.ts';
import { type PairStore, pairStore } from '../certificates/pair-store.ts';
import { keepCertificate } from '../certificates/rotation.ts';
import type { ClusterConfig } from '../config/agent-config.ts';
import type { Logger } from '../log.ts';
import { issueCertificate } from './certificate-requests.ts';
import { KubeClient } from './client.ts';
import type { Credentials } from './credentials.ts';
import { type ClusterAccess, KubeconfigError, readKubeconfig } from './kubeconfig.ts';

export interface AccessOptions {
  config: Pick<ClusterConfig, 'kubeconfig' | 'bootstrapKubeconfig' | 'rotateCertificates'>;
  certDir: string;
  nodeName: string;
  userAgent: string;
  /** With each certificate of ours: when it runs out (epoch). */
  onExpiry(atMs: number): void;
  /** A certificate could not be had. */
  onFailure(): void;
  nowMs(): number;
  log: Logger;
  /** The agent's life. */
  signal: AbortSignal;
}

export interface OwnAccess extends ClusterAccess {
  /** Gets and renews our certificate until the signal aborts. */
  keepCertificate(signal: AbortSignal): Promise<void>;
}

/** @throws KubeconfigError */
export async function openAccess(options: AccessOptions): Promise<OwnAccess> {
  const { config, nowMs, log, signal: life } = options;
  const { kubeconfig, bootstrapKubeconfig, rotateCertificates } = config;
  const store = pairStore(options.certDir, 'kubelet-client');
  const isBootstrapped = bootstrapKubeconfig !== undefined && !(await isUsable(kubeconfig, nowMs(), life));
  if (isBootstrapped) {
    log.info({ kubeconfig, bootstrapKubeconfig }, 'asking for a client certificate to join the cluster');
    const bootstrap = await readKubeconfig(bootstrapKubeconfig, life);
    await writeKubeconfig(kubeconfig, bootstrap, await bootstrap.credentials(), store);
  }
  const access = await readKubeconfig(kubeconfig, life);
  const own: ClusterAccess = {
    ...access,
    credentials: async () => {
      const written = await access.credentials();
      // What was issued last counts, also when the kubeconfig holds a certificate of its own; but not when it is damaged.
      return rotateCertificates ? { ...written, ...(await lastIssued(store, log)) } : written;
    },
  };

  async function issue(request: string, signal: AbortSignal): Promise<string> {
    const isHeld = holds(await own.credentials().catch(() => ({})), nowMs());
    const asker = isHeld ? own : ((await bootstrapAccess(bootstrapKubeconfig, life, log)) ?? own);
    const client = new KubeClient(asker, options.userAgent);
    try {
      return await issueCertificate(client, 'kubernetes.io/kube-apiserver-client-kubelet', request, signal);
    } finally {
      client.close();
    }
  }

  return {
    ...own,
    keepCertificate: async (signal) => {
      if (!rotateCertificates && !isBootstrapped) return;
      const subject = {
        commonName: `system:node:${options.nodeName}`,
        organizations: ['system:nodes'],
        dnsNames: [],
        ips: [],
      };
      // The connection looks at the credentials by itself.
      const onCertificate = ({ cert }: CertificatePair) => options.onExpiry(expiryMs(cert));
      const renew = rotateCertificates;
      await keepCertificate(
        {
          store,
          subject: () => subject,
          issue,
          onCertificate,
          onFailure: options.onFailure,
          renew,
          nowMs,
          log,
        },
        signal,
      );
    },
  };
}

async function lastIssued(store: PairStore, log: Logger): Promise<CertificatePair | undefined> {
  try {
    return await store.current();
  } catch (err) {
    if (!(err instanceof CertificateError)) throw err;
    // Told aloud by who replaces it.
    log.debug({ err }, 'the last certificate cannot be used');
    return undefined;
  }
}

/** kubeadm takes the file away once the node has joined. */
async function bootstrapAccess(
  path: string | undefined,
  life: AbortSignal,
  log: Logger,
): Promise<ClusterAccess | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readKubeconfig(path, life);
  } catch (err) {
    if (!(err instanceof KubeconfigError)) throw err;
    log.warn({ err }, 'there are no credentials to join the cluster anew');
    return undefined;
  }
}

/** Whether the kubeconfig is there with credentials that hold, as the kubelet judges it. */
async function isUsable(kubeconfig: string, nowMs: number, life: AbortSignal): Promise<boolean> {
  try {
    return holds(await (await readKubeconfig(kubeconfig, life)).credentials(), nowMs);
  } catch (err) {
    if (err instanceof KubeconfigError) return false;
    throw err;
  }
}

function holds({ cert, key }: Credentials, nowMs: number): boolean {
  if (cert === undefined || key === undefined) return false;
  try {
    return new X509Certificate(cert).validToDate.getTime() > nowMs;
  } catch {
    // No certificate at all: it cannot be shown to anyone.
    return false;
  }
}

/** JSON is YAML: kubectl and the kubelet read it. */
async function writeKubeconfig(
  path: string,
  { server, tlsServerName, insecureSkipTlsVerify }: ClusterAccess,
  { ca }: Credentials,
  store: PairStore,
): Promise<void> {
  const pem = resolve(store.currentPath);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'default-cluster',
        cluster: {
          server: server.href.replace(/\/$/, ''),
          ...(ca !== undefined && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
          ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
          ...(insecureSkipTlsVerify && { 'insecure-skip-tls-verify': true }),
        },
      },
    ],
    users: [{ name: 'default-auth', user: { 'client-certificate': pem, 'client-key': pem } }],
    contexts: [
      {
        name: 'default-context',
        context: { cluster: 'default-cluster', namespace: 'default', user: 'default-auth' },
      },
    ],
    'current-context': 'default-context',
  };
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(`${path}.new`, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
