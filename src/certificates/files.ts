/** Certificates with their keys as files: read and checked, or made where there are none. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { keyPem, namesOfHost, newKey, selfSignedCertificate } from './x509.ts';

/** As PEM. The certificate may be followed by those that it was issued by. */
export interface CertificatePair {
  cert: string;
  key: string;
}

/** A certificate or key cannot be used. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** @throws CertificateError that names the file */
export async function readPair(certFile: string, keyFile: string): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([certFile, keyFile].map(readText));
  const pair = { cert: cert!, key: key! };
  checkPair(pair, certFile, keyFile);
  return pair;
}

/** @throws CertificateError that names the file */
export async function readCertificates(file: string): Promise<string> {
  const text = await readText(file);
  parsed(file, 'a certificate', () => new X509Certificate(text));
  return text;
}

/** Ten years: nobody renews it, and nobody trusts it by its date. */
const selfSignedMs = 10 * 365 * 24 * 3600_000;
/** A robot's clock may be wrong at its first start. */
const clockSkewMs = 3600_000;

/**
 * `kubelet.crt` and `kubelet.key` in the directory, as the kubelet names them; made when they are not there or expired.
 * @throws CertificateError
 */
export async function selfSignedPair(
  directory: string,
  host: string,
  nowMs: number,
): Promise<CertificatePair> {
  const [certFile, keyFile] = [join(directory, 'kubelet.crt'), join(directory, 'kubelet.key')];
  try {
    const pair = await readPair(certFile, keyFile);
    if (Date.parse(new X509Certificate(pair.cert).validTo) > nowMs) return pair;
  } catch (err) {
    if (!isMissing(err)) throw err;
  }
  const key = newKey();
  const subject = { commonName: host, organizations: [], ...namesOfHost(host) };
  const validity = { fromMs: nowMs - clockSkewMs, untilMs: nowMs + selfSignedMs };
  const pair = { cert: selfSignedCertificate(key, subject, validity), key: keyPem(key) };
  await writeWhole(keyFile, pair.key, 0o600);
  await writeWhole(certFile, pair.cert, 0o644);
  return pair;
}

/** @throws CertificateError */
function checkPair({ cert, key }: CertificatePair, certFile: string, keyFile: string): void {
  const certificate = parsed(certFile, 'a certificate', () => new X509Certificate(cert));
  const privateKey = parsed(keyFile, 'a private key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CertificateError(`the key in ${keyFile} is not that of the certificate in ${certFile}`);
  }
}

/** Never seen half written, whatever happens meanwhile. */
async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const fresh = `${path}.new`;
  await writeFile(fresh, text, { mode, flush: true });
  await rename(fresh, path);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CertificateError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

function parsed<T>(path: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new CertificateError(`${path} does not begin with ${what} in PEM`, { cause });
  }
}

const isMissing = (err: unknown): boolean =>
  err instanceof CertificateError && (err.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';

/** Epoch at which the (first) certificate runs out. */
export const expiryMs = (pem: string | Buffer): number => new X509Certificate(pem).validToDate.getTime();
