/**
 * The transport port: what the ROS 2 bridge needs of a ROS 2 middleware, in ROS 2's own terms. Names are fully
 * qualified and unmangled (`/robot/roslet/pods`), types are `package/msg/Name` and `package/srv/Name`.
 *
 * Whoever implements it answers for three rules:
 * - Nothing here blocks the event loop: a peer that is stopped or slow costs samples, never time.
 * - What is measured (arrival of samples, silence, loss of liveliness) is measured outside of the event loop, on the
 *   monotonic clock (`performance.now()`'s), so that a busy or collecting agent neither misses nor invents anything.
 * - What an implementation cannot do is a capability that says so, never a silent difference.
 */

/** A message type with its CDR codec. Messages are plain objects with the field names of the definition. */
export interface MessageType<T = unknown> {
  /** `roslet_msgs/msg/PodStatus` */
  readonly name: string;
  /** `RIHS01_<64 hex digits>` (REP 2016) */
  readonly typeHash: string;
  /** With the encapsulation header, little endian XCDR1 as ROS 2 writes it. */
  encode(message: T): Uint8Array;
  /** @throws Error with a sentence when the bytes are not of this type; anything may arrive from the network. */
  decode(cdr: Uint8Array): T;
}

export interface ServiceType<Request = unknown, Response = unknown> {
  /** `lifecycle_msgs/srv/GetState` */
  readonly name: string;
  readonly typeHash: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}

/** rmw's policies. An absent period is infinite. */
export interface QosProfile {
  reliability: 'reliable' | 'best_effort';
  durability: 'volatile' | 'transient_local';
  history: 'keep_last' | 'keep_all';
  /** Only with keep_last. */
  depth: number;
  deadlineMs?: number;
  lifespanMs?: number;
  liveliness?: 'automatic' | 'manual_by_topic';
  livelinessLeaseMs?: number;
}

/** The 16 bytes of an RTPS GUID as 32 hex digits: 24 of the participant (its prefix), 8 of the entity. */
export type EndpointGid = string;

export interface SampleInfo {
  writer: EndpointGid;
  /** Wall clock of the writer, ms since the epoch. */
  sourceTimeMs: number;
  /** Monotonic, when the sample arrived at the middleware. */
  receivedMs: number;
}

export interface EndpointInfo {
  kind: 'publisher' | 'subscription';
  gid: EndpointGid;
  /** Fully qualified ROS name; for an endpoint that follows no ROS convention the plain DDS topic name. */
  topic: string;
  /** ROS type name; else the plain DDS type name. */
  type: string;
  /** Empty when the endpoint tells none. */
  typeHash: string;
  qos: QosProfile;
  /** The node it belongs to as `ros_discovery_info` tells; undefined when (not yet) told. */
  node?: NodeName;
}

export interface NodeName {
  /** `camera` */
  name: string;
  /** `/robot` or `/` */
  namespace: string;
}

/** A process on the domain. */
export interface ParticipantInfo {
  /** 24 hex digits: the prefix of the gids of all its endpoints. */
  prefix: string;
  /** First two bytes of the prefix name the vendor: 010f Fast DDS, 0110 Cyclone DDS, 0112 RustDDS … */
  enclave: string;
  /** Addresses and ports at which it is reached: of its default unicast locators. */
  locators: { address: string; port: number }[];
  /** What the participant itself tells of its process, where its vendor does (`__Pid`, `__Hostname`, `PID`, …). */
  properties: Readonly<Record<string, string>>;
}

export interface Graph {
  /** Nodes of all participants, own ones included, with the prefix of their participant. */
  nodes(): (NodeName & { participant: string })[];
  participants(): ParticipantInfo[];
  participant(prefix: string): ParticipantInfo | undefined;
  /** All endpoints, of one topic when it is named; services are the topics `rq/…Request` and `rr/…Reply` of DDS and told apart by services(). */
  endpoints(topic?: string): EndpointInfo[];
  topics(): { name: string; types: string[] }[];
  services(): { name: string; types: string[]; servers: number }[];
  /** Called soon after any change, changes that come together once. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
}

export interface Publisher<T> {
  readonly topic: string;
  readonly subscriptions: number;
  /** Never waits: with keep_last the oldest sample gives way. */
  publish(message: T): void;
  publishRaw(cdr: Uint8Array): void;
  /** manual_by_topic liveliness. */
  assertLiveliness(): void;
  close(): void;
}

