/**
 * The part of rclnodejs (2.2) that we use, in its own terms. It is installed by users beside their ROS 2, never with
 * roslet: these types are all that is known of it when roslet is built.
 */

export interface Rclnodejs {
  readonly Context: new (domainId: bigint) => RclContext;
  readonly NodeOptions: new () => RclNodeOptions;
  readonly Node: new (
    name: string,
    namespace: string,
    context: RclContext,
    options: RclNodeOptions,
    args: string[],
    useGlobalArguments: boolean,
  ) => RclNode;
  readonly QoS: new (
    history: number,
    depth: number,
    reliability: number,
    durability: number,
    liveliness: number,
  ) => RclQos;
  /** The context is valid when the call returns; the promise is about generated files, which must be there before. */
  init(context: RclContext, argv: string[]): Promise<void>;
  /** @throws where the type is not known */
  require(type: string): unknown;
  serializeMessage(message: RclMessage, type: RclMessageClass): Buffer;
  /** What it holds has to be freed by `destroyRawROS`. */
  deserializeMessage(cdr: Buffer, type: RclMessageClass): RclMessage;
}

export interface RclMessage {
  /** The message in C. */
  readonly refObject: object;
  /** Takes over what is in C: fields that are not plain are not up to date before. */
  deserialize(refObject: object): void;
  toPlainObject(): object;
}

export interface RclMessageClass {
  new (plain?: object): RclMessage;
  destroyRawROS(message: RclMessage): void;
}

export interface RclServiceClass {
  readonly Request: RclMessageClass;
  readonly Response: RclMessageClass;
}

export interface RclContext {
  isValid(): boolean;
  /** Destroys its nodes, too. */
  shutdown(): void;
}

export interface RclNodeOptions {
  startParameterServices: boolean;
  startTypeDescriptionService: boolean;
  enableRosout: boolean;
}

declare const qos: unique symbol;
/** Opaque. */
export interface RclQos {
  readonly [qos]: true;
}

export interface RclEndpointOptions {
  qos: RclQos;
}

export interface RclPublisher {
  readonly subscriptionCount: number;
  /** A Buffer is published as it is. */
  publish(cdr: Buffer): void;
  assertLiveliness(): void;
}

export interface RclSubscription {
  readonly publisherCount: number;
}

/** Nanoseconds since the epoch. */
export interface RclMessageInfo {
  readonly sourceTimestamp: bigint;
  readonly receivedTimestamp: bigint;
  readonly publisherGid: Uint8Array;
}

export interface RclResponse {
  send(plain: object): void;
}

export interface RclClient {
  isServiceServerAvailable(): boolean;
  sendRequestAsync(plain: object, options: { signal: AbortSignal }): Promise<object>;
}

declare const service: unique symbol;
/** Opaque. */
export interface RclService {
  readonly [service]: true;
}

export interface RclTime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

export interface RclEndpointInfo {
  readonly node_name: string;
  readonly node_namespace: string;
  readonly topic_type: string;
  /** Not before Iron. */
  readonly topic_type_hash?: { version: number; value: Uint8Array };
  readonly endpoint_gid: readonly number[];
  readonly qos_profile: {
    readonly depth: number;
    readonly history: number;
    readonly reliability: number;
    readonly durability: number;
    readonly liveliness: number;
    readonly lifespan: RclTime;
    readonly deadline: RclTime;
    readonly liveliness_lease_duration: RclTime;
  };
}

export interface RclNamesAndTypes {
  readonly name: string;
  readonly types: string[];
}

export interface RclNode {
  /** Called by its executor with what is ready; what it throws ends the process. */
  execute(handles: unknown[]): void;
  /** With a thread of its own, which looks at its entities for at most that long at a time; whoever adds one waits for it. */
  spin(timeoutMs: number): void;
  destroy(): void;
  createPublisher(type: RclMessageClass, topic: string, options: RclEndpointOptions): RclPublisher;
  createSubscription(
    type: RclMessageClass,
    topic: string,
    options: RclEndpointOptions,
    callback: (message: object, info: RclMessageInfo) => void,
  ): RclSubscription;
  createService(
    type: RclServiceClass,
    name: string,
    options: object,
    callback: (request: object, response: RclResponse) => Promise<void>,
  ): RclService;
  createClient(type: RclServiceClass, name: string, options: object): RclClient;
  destroyPublisher(publisher: RclPublisher): void;
  destroySubscription(subscription: RclSubscription): void;
  destroyService(service: RclService): void;
  destroyClient(client: RclClient): void;
  getNodeNamesAndNamespacesWithEnclaves(): { name: string; namespace: string; enclave: string }[];
  getTopicNamesAndTypes(): RclNamesAndTypes[];
  getServiceNamesAndTypes(): RclNamesAndTypes[];
  getPublishersInfoByTopic(topic: string): RclEndpointInfo[];
  /** `isDdsName`: the topic is named as in DDS. */
  getSubscriptionsInfoByTopic(topic: string, isDdsName?: boolean): RclEndpointInfo[];
  countPublishers(topic: string): number;
  countSubscribers(topic: string): number;
  /** @throws when there is no such node */
  getServiceNamesAndTypesByNode(name: string, namespace: string): RclNamesAndTypes[];
  countServices(service: string): number;
  getRMWImplementationIdentifier(): string;
}
