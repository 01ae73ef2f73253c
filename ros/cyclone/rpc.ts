/**
 * How requests and replies are told to belong together. rmw_cyclonedds puts 16 bytes before the message (an id of the
 * client, the number of the request), all others use DDS-RPC's related sample identity beside it: the client's writer or
 * reader, and the sequence number of the request sample.
 */
import type { EndpointGid, QosProfile } from '../transport.ts';
import type { NativeSample, SampleIdentity } from './native.ts';

export const serviceQos: QosProfile = {
  reliability: 'reliable',
  durability: 'volatile',
  history: 'keep_last',
  depth: 10,
};

export type RpcStyle = 'header' | 'identity';

/** RTPS: an entity's prefix begins with its vendor. */
const cycloneVendor = '0110';
const prefixDigits = 24;
const encapsulationBytes = 4;
const headerBytes = 16;

export function rpcStyle(peer: EndpointGid, related?: SampleIdentity): RpcStyle {
  return related === undefined && peer.startsWith(cycloneVendor) ? 'header' : 'identity';
}

export const participantOf = (gid: EndpointGid): string => gid.slice(0, prefixDigits);

/** The 16 bytes in little endian, as we write them. */
export interface RpcHeader {
  client: bigint;
  sequence: bigint;
}

export function addHeader(cdr: Uint8Array, { client, sequence }: RpcHeader): Uint8Array {
  const result = new Uint8Array(cdr.length + headerBytes);
  const view = new DataView(result.buffer);
  const isLittleEndian = (cdr[1]! & 1) === 1;
  result.set(cdr.subarray(0, encapsulationBytes));
  view.setBigUint64(encapsulationBytes, client, isLittleEndian);
  view.setBigInt64(encapsulationBytes + 8, sequence, isLittleEndian);
  result.set(cdr.subarray(encapsulationBytes), encapsulationBytes + headerBytes);
  return result;
}

/** Undefined when the sample is too short to have one. */
export function splitHeader(cdr: Uint8Array): { header: RpcHeader; cdr: Uint8Array } | undefined {
  if (cdr.length < encapsulationBytes + headerBytes) return undefined;
  const view = new DataView(cdr.buffer, cdr.byteOffset, cdr.byteLength);
  const isLittleEndian = (cdr[1]! & 1) === 1;
  const message = new Uint8Array(cdr.length - headerBytes);
  message.set(cdr.subarray(0, encapsulationBytes));
  message.set(cdr.subarray(encapsulationBytes + headerBytes), encapsulationBytes);
  return {
    header: {
      client: view.getBigUint64(encapsulationBytes, isLittleEndian),
      sequence: view.getBigInt64(encapsulationBytes + 8, isLittleEndian),
    },
    cdr: message,
  };
}

const unknownWriter = '0'.repeat(32);

/** What a reply to this request must carry: Fast DDS clients name their reader, others are known by their writer. */
export function identityOfRequest({ writer, sequence, related }: NativeSample): SampleIdentity {
  const isTold = related !== undefined && related.writer !== unknownWriter;
  return { writer: isTold ? related.writer : writer, sequence };
}

/** RTPS's SEQUENCENUMBER_UNKNOWN. */
export const unknownSequence = -(2 ** 32);