export interface Subscription {
  readonly topic: string;
  readonly publishers: number;
  close(): void;
}

export interface Service {
  readonly name: string;
  close(): void;
}

export interface Client<Request, Response> {
  readonly name: string;
  /** What reads requests of each server that is matched. */
  readonly servers: readonly EndpointGid[];
  /** Whether a server is matched. */
  readonly isReady: boolean;
  /**
   * Waits for a server and its answer until the signal aborts. Every server gets the request; the first answer is taken, or
   * that of the participant of `server`.
   */
  call(request: Request, signal: AbortSignal, server?: EndpointGid): Promise<Response>;
  close(): void;
}

export type EndpointEvent =
  | { event: 'matched' | 'unmatched'; peer: EndpointGid }
  | { event: 'incompatibleQos'; policy: string; total: number }
  | { event: 'deadlineMissed'; total: number }
  | { event: 'livelinessLost'; total: number };

export interface EndpointOptions {
  onEvent?: (event: EndpointEvent) => void;
}

export interface ClientOptions {
  /** Called when `servers` may be others than before. */
  onServers?: () => void;
}

/** The node is only a name on the graph; parameter services, /rosout and the like are the bridge's to add. */
export interface NodeOptions {
  enclave?: string;
}

/** A node on the graph; one participant carries any number of them. */
export interface RosNode extends NodeName {
  createPublisher<T>(
    topic: string,
    type: MessageType<T>,
    qos: QosProfile,
    options?: EndpointOptions,
  ): Publisher<T>;
  /** A sample that cannot be decoded is counted and told once per writer in the log, and dropped. */
  createSubscription<T>(
    topic: string,
    type: MessageType<T>,
    qos: QosProfile,
    onMessage: (message: T, info: SampleInfo) => void,
    options?: EndpointOptions,
  ): Subscription;
  /** Any type, undecoded: `type` undefined takes the type of the first publisher that is found. */
  createRawSubscription(
    topic: string,
    type: string | undefined,
    qos: QosProfile,
    onSample: (cdr: Uint8Array, info: SampleInfo) => void,
    options?: EndpointOptions,
  ): Subscription;
  /** A handler that throws is logged; the client gets no answer (ROS 2 services have no error reply). */
  createService<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    handler: (request: Request) => Response | Promise<Response>,
  ): Service;
  createClient<Request, Response>(
    name: string,
    type: ServiceType<Request, Response>,
    options?: ClientOptions,
  ): Client<Request, Response>;
  /** Closes what it created, too. */
  close(): void;
}

/**
 * Watches the writers of a topic without delivering samples: the middleware itself counts and times them.
 * The reader asks for as little as possible (best effort, volatile, no deadline) so that every writer matches, of any type,
 * but those of the transport itself.
 * On the graph it belongs to the first node of the transport.
 */
export interface TopicWatch {
  /** All matched writers, accepted or not. */
  writers(): WatchedWriter[];
  /** Only samples of these writers count from now on (`undefined`: of all). Decided natively, so it is in force at once. */
  accept(writers: ReadonlySet<EndpointGid> | undefined): void;
  /** Of accepted writers. */
  stats(): WatchStats;
  close(): void;
}

export interface WatchedWriter {
  gid: EndpointGid;
  type: string;
  qos: QosProfile;
  /** False when its liveliness was lost (lease expired) although it is still matched. */
  alive: boolean;
  /** Whether its samples count. */
  isAccepted: boolean;
  samples: number;
  /** Monotonic; undefined before the first sample. */
  lastSampleMs?: number;
}

