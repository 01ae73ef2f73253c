/**
 * Makes keys, certificate requests (PKCS#10, RFC 2986) and self-signed serving certificates (RFC 5280): what
 * node:crypto can sign but not put together. Keys are on the curve P-256, as the kubelet's.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  context,
  contextBytes,
  ipBytes,
  objectId,
  octetString,
  sequence,
  set,
  time,
  trueValue,
  unsignedInteger,
  utf8String,
} from './der.ts';

/** What a certificate is to say of its holder. */
export interface CertificateSubject {
  commonName: string;
  organizations: readonly string[];
  dnsNames: readonly string[];
  ips: readonly string[];
}

export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** As the kubelet writes it: `EC PRIVATE KEY`. */
export const keyPem = (key: KeyObject): string => key.export({ type: 'sec1', format: 'pem' }).toString();

/** A request for a certificate with these names, as PEM. */
export function certificateRequest(key: KeyObject, subject: CertificateSubject): string {
  const names = alternativeNames(subject);
  const attributes = names ? [sequence(oids.extensionRequest, set(sequence(names)))] : [];
  const info = sequence(
    unsignedInteger(Buffer.from([0])),
    nameOf(subject),
    publicKeyInfo(key),
    context(0, ...attributes),
  );
  return pem('CERTIFICATE REQUEST', signed(info, key));
}

export interface Validity {
  fromMs: number;
  untilMs: number;
}

/** A serving certificate that its own key signed, as PEM. */
export function selfSignedCertificate(
  key: KeyObject,
  subject: CertificateSubject,
  { fromMs, untilMs }: Validity,
): string {
  const names = alternativeNames(subject);
  const keyId = createHash('sha1').update(publicKeyInfo(key)).digest();
  const extensions = sequence(
    // digitalSignature is the highest of its bits.
    extension(oids.keyUsage, bitString(Buffer.from([0x80]), 7), true),
    extension(oids.extendedKeyUsage, sequence(oids.serverAuth)),
    extension(oids.basicConstraints, sequence(), true),
    extension(oids.subjectKeyId, octetString(keyId)),
    ...(names ? [names] : []),
  );
  const body = sequence(
    context(0, unsignedInteger(Buffer.from([2]))),
    unsignedInteger(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(subject),
    sequence(time(fromMs), time(untilMs)),
    nameOf(subject),
    publicKeyInfo(key),
    context(3, extensions),
  );
  return pem('CERTIFICATE', signed(body, key));
}

const oids = {
  commonName: objectId('2.5.4.3'),
  organization: objectId('2.5.4.10'),
  extensionRequest: objectId('1.2.840.113549.1.9.14'),
  subjectAlternativeName: objectId('2.5.29.17'),
  basicConstraints: objectId('2.5.29.19'),
  subjectKeyId: objectId('2.5.29.14'),
  keyUsage: objectId('2.5.29.15'),
  extendedKeyUsage: objectId('2.5.29.37'),
  serverAuth: objectId('1.3.6.1.5.5.7.3.1'),
};

const ecdsaWithSha256 = sequence(objectId('1.2.840.10045.4.3.2'));

function signed(body: Buffer, key: KeyObject): Buffer {
  return sequence(body, ecdsaWithSha256, bitString(sign('sha256', body, key)));
}

const publicKeyInfo = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ type: 'spki', format: 'der' });

function nameOf({ commonName, organizations }: CertificateSubject): Buffer {
  const part = (oid: Buffer, value: string): Buffer => set(sequence(oid, utf8String(value)));
  return sequence(
    ...organizations.map((each) => part(oids.organization, each)),
    part(oids.commonName, commonName),
  );
}

/** Undefined when there are none. */
function alternativeNames({ dnsNames, ips }: CertificateSubject): Buffer | undefined {
  if (dnsNames.length + ips.length === 0) return undefined;
  const names = [
    ...dnsNames.map((name) => contextBytes(2, Buffer.from(name, 'latin1'))),
    ...ips.map((ip) => contextBytes(7, ipBytes(ip))),
  ];
  return extension(oids.subjectAlternativeName, sequence(...names));
}

function extension(oid: Buffer, value: Buffer, isCritical = false): Buffer {
  return sequence(oid, ...(isCritical ? [trueValue] : []), octetString(value));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** A host name or an address, as the alternative name that it is. */
export const namesOfHost = (host: string): Pick<CertificateSubject, 'dnsNames' | 'ips'> =>
  isIP(host) ? { dnsNames: [], ips: [host] } : { dnsNames: [host], ips: [] };
