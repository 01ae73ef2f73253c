/** Tells on `ros_discovery_info` which nodes this participant has, and hears what others tell. */
import { ParticipantEntitiesInfo } from '../messages/gen/rmw_dds_common.ts';
import { Paced } from '../paced.ts';
import type { EndpointGid, QosProfile } from '../transport.ts';
import {
  decodeEntities,
  discoveryInfoTopic,
  discoveryInfoType,
  encodeEntities,
  type GidSize,
  type NodeEntities,
} from './discovery-info.ts';
import type { CycloneGraph } from './graph.ts';
import type { NativeEndpoint } from './native.ts';
import type { EndpointDefinition, Participant } from './participant.ts';

/** What all rmw implementations use for it. */
const writerQos: QosProfile = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 1,
};
/** One sample a participant; a reader of a keyless topic keeps those of all participants together. */
const readerQos: QosProfile = { ...writerQos, history: 'keep_all' };

/** Nodes that come so soon after another are told together. */
const restMs = 5;

/** More come in one moment only from those that are gone. */
const maxEarly = 256;

export interface AnnouncedNode {
  readonly name: string;
  readonly namespace: string;
  readonly readers: ReadonlySet<EndpointGid>;
  readonly writers: ReadonlySet<EndpointGid>;
}

export class Announcer {
  readonly #participant: Participant;
  readonly #graph: CycloneGraph;
  readonly #nodes = new Set<AnnouncedNode>();
  readonly #writer: NativeEndpoint;
  readonly #reader: NativeEndpoint;
  /** Writers that others announce with. */
  readonly #matched = new Set<EndpointGid>();
  /** What came of writers that are not matched yet, or were gone before it was looked at. */
  readonly #early = new Map<EndpointGid, Uint8Array>();
  /** By matched writer. */
  readonly #gidSizes = new Map<EndpointGid, GidSize>();
  #gidSize: GidSize = 16;
  /** All of it is told anew: each of many nodes that come one by one must not take longer than the one before it. */
  readonly #pace = new Paced(() => this.#announce(), restMs);
  /** How many endpoints of nobody were announced. */
  #orphans = 0;

  constructor(participant: Participant, graph: CycloneGraph) {
    this.#participant = participant;
    this.#graph = graph;
    const definition: EndpointDefinition = {
      topic: discoveryInfoTopic,
      type: discoveryInfoType,
      // rmw_cyclonedds complains of endpoints that tell none.
      typeHash: ParticipantEntitiesInfo.typeHash,
      qos: writerQos,
    };
    this.#writer = participant.createWriter(definition, {});
    this.#reader = participant.createReader(
      { ...definition, qos: readerQos },
      {
        onSample: ({ writer, cdr }) => this.#onInfo(writer, cdr),
        onEvent: (event) => {
          if (event.event === 'matched') this.#onMatched(event.peer);
          if (event.event === 'unmatched') this.#onGone(event.peer);
        },
      },
    );
    // Those of watches come from another thread.
    graph.onChange(() => {
      if (this.#orphansAmong(graph.own).length !== this.#orphans) this.update();
    });
    this.update();
  }

  add(node: AnnouncedNode): void {
    this.#nodes.add(node);
    this.update();
  }

  remove(node: AnnouncedNode): void {
    if (this.#nodes.delete(node)) this.update();
  }

  /** A node got or lost an endpoint. What changes together is told once. */
  update(): void {
    this.#pace.ask();
  }

  close(): void {
    this.#pace.close();
    this.#participant.remove(this.#reader);
    this.#participant.remove(this.#writer);
  }

  #announce(): void {
    const nodes: NodeEntities[] = [...this.#nodes].map(({ name, namespace, readers, writers }) => ({
      name,
      namespace,
      readers: [...readers],
      writers: [...writers],
    }));
    // The endpoints of watches are the agent's, and the agent's node is the first.
    const orphans = this.#orphansAmong(this.#graph.own);
    for (const gid of orphans) nodes[0]?.[isReader(gid) ? 'readers' : 'writers'].push(gid);
    this.#orphans = orphans.length;
    this.#graph.onEntities(this.#writer.gid, { nodes });
    const info = { gid: this.#participant.gid, nodes };
    this.#participant.write(this.#writer, encodeEntities(info, this.#gidSize));
  }

  #orphansAmong(own: ReadonlySet<EndpointGid>): EndpointGid[] {
    const ours = new Set([this.#writer.gid, this.#reader.gid]);
    for (const { readers, writers } of this.#nodes) {
      for (const gid of [...readers, ...writers]) ours.add(gid);
    }
    return [...own].filter((gid) => !ours.has(gid));
  }

  #onInfo(writer: EndpointGid, cdr: Uint8Array): void {
    if (writer === this.#writer.gid) return;
    if (!this.#matched.has(writer)) {
      this.#early.set(writer, cdr);
      const [oldest] = this.#early.keys();
      if (this.#early.size > maxEarly && oldest !== undefined) this.#early.delete(oldest);
      return;
    }
    const entities = decodeEntities(cdr);
    if (!entities) return;
    this.#graph.onEntities(writer, entities);
    this.#gidSizes.set(writer, entities.gidSize);
    this.#chooseGidSize();
  }

  #onMatched(writer: EndpointGid): void {
    this.#matched.add(writer);
    const early = this.#early.get(writer);
    this.#early.delete(writer);
    if (early !== undefined) this.#onInfo(writer, early);
  }

  #onGone(writer: EndpointGid): void {
    this.#matched.delete(writer);
    this.#early.delete(writer);
    this.#graph.onEntities(writer, undefined);
    if (this.#gidSizes.delete(writer)) this.#chooseGidSize();
  }

  /** Humble cannot read 16 bytes, and later ones cannot read 24: as the others do, and the newer form where they differ. */
  #chooseGidSize(): void {
    const sizes = new Set(this.#gidSizes.values());
    const gidSize = sizes.size === 1 && sizes.has(24) ? 24 : 16;
    if (gidSize === this.#gidSize) return;
    this.#gidSize = gidSize;
    this.update();
  }
}

/** RTPS: the last digit of an entity's id tells its kind, 4 and 7 are readers. */
function isReader(gid: EndpointGid): boolean {
  return gid.endsWith('4') || gid.endsWith('7');
}
