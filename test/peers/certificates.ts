/** A certificate authority and what it signs, made by openssl. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface CertificateRequest {
  /** As openssl writes it: `/O=system:nodes/CN=system:node:robot`. */
  subject: string;
  usage: 'clientAuth' | 'serverAuth';
  /** `DNS:localhost,IP:127.0.0.1` */
  names?: string;
  /** Negative: it has run out. */
  days?: number;
}

/** Paths, and what is there in PEM. */
export interface Signed {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

const openssl = async (...args: string[]): Promise<void> => {
  await promisify(execFile)('openssl', args);
};

export class CertificateAuthority {
  readonly #dir: string;
  readonly #name: string;

  private constructor(dir: string, name: string) {
    this.#dir = dir;
    this.#name = name;
  }

  get certFile(): string {
    return join(this.#dir, `${this.#name}.crt`);
  }

  get keyFile(): string {
    return join(this.#dir, `${this.#name}.key`);
  }

  static async create(dir: string, name: string): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(dir, name);
    await makeKey(authority.keyFile);
    await openssl(
      ...['req', '-x509', '-new', '-key', authority.keyFile, '-subj', `/CN=${name}`, '-days', '2'],
      ...['-out', authority.certFile],
    );
    return authority;
  }

  async sign(name: string, request: CertificateRequest): Promise<Signed> {
    const file = (suffix: string) => join(this.#dir, `${name}.${suffix}`);
    await makeKey(file('key'));
    await openssl('req', '-new', '-key', file('key'), '-subj', request.subject, '-out', file('csr'));
    await writeFile(
      file('ext'),
      `keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=${request.usage}
${request.names === undefined ? '' : `subjectAltName=${request.names}\n`}`,
    );
    await openssl(
      ...[
        'x509',
        '-req',
        '-in',
        file('csr'),
        '-CA',
        this.certFile,
        '-CAkey',
        this.keyFile,
        '-CAcreateserial',
      ],
      ...['-days', String(request.days ?? 2), '-out', file('crt'), '-extfile', file('ext')],
    );
    const [cert, key] = await Promise.all(['crt', 'key'].map((suffix) => readFile(file(suffix), 'utf8')));
    return { certFile: file('crt'), keyFile: file('key'), cert: cert!, key: key! };
  }
}

const makeKey = (file: string): Promise<void> =>
  openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', file);
