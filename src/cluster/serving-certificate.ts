/** The certificate of the kubelet API, requested from the cluster for the node's addresses (`serverTLSBootstrap`). */
import { isIP } from 'node:net';
import type { NodeAddress } from '../api/core.gen.ts';
import { pairStore } from '../certificates/pair-store.ts';
import { keepCertificate } from '../certificates/rotation.ts';
import type { CertificateSubject } from '../certificates/x509.ts';
import type { Logger } from '../log.ts';
import type { CertificateKeeper } from '../server/tls-files.ts';
import { issueCertificate } from './certificate-requests.ts';
import type { KubeClient } from './client.ts';

export interface ServingCertificateOptions {
  client: KubeClient;
  certDir: string;
  nodeName: string;
  addresses(): readonly NodeAddress[];
  /** A certificate could not be had. */
  onFailure(): void;
  nowMs(): number;
  log: Logger;
}

export const servingCertificate =
  ({
    client,
    certDir,
    nodeName,
    addresses,
    onFailure,
    nowMs,
    log,
  }: ServingCertificateOptions): CertificateKeeper =>
  (onCertificate, signal) =>
    keepCertificate(
      {
        store: pairStore(certDir, 'kubelet-server'),
        subject: () => servingSubject(nodeName, addresses()),
        issue: (request, abort) => issueCertificate(client, 'kubernetes.io/kubelet-serving', request, abort),
        onCertificate,
        onFailure,
        renew: true,
        nowMs,
        log,
      },
      signal,
    );

/** Undefined while the node has no address: nothing is signed for none. */
export function servingSubject(
  nodeName: string,
  addresses: readonly NodeAddress[],
): CertificateSubject | undefined {
  const names = new Set(addresses.map(({ address }) => address).filter(Boolean));
  if (names.size === 0) return undefined;
  const sorted = [...names].sort();
  return {
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    dnsNames: sorted.filter((name) => !isIP(name)),
    ips: sorted.filter((name) => isIP(name)),
  };
}
