/** What the bridge passes on to /rosout: the log of the agent, and what pods write, each limited by itself. */
import type { Logger } from '../../src/log.ts';
import type { LogLine, PodLogLine } from '../agent-port.ts';
import { Log } from '../messages/gen/rcl_interfaces.ts';
import type { Publisher, RosNode } from '../transport.ts';
import { podLogLine } from './pod-rosout.ts';
import { rosoutQos } from './qos.ts';
import { RosoutWriter } from './rosout.ts';

export interface RosoutsOptions {
  /** The agent's. */
  node: RosNode;
  robot: string;
  /** Of the managed node of a pod; undefined: it has none. */
  podNodeName(uid: string): string | undefined;
  log: Logger;
}

export class Rosouts {
  readonly #o: RosoutsOptions;
  readonly #publisher: Publisher<Log>;
  readonly #agent: RosoutWriter;
  readonly #pods = new Map<string, RosoutWriter>();

  constructor(options: RosoutsOptions) {
    this.#o = options;
    this.#publisher = options.node.createPublisher('/rosout', Log, rosoutQos);
    this.#agent = this.#writer(`${options.robot}.roslet`);
  }

  writeAgent(line: LogLine): void {
    this.#agent.write(line);
  }

  writePod(line: PodLogLine): void {
    const name = this.#o.podNodeName(line.uid);
    if (name === undefined) return;
    let writer = this.#pods.get(line.uid);
    if (writer === undefined) {
      writer = this.#writer(name.slice(1).replaceAll('/', '.'));
      this.#pods.set(line.uid, writer);
    }
    writer.write(podLogLine(line), line.container);
  }

  forgetPod(uid: string): void {
    this.#pods.get(uid)?.close();
    this.#pods.delete(uid);
  }

  close(): void {
    for (const writer of [this.#agent, ...this.#pods.values()]) writer.close();
  }

  #writer(logger: string): RosoutWriter {
    return new RosoutWriter(this.#publisher, logger, (err) =>
      this.#o.log.debug({ err }, 'dropped lines could not be told on /rosout'),
    );
  }
}
