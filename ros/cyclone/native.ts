/** The addon in native/, as TypeScript sees it. It is loaded when a transport is first asked for, and never before. */
import { createRequire } from 'node:module';
import type { EndpointGid, QosProfile, WatchedWriter, WatchStats } from '../transport.ts';

/** Of an endpoint or a watch; never used again. */
export type NativeId = number;

export interface NativeEndpoint {
  id: NativeId;
  gid: EndpointGid;
}

export interface NativeSample {
  cdr: Uint8Array;
  writer: EndpointGid;
  sequence: number;
  sourceTimeMs: number;
  /** CLOCK_MONOTONIC. */
  receivedMs: number;
  /** DDS-RPC's related sample identity. */
  related?: SampleIdentity;
}

export interface SampleIdentity {
  writer: EndpointGid;
  sequence: number;
}

export type OnSample = (
  reader: NativeId,
  cdr: Uint8Array,
  writer: EndpointGid,
  sequence: number,
  sourceTimeMs: number,
  receivedMs: number,
  relatedWriter: EndpointGid | undefined,
  relatedSequence: number | undefined,
) => void;

/**
 * - of endpoints: `matched`, `unmatched` (peer), `deadlineMissed`, `livelinessLost` (total), `incompatibleQos` (total, policy)
 * - of watches: `matched`, `unmatched`, `alive`, `notAlive`, `heard` (monotonic ms, writer), `silent` (monotonic ms, ms of the last sample)
 * - of the library: `log` (text)
 */
export type OnNativeEvent = (id: NativeId, event: string, first: unknown, second: unknown) => void;

export interface NativeEndpointDescription {
  topic: string;
  type: string;
  qos: QosProfile;
  userData?: string;
}

export interface NativeParticipantDescription {
  properties: Record<string, string>;
  userData?: string;
  /** As `locators` of graph.ts reads them; empty for participants of this process. */
  locators: string;
}

/** The description is undefined when the entity is gone. */
export type OnGraph = (
  kind: 'participant' | 'publisher' | 'subscription',
  gid: EndpointGid,
  description: NativeParticipantDescription | NativeEndpointDescription | undefined,
) => void;

/** Methods throw Error with the library's own words. Topics and types are DDS names. */
export interface NativeParticipant {
  prefix(): string;
  createWriter(topic: string, type: string, userData: string, qos: QosProfile): NativeEndpoint;
  createReader(
    topic: string,
    type: string,
    userData: string,
    qos: QosProfile,
    isKeyed: boolean,
  ): NativeEndpoint;
  /** Begins to tell all that is on the graph. */
  watchGraph(): void;
  /** The sample's sequence number, or 0 when there was no room for it. */
  write(writer: NativeId, cdr: Uint8Array, relatedWriter?: EndpointGid, relatedSequence?: number): number;
  assertLiveliness(writer: NativeId): void;
  /** Of an endpoint or a watch. */
  remove(id: NativeId): void;
  watch(topic: string, maxSilenceMs?: number, livelinessLeaseMs?: number, windowMs?: number): NativeId;
  watchAccept(watch: NativeId, writers: readonly EndpointGid[] | undefined): void;
  /** Times are CLOCK_MONOTONIC. */
  watchStats(watch: NativeId): WatchStats;
  watchWriters(watch: NativeId): WatchedWriter[];
  close(): Promise<void>;
}

export interface NativeModule {
  readonly version: string;
  /** Whether the library has our patch: without it clients of Fast DDS get no answer. */
  readonly hasRelatedSampleIdentity: boolean;
  readonly Participant: new (
    domainId: number,
    config: string,
    userData: string,
    onSample: OnSample,
    onEvent: OnNativeEvent,
    onGraph: OnGraph,
  ) => NativeParticipant;
}

/** @throws Error of the loader when there is none. */
export function loadNative(path: string): NativeModule {
  return createRequire(import.meta.url)(path) as NativeModule;
}

/** The addon's clock is CLOCK_MONOTONIC; that of performance.now() is the same with another origin. */
export function monotonicOffsetMs(): number {
  return performance.now() - Number(process.hrtime.bigint()) / 1e6;
}
