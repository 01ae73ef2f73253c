/** Has a certificate signed by the cluster: a CertificateSigningRequest (certificates.k8s.io/v1), awaited to its end. */
import { apiPath, type KubeClient, pause } from './client.ts';
import { ApiStatusError } from './errors.ts';

export type KubeletSigner = 'kubernetes.io/kube-apiserver-client-kubelet' | 'kubernetes.io/kubelet-serving';

/** The request was denied, has failed or is gone. */
export class NotIssuedError extends Error {
  override readonly name = 'NotIssuedError';
}

const usages: Readonly<Record<KubeletSigner, readonly string[]>> = {
  'kubernetes.io/kube-apiserver-client-kubelet': ['digital signature', 'client auth'],
  'kubernetes.io/kubelet-serving': ['digital signature', 'server auth'],
};

/** A serving certificate may wait for a person who approves it. */
const firstLookMs = 500;
const maxLookMs = 5000;

/**
 * @param request PKCS#10 in PEM
 * @returns the certificate in PEM
 * @throws NotIssuedError; ApiStatusError, ApiUnreachableError while it cannot be asked for; the signal's reason
 */
export async function issueCertificate(
  client: KubeClient,
  signerName: KubeletSigner,
  request: string,
  signal: AbortSignal,
): Promise<string> {
  const { metadata } = await client.create<SigningRequest>(
    apiPath(resource),
    {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { generateName: 'csr-' },
      spec: { request: Buffer.from(request).toString('base64'), signerName, usages: usages[signerName] },
    },
    signal,
  );
  const name = metadata.name;
  for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 1.5, maxLookMs)) {
    await pause(waitMs, signal);
    signal.throwIfAborted();
    const found = await look(client, name, signal);
    const certificate = found && issued(found);
    if (certificate !== undefined) return certificate;
  }
}

const resource = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests' };

/** Undefined when the server cannot tell right now: the request stays. @throws NotIssuedError when it is gone */
async function look(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<SigningRequest | undefined> {
  try {
    return await client.get<SigningRequest>(apiPath({ ...resource, name }), signal);
  } catch (err) {
    signal.throwIfAborted();
    if (err instanceof ApiStatusError && err.code === 404)
      throw new NotIssuedError(`the certificate request ${name} was deleted before it was signed`);
    if (err instanceof ApiStatusError && err.code < 500 && err.code !== 429) throw err;
    return undefined;
  }
}

interface SigningRequest {
  metadata: { name: string };
  status?: {
    certificate?: string;
    conditions?: { type: string; reason?: string; message?: string }[];
  };
}

/** Undefined while it is not. @throws NotIssuedError */
export function issued({ metadata, status = {} }: SigningRequest): string | undefined {
  const { certificate, conditions = [] } = status;
  const bad = conditions.find(({ type }) => type === 'Denied' || type === 'Failed');
  if (bad) {
    const what = bad.type === 'Denied' ? 'was denied' : 'has failed';
    throw new NotIssuedError(
      `the certificate request ${metadata.name} ${what}: ${[bad.reason, bad.message].filter(Boolean).join(': ')}`,
    );
  }
  const isApproved = conditions.some(({ type }) => type === 'Approved');
  return isApproved && certificate ? Buffer.from(certificate, 'base64').toString('utf8') : undefined;
}
