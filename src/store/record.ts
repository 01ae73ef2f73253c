/**
 * The form of one record on disk: a header line with format version, checksum and length, then the JSON of key and
 * value. A torn, cut or bit-flipped file never decodes, so what decodes is what was written.
 */
import { hash } from 'node:crypto';

export interface DecodedRecord {
  key: string;
  value: unknown;
}

/** Why a file is not a record. */
export class CorruptRecordError extends Error {
  override readonly name = 'CorruptRecordError';
}

const magic = 'roslet-store';
const formatVersion = 1;

export function encodeRecord(key: string, value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify({ key, value }), 'utf8');
  const header = `${magic} ${formatVersion} sha256:${sha256(body)} ${body.length}\n`;
  return Buffer.concat([Buffer.from(header, 'latin1'), body]);
}

export function decodeRecord(data: Buffer): DecodedRecord {
  const headerEnd = data.indexOf(0x0a);
  const header = /^(\S+) (\d+) sha256:([0-9a-f]{64}) (\d+)$/.exec(data.toString('latin1', 0, headerEnd));
  if (headerEnd < 0 || header?.[1] !== magic) throw new CorruptRecordError('it has no roslet-store header');
  const [, , version, checksum, length] = header;
  if (Number(version) !== formatVersion) {
    throw new CorruptRecordError(`its format version is ${version}; this roslet reads ${formatVersion}`);
  }
  const body = data.subarray(headerEnd + 1);
  if (body.length !== Number(length)) {
    throw new CorruptRecordError(`it holds ${body.length} bytes of ${length}`);
  }
  if (sha256(body) !== checksum) throw new CorruptRecordError('its checksum does not match');
  return JSON.parse(body.toString('utf8')) as DecodedRecord;
}

/**
 * The file name of a key: readable, inside its directory whatever the key holds, and different for every key.
 * A key too long for a file name is cut and told apart by its hash.
 */
export function recordFileName(key: string): string {
  const escaped = Array.from(Buffer.from(key, 'utf8'), escapeByte).join('');
  if (escaped.length <= maxEscapedLength) return `${escaped}${recordSuffix}`;
  return `${escaped.slice(0, maxEscapedLength - 70)}~${sha256(Buffer.from(key, 'utf8'))}${recordSuffix}`;
}

export const recordSuffix = '.rec';

/** Leaves room in the 255 bytes of a file name for the suffix and for what a temporary file adds. */
const maxEscapedLength = 220;

/** `%`, `~` and capitals are escaped too: names stay one-to-one, also on a file system that ignores case. */
function escapeByte(byte: number): string {
  const char = String.fromCharCode(byte);
  return /[a-z0-9._-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
}

function sha256(data: Buffer): string {
  return hash('sha256', data);
}