export interface WatchStats {
  samples: number;
  lastSampleMs?: number;
  /** Samples per second over the last `windowMs` of WatchOptions. */
  rateHz: number;
  /** Source time stamp of the newest sample, ms since the epoch of the writer's wall clock. */
  lastSourceTimeMs?: number;
  /** The times between samples, counted in classes: what a percentile says is at most 9 % too long. */
  gaps: { count: number; p50Ms: number; p99Ms: number; maxMs: number };
  /** Why there may be writers that are not heard; undefined: there are none. */
  problem?: string;
}

export interface WatchOptions {
  /** Tells `silent` when no accepted sample came for that long since the last one (or since the watch began or was re-armed). */
  maxSilenceMs?: number;
  /** Asks for this liveliness lease from writers (only those match that offer one at least as short). */
  livelinessLeaseMs?: number;
  /** Over which rates are counted; default 1000. */
  windowMs?: number;
}

/** `atMs` is monotonic and when it happened, which may be before it is told. */
export type WatchEvent =
  | { event: 'matched' | 'unmatched' | 'alive' | 'notAlive'; writer: EndpointGid; atMs: number }
  /** The first sample ever or after `silent`. */
  | { event: 'heard'; writer: EndpointGid; atMs: number }
  /** Told once until `heard`. `lastSampleMs` undefined: there never was one. */
  | { event: 'silent'; atMs: number; lastSampleMs?: number };

export interface TransportCapabilities {
  /** deadline, lifespan and liveliness lease in QosProfile, and the lease of a watch, are honoured. */
  readonly timeQos: boolean;
  /** EndpointOptions.onEvent is called. */
  readonly endpointEvents: boolean;
  /** Silence is seen by the middleware's own threads; false: by timers of the event loop, the time of the last sample still being exact. */
  readonly nativeWatch: boolean;
  /** Samples of any type are carried and watched, not only of those that are installed on the machine. */
  readonly anyType: boolean;
  /** Samples tell which publisher they are from. */
  readonly tellsWriters: boolean;
  /** Service clients of every rmw get answers, not only those of the same vendor. */
  readonly servesAllVendors: boolean;
  /** participants() tells locators and properties. */
  readonly participantDetails: boolean;
  /** participantLeaseMs of DiscoveryOptions is honoured; else it is that of the vendor: 10 or 20 s. */
  readonly participantLease: boolean;
  /** Humble's 24-byte gids on `ros_discovery_info` are understood. */
  readonly humbleGraph: boolean;
}

export interface RosTransport {
  /** `cyclone` or `rclnodejs`, with what it runs on: for logs, `roslet doctor`. */
  readonly description: string;
  readonly capabilities: TransportCapabilities;
  readonly domainId: number;
  /** 24 hex digits: of the gids of all its own endpoints. */
  readonly prefix: string;
  readonly graph: Graph;
  createNode(name: string, namespace: string, options?: NodeOptions): RosNode;
  watchTopic(topic: string, options: WatchOptions, onEvent: (event: WatchEvent) => void): TopicWatch;
  /** Unmatches everything and leaves the domain. */
  close(): Promise<void>;
}

/** How the agent takes part in discovery, from its configuration and the environment as rmw reads it. */
export interface DiscoveryOptions {
  domainId: number;
  /** ROS_AUTOMATIC_DISCOVERY_RANGE, ROS_LOCALHOST_ONLY. */
  range: 'subnet' | 'localhost' | 'off' | 'system_default';
  /** ROS_STATIC_PEERS. */
  staticPeers: readonly string[];
  /** CYCLONEDDS_URI, for the implementation that understands it. */
  vendorConfig?: string;
  /** Lease of the agent's participant: how soon peers see that the agent is gone. */
  participantLeaseMs?: number;
}

/** Why there is no transport (yet): a sentence with the fix. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  /** Whether another try can help. */
  readonly isTransient: boolean;
  constructor(message: string, isTransient: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isTransient = isTransient;
  }
}
