/** What publishers, subscriptions, services and clients are made of. */
import type { NativeEndpoint, SampleIdentity } from './native.ts';
import type { EndpointCallbacks, EndpointDefinition } from './participant.ts';

/** Endpoints as a node makes them: announced as its own, until they are removed. */
export interface OwnEndpoints {
  createWriter(definition: EndpointDefinition, callbacks: EndpointCallbacks): NativeEndpoint;
  createReader(definition: EndpointDefinition, callbacks: EndpointCallbacks): NativeEndpoint;
  /** The sample's sequence number, or 0 when there was no room for it. */
  write(writer: NativeEndpoint, cdr: Uint8Array, related?: SampleIdentity): number;
  assertLiveliness(writer: NativeEndpoint): void;
  remove(endpoint: NativeEndpoint): void;
}
