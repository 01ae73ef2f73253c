/**
 * The managed nodes of all pods. A pod has one while it is known, and for a moment longer. Where the transport has no room
 * for another, the pod does without, which is told once; it is tried again until there is.
 */
import type { Logger } from '../../src/log.ts';
import type { LifecycleTransition } from '../../src/pods/lifecycle-machine.ts';
import type { BridgeAgent, BridgedPod, PodState } from '../agent-port.ts';
import type { RosTransport } from '../transport.ts';
import { type Access, refusal } from './access.ts';
import { fullName, type PodNodeName, podNodeNames } from './names.ts';
import { PodNode } from './pod-node.ts';

export interface PodNodesOptions {
  transport: RosTransport;
  agent: BridgeAgent;
  robot: string;
  access: Access;
  onGone(uid: string): void;
  log: Logger;
}

/** How long the node of a pod that is gone stays, so that whoever asked for that gets the answer. */
const farewellMs = 1000;

/** The transport takes its time to let go of a node; whoever waits for its room asks soon, and then ever less often. */
const [firstWaitMs, longestWaitMs] = [1000, 60_000];

export class PodNodes {
  readonly #o: PodNodesOptions;
  #names: ReadonlyMap<string, PodNodeName> = new Map();
  readonly #nodes = new Map<string, PodNode>();
  /** Each ends one; by the name of the node. */
  readonly #farewells = new Map<string, () => void>();
  /** There was no room for theirs. */
  readonly #without = new Set<string>();
  #retry: { timer: NodeJS.Timeout; waitMs: number } | undefined;

  constructor(options: PodNodesOptions) {
    this.#o = options;
  }

  get(uid: string): PodNode | undefined {
    return this.#nodes.get(uid);
  }

  nameOf(uid: string): string | undefined {
    return this.#nodes.get(uid)?.name;
  }

  /** As the pod is now. */
  show(uid: string): void {
    const bridged = this.#o.agent.pod(uid);
    const shown = this.#nodes.get(uid);
    const { lifecycle } = bridged ?? {};
    const isRefused = lifecycle === undefined && bridged?.pod.status?.phase === 'Failed';
    if (bridged === undefined || isRefused) {
      this.#without.delete(uid);
      if (shown !== undefined) this.#sayFarewell(uid, shown);
    } else if (lifecycle !== undefined) {
      if (shown !== undefined) shown.show(lifecycle.state, lifecycle.hasFailed, Date.now());
      else if (!this.#without.has(uid) && !this.#add(uid, bridged, lifecycle.state)) this.#tryIn(firstWaitMs);
    }
  }

  close(): void {
    for (const end of this.#farewells.values()) end();
    clearTimeout(this.#retry?.timer);
  }

  /** Returns whether there was room. */
  #add(uid: string, { pod }: BridgedPod, state: PodState['state']): boolean {
    const { agent, log, transport } = this.#o;
    if (!this.#names.has(uid)) {
      const pods = agent.pods().map((each) => each.pod);
      this.#names = podNodeNames(this.#o.robot, pods, this.#names);
    }
    const name = this.#names.get(uid);
    if (name === undefined) return true;
    const change = async (transition: LifecycleTransition) => {
      const answer =
        refusal(this.#o.access, 'control') ??
        (await agent.changeLifecycle(agent.pod(uid)?.pod ?? pod, transition));
      if (!answer.success)
        log.warn({ podUid: uid, rosNode: fullName(name) }, `${transition}: ${answer.message}`);
      return answer;
    };
    // Whoever had that name has said farewell for long enough.
    this.#farewells.get(fullName(name))?.();
    try {
      this.#nodes.set(uid, new PodNode(transport, name, state, change));
    } catch (err) {
      if (!this.#without.has(uid)) {
        const why = `The pod is supervised, but it is not on the ROS graph: ${(err as Error).message}`;
        agent.warn(pod, 'NotOnRosGraph', why);
        log.warn({ podUid: uid, rosNode: fullName(name) }, why);
      }
      this.#without.add(uid);
      return false;
    }
    this.#without.delete(uid);
    return true;
  }

  #sayFarewell(uid: string, gone: PodNode): void {
    this.#nodes.delete(uid);
    this.#o.onGone(uid);
    gone.show('finalized', false, Date.now());
    const end = (): void => {
      clearTimeout(timer);
      this.#farewells.delete(gone.name);
      gone.close();
      this.#tryIn(firstWaitMs);
    };
    const timer = setTimeout(end, farewellMs);
    this.#farewells.set(gone.name, end);
  }

  /** Sooner, if that is to be sooner already. */
  #tryIn(waitMs: number): void {
    if (this.#without.size === 0 || (this.#retry !== undefined && this.#retry.waitMs <= waitMs)) return;
    clearTimeout(this.#retry?.timer);
    const timer = setTimeout(() => {
      this.#retry = undefined;
      this.#addThoseWithout();
      this.#tryIn(Math.min(2 * waitMs, longestWaitMs));
    }, waitMs);
    this.#retry = { timer, waitMs };
  }

  /** Until there is no room again. */
  #addThoseWithout(): void {
    for (const uid of this.#without) {
      const bridged = this.#o.agent.pod(uid);
      const state = bridged?.lifecycle?.state;
      if (bridged === undefined || state === undefined) this.#without.delete(uid);
      else if (!this.#add(uid, bridged, state)) return;
    }
  }
}
