/** Certificates for tests, made by openssl: authorities, and what they sign. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Signed {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

export interface LeafOptions {
  /** As openssl writes it: `/O=system:nodes/CN=system:node:robot`. */
  subject: string;
  /** Extended key usage. */
  usage?: 'clientAuth' | 'serverAuth';
  /** `DNS:robot,IP:127.0.0.1`. */
  names?: string;
  /** Negative: expired since yesterday. */
  days?: number;
}

let serial = 0;

/** A new authority, its files in the directory. */
export async function authority(
  dir: string,
  name: string,
): Promise<Signed & { sign(leaf: LeafOptions): Promise<Signed> }> {
  const certFile = join(dir, `${name}.crt`);
  const keyFile = join(dir, `${name}.key`);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await run('openssl', [
    'req',
    '-x509',
    ...key,
    '-keyout',
    keyFile,
    '-out',
    certFile,
    '-subj',
    `/CN=${name}`,
  ]);
  const sign = async ({ subject, usage = 'clientAuth', names, days = 1 }: LeafOptions): Promise<Signed> => {
    serial += 1;
    const base = join(dir, `${name}-${serial}`);
    await run('openssl', ['req', ...key, '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', subject]);
    const extensions = [`extendedKeyUsage=${usage}`, ...(names ? [`subjectAltName=${names}`] : [])];
    await writeFile(`${base}.ext`, extensions.join('\n'));
    const issuer = ['-CA', certFile, '-CAkey', keyFile, '-set_serial', String(serial)];
    const files = ['-in', `${base}.csr`, '-out', `${base}.crt`, '-extfile', `${base}.ext`];
    await run('openssl', ['x509', '-req', ...issuer, ...files, '-days', String(days)]);
    return read(`${base}.crt`, `${base}.key`);
  };
  return { ...(await read(certFile, keyFile)), sign };
}

async function read(certFile: string, keyFile: string): Promise<Signed> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { certFile, keyFile, cert, key };
}
