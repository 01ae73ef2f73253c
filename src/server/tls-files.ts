/**
 * The serving certificate and the client CA of the kubelet API: requested, or read from files and read anew now and then, as
 * others renew them. What cannot be used leaves in force what was there before.
 */
import { setInterval } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';
import {
  type CertificatePair,
  expiryMs,
  readCertificates,
  readPair,
  selfSignedPair,
} from '../certificates/files.ts';
import type { KubeletServerConfig } from '../config/agent-config.ts';
import { opensslCiphers, tlsVersions } from '../config/tls-names.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';

export interface TlsFiles {
  config: KubeletServerConfig;
  api: { log: Logger; metrics: Pick<Metrics, 'expires'> };
  /** Where a self-signed certificate is kept. */
  certDir: string;
  /** Its name. */
  hostName: string;
  /** How often the files are looked at. */
  reloadMs: number;
  /** Has the certificate issued; undefined: it comes from files. */
  requestCertificate?: CertificateKeeper;
}

/** Calls back with each certificate until the signal aborts. */
export type CertificateKeeper = (
  onCertificate: (pair: CertificatePair) => void,
  signal: AbortSignal,
) => Promise<void>;

interface TlsServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** Until the signal aborts. @throws CertificateError when there is nothing to begin with */
export async function followTlsFiles(
  files: TlsFiles,
  server: TlsServer,
  onClientCaChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { log } = files.api;
  let issued: CertificatePair | undefined;
  const use = (material: Material): void => {
    server.setSecureContext(contextOf(files.config, material));
    const cert = material.pair?.cert;
    if (cert !== undefined) files.api.metrics.expires('server', expiryMs(cert));
  };
  let known = await read(files, await firstPair(files));
  use(known);

  async function look(): Promise<void> {
    const found = await read(files, issued ?? (await configuredPair(files)) ?? known.pair);
    if (isSame(found, known)) return;
    use(found);
    log.info('the kubelet API has new certificates');
    const isOtherCa = found.clientCa !== known.clientCa;
    known = found;
    if (isOtherCa) onClientCaChange();
  }

  const lookSafely = (): Promise<void> =>
    look().catch((err: unknown) =>
      log.warn({ err }, 'new certificates of the kubelet API cannot be used; those before stay in force'),
    );

  async function follow(): Promise<void> {
    try {
      for await (const _ of setInterval(files.reloadMs, undefined, { signal, ref: false }))
        await lookSafely();
    } catch (err) {
      if (!signal.aborted) throw err;
    }
  }
  void follow();
  const onCertificate = (pair: CertificatePair): void => {
    issued = pair;
    void lookSafely();
  };
  void files.requestCertificate?.(onCertificate, signal);
}

interface Material {
  /** Undefined while it is not issued: handshakes fail until then. */
  pair?: CertificatePair | undefined;
  clientCa?: string;
}

async function read(files: TlsFiles, pair: CertificatePair | undefined): Promise<Material> {
  const { clientCaFile } = files.config;
  return { pair, ...(clientCaFile !== undefined && { clientCa: await readCertificates(clientCaFile) }) };
}

const firstPair = async (files: TlsFiles): Promise<CertificatePair | undefined> =>
  (await configuredPair(files)) ??
  (files.requestCertificate ? undefined : selfSignedPair(files.certDir, files.hostName, Date.now()));

async function configuredPair({ config: { certificate } }: TlsFiles): Promise<CertificatePair | undefined> {
  return certificate && readPair(certificate.certFile, certificate.keyFile);
}

const isSame = (a: Material, b: Material): boolean =>
  a.pair?.cert === b.pair?.cert && a.pair?.key === b.pair?.key && a.clientCa === b.clientCa;

function contextOf(config: KubeletServerConfig, { pair, clientCa }: Material): SecureContextOptions {
  const { constants } = process.getBuiltinModule('node:crypto');
  return {
    ...pair,
    ...(clientCa !== undefined && { ca: clientCa, allowPartialTrustChain: true }),
    minVersion: tlsVersions[config.tlsMinVersion],
    ciphers: opensslCiphers(config.tlsCipherSuites),
    honorCipherOrder: true,
    // No session is taken up again: who a client is would be known from an earlier handshake, under an earlier CA.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
