/**
 * Issued certificates in a directory, as the kubelet keeps them: each with its key in one file named by its time, and
 * `<prefix>-current.pem`, a link to the newest, which is what others (a kubeconfig) name.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { lstat, mkdir, open, readFile, rename, rm, symlink } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CertificateError, type CertificatePair } from './files.ts';

export interface PairStore {
  /** The link to the newest. */
  readonly currentPath: string;
  /** Undefined when there is none. @throws CertificateError when what is there cannot be used */
  current(): Promise<CertificatePair | undefined>;
  /** @throws CertificateError when the two do not belong together */
  add(pair: CertificatePair, nowMs: number): Promise<void>;
}

export function pairStore(directory: string, prefix: string): PairStore {
  const currentPath = join(directory, `${prefix}-current.pem`);
  return {
    currentPath,
    current: async () => {
      const text = await readFile(currentPath, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return undefined;
        throw new CertificateError(`cannot read ${currentPath}: ${cause.message}`, { cause });
      });
      return text === undefined ? undefined : checked(splitPem(text), currentPath);
    },
    add: async ({ cert, key }, nowMs) => {
      checked({ cert, key }, 'what was issued');
      await mkdir(directory, { recursive: true, mode: 0o755 });
      const path = join(directory, `${prefix}-${timeOf(nowMs)}.pem`);
      await writeSynced(path, withNewline(cert) + withNewline(key));
      await relink(currentPath, resolve(path));
      await syncDirectory(directory);
    },
  };
}

/** @throws CertificateError */
function checked(pair: CertificatePair, where: string): CertificatePair {
  try {
    if (new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key))) return pair;
  } catch (cause) {
    throw new CertificateError(`${where} does not hold a certificate and its key in PEM`, { cause });
  }
  throw new CertificateError(`${where} holds a key that is not that of the certificate`);
}

function splitPem(text: string): CertificatePair {
  const blocks = text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  const isKey = (block: string): boolean => /^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(block);
  return {
    cert: blocks.filter((block) => !isKey(block)).join('\n'),
    key: blocks.filter(isKey).join('\n'),
  };
}

/** Also one that a power cut must not take back: the old key is gone from the memory of everyone. */
async function writeSynced(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** In one step: whoever opens the link finds the old or the new. */
async function relink(link: string, target: string): Promise<void> {
  const isFile = await lstat(link).then(
    (stats) => !stats.isSymbolicLink(),
    () => false,
  );
  if (isFile) throw new CertificateError(`${link} is no link: move what is there to ${basename(link)}.old`);
  const updated = link.replace(/-current\.pem$/, '-updated.pem');
  await rm(updated, { force: true });
  await symlink(target, updated);
  await rename(updated, link);
}

/** The names too must outlast a power cut. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** `2026-01-31-12-00-00`. */
const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\..*$/, '').replace(/[T:]/g, '-');

const withNewline = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`);
