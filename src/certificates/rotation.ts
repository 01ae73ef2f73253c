/**
 * Keeps a certificate that is issued by someone else: requests one when there is none, when it does not say what it has to,
 * and anew when most of its time is over, at the kubelet's moment.
 */
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { CertificateError, type CertificatePair } from './files.ts';
import type { PairStore } from './pair-store.ts';
import { type CertificateSubject, certificateRequest, keyPem, newKey } from './x509.ts';

export interface RotationOptions {
  store: PairStore;
  /** What the certificate must say of us; undefined while that is not known. */
  subject(): CertificateSubject | undefined;
  /** Has the request signed; resolves with the certificate as PEM, perhaps after minutes. */
  issue(request: string, signal: AbortSignal): Promise<string>;
  /** Called with the one that is there at the start, and each new one. */
  onCertificate(pair: CertificatePair): void;
  /** One could not be had. */
  onFailure(): void;
  /** Without it all is done when there is one. */
  renew: boolean;
  nowMs(): number;
  log: Logger;
}

/** What the certificate must say may change: it is looked at so often. */
const lookMs = 10_000;
const firstRetryMs = 2000;
const maxRetryMs = 120_000;
/** A request that nobody has signed by then is given up, and another is made. */
const issueMs = 15 * 60_000;

/** Until the signal aborts, or there is one that is not to be renewed. */
export async function keepCertificate(options: RotationOptions, signal: AbortSignal): Promise<void> {
  const { store, log, nowMs } = options;
  let pair = await usable(store, log);
  if (pair !== undefined) options.onCertificate(pair);
  // Another one for each certificate, so that a fleet does not renew in step.
  let share = renewalShare(Math.random());
  let failures = 0;
  while (!signal.aborted && (options.renew || pair === undefined)) {
    const subject = options.subject();
    const waitMs = subject === undefined ? lookMs : msUntilRenewal(pair, subject, nowMs(), share);
    if (subject === undefined || waitMs > 0) {
      await pause(Math.min(waitMs, lookMs), signal);
      continue;
    }
    try {
      const fresh = await renewed(options, subject, signal);
      await store.add(fresh, nowMs());
      pair = fresh;
      options.onCertificate(pair);
      log.info({ subject: subject.commonName, path: store.currentPath }, 'a certificate was issued to us');
      // Used all the same, but not to be asked for without end.
      if (msUntilRenewal(pair, subject, nowMs(), 1) === 0)
        throw new CertificateError(
          `${store.currentPath} says less than was asked for, or has run out already`,
        );
      share = renewalShare(Math.random());
      failures = 0;
    } catch (err) {
      if (signal.aborted) return;
      failures += 1;
      options.onFailure();
      log.warn({ err, subject: subject.commonName }, 'cannot get a certificate; trying again');
      await pause(
        Math.min(firstRetryMs * 2 ** (failures - 1), maxRetryMs) * (0.75 + Math.random() / 2),
        signal,
      );
    }
  }
}

/** At 70 to 90 % of its time. */
const renewalShare = (random: number): number => 0.7 + 0.2 * random;

/** 0: now. @param share of its time after which a certificate is renewed */
export function msUntilRenewal(
  pair: CertificatePair | undefined,
  subject: CertificateSubject,
  nowMs: number,
  share: number,
): number {
  if (pair === undefined) return 0;
  const certificate = new X509Certificate(pair.cert);
  if (!says(certificate, subject)) return 0;
  const [fromMs, untilMs] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  return Math.max(0, fromMs + (untilMs - fromMs) * share - nowMs);
}

/** What it says beyond that does no harm. */
function says(certificate: X509Certificate, subject: CertificateSubject): boolean {
  const { CN, O } = certificate.toLegacyObject().subject as { CN?: string; O?: string | string[] };
  const organizations = [O ?? []].flat();
  return (
    CN === subject.commonName &&
    subject.organizations.every((each) => organizations.includes(each)) &&
    subject.dnsNames.every((name) => certificate.checkHost(name, { wildcards: false, subject: 'never' })) &&
    subject.ips.every((ip) => certificate.checkIP(ip))
  );
}

async function renewed(
  { issue }: RotationOptions,
  subject: CertificateSubject,
  signal: AbortSignal,
): Promise<CertificatePair> {
  const key = newKey();
  const cert = await issue(
    certificateRequest(key, subject),
    AbortSignal.any([signal, AbortSignal.timeout(issueMs)]),
  );
  return { cert, key: keyPem(key) };
}

/** One that cannot be used is replaced like one that is not there. */
async function usable(store: PairStore, log: Logger): Promise<CertificatePair | undefined> {
  try {
    return await store.current();
  } catch (err) {
    if (!(err instanceof CertificateError)) throw err;
    log.warn({ err }, 'a certificate cannot be used; requesting another');
    return undefined;
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
