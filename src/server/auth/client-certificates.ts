/**
 * What clients' certificates say, looked at once for each TLS connection: user and groups as Kubernetes reads them from
 * the subject (common name and organizations). When the client CA changes nobody is known by an earlier handshake.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate, User } from './authenticate.ts';

export interface ClientCertificates {
  of: ClientCertificate;
  /** To be called with each connection whose handshake is done. */
  secured(socket: TLSSocket): void;
  /** The client CA is another one now. */
  forget(): void;
}

type Holder = { user: User; notAfterMs: number } | { refused: string };

export function clientCertificates(nowMs: () => number): ClientCertificates {
  let holders = new WeakMap<object, Holder>();
  const refusedSince = (socket: object): { refused: string } | undefined =>
    'encrypted' in socket && (socket as TLSSocket).getPeerCertificate().raw
      ? { refused: 'the client CA has changed since the connection was made' }
      : undefined;
  return {
    of: ({ socket }: IncomingMessage) => {
      const holder = holders.get(socket);
      if (holder === undefined) return refusedSince(socket);
      if ('refused' in holder) return holder;
      return nowMs() > holder.notAfterMs ? { refused: 'certificate has expired' } : holder.user;
    },
    secured: (socket) => {
      const certificate = socket.getPeerCertificate();
      // Empty when the client sent none. A resumed session may have none and yet count as authorized.
      if (certificate.raw === undefined) return;
      const refused = socket.authorized ? undefined : String(socket.authorizationError);
      holders.set(socket, refused === undefined ? holderOf(certificate) : { refused });
    },
    forget: () => {
      holders = new WeakMap();
    },
  };
}

function holderOf(certificate: PeerCertificate | DetailedPeerCertificate): Holder {
  // More than one value comes as a list; the last common name counts, as in Go.
  const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] };
  const name = [CN ?? []].flat().at(-1);
  if (!name) return { refused: 'the certificate has no common name' };
  const digest = createHash('sha256').update(certificate.raw).digest('hex');
  return {
    user: {
      name,
      groups: [O ?? []].flat(),
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${digest}`] },
    },
    notAfterMs: Date.parse(certificate.valid_to),
  };
}
