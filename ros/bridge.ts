/**
 * The ROS 2 bridge: pods and the node on the ROS graph. It is a guest of the agent: without a transport it says why and tries
 * again, and nothing of it holds up a pod.
 */
import type { Logger } from '../src/log.ts';
import type { BridgeAgent } from './agent-port.ts';
import type { Access } from './bridge/access.ts';
import { isOnGraph } from './bridge/graph-facts.ts';
import { nameToken } from './bridge/names.ts';
import { type Session, startSession } from './bridge/session.ts';
import { type RosNode, type RosTransport, TransportError } from './transport.ts';

export interface BridgeOptions {
  /** Asked for when the bridge runs. */
  agent(): BridgeAgent;
  /** As configured, or the node's name. */
  robotName: string;
  diagnosticsPeriodMs: number;
  /** @throws TransportError */
  openTransport(): RosTransport;
  /** What others may ask for. */
  access(): Access;
  /**
   * The address by which others find this machine; undefined without a network, or where that is no matter. The transport
   * is bound to what was there when it was opened: it is opened anew when that is gone and there is another.
   */
  address(): string | undefined;
  /** Whether this machine has the address, be its link down. */
  hasAddress(address: string): Promise<boolean>;
  /** The bridge is there; `node` is the agent's. */
  onTransport(transport: RosTransport, node: RosNode): void;
  /** Why the bridge is not there, once for each reason. Whatever uses the transport has to let go of it now. */
  onProblem(message: string): void;
  /** The bridge ends, and its transport next: whatever uses it has to let go of it now. */
  onEnd(): void;
  log: Logger;
}

export interface Bridge {
  /** Whether something is on the ROS graph; a text says why that is not known. */
  has(kind: 'topic' | 'node' | 'service', name: string): boolean | string;
  /** Of the managed node of a pod. */
  nodeName(uid: string): string | undefined;
  /** Called when what is on the graph has changed, and when the transport came. */
  onGraphChange(listener: () => void): () => void;
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** The names of pods come behind it, and all of them together have their limit. */
const maxRobotName = 63;

const addressCheckMs = 2000;
const firstRetryMs = 1000;
const maxRetryMs = 60_000;

export function createBridge(options: BridgeOptions): Bridge {
  const { log } = options;
  const robot = nameToken(options.robotName.slice(0, maxRobotName));
  const listeners = new Set<() => void>();
  let transport: RosTransport | undefined;
  let session: Session | undefined;
  let problem = 'the ROS 2 bridge has not started yet';

  /** Returns whether another try can help. */
  const connect = (): boolean => {
    let opened: RosTransport | undefined;
    try {
      opened = options.openTransport();
      const access = options.access();
      session = startSession({ ...options, agent: options.agent(), transport: opened, robot, access });
      options.onTransport(opened, session.node);
      log.info(
        { robot, domainId: opened.domainId, requests: access },
        `on the ROS 2 graph by ${opened.description}`,
      );
    } catch (err) {
      (session ?? opened)?.close().catch((err: unknown) => log.warn({ err }, 'closing the ROS 2 bridge'));
      session = undefined;
      const { message } = err as Error;
      if (message !== problem) {
        log.warn(`no ROS 2 bridge: ${message}`);
        options.onProblem(message);
      }
      problem = message;
      return !(err instanceof TransportError) || err.isTransient;
    }
    transport = opened;
    transport.graph.onChange(tell);
    tell();
    return false;
  };
  const tell = (): void => {
    for (const listener of listeners) listener();
  };

  return {
    has: (kind, name) =>
      transport === undefined ? `it is not known: ${problem}` : isOnGraph(transport.graph, kind, name),
    nodeName: (uid) => session?.nodeName(uid),
    onGraphChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async run(signal) {
      while (!signal.aborted) {
        const address = options.address();
        let delayMs = firstRetryMs;
        while (!signal.aborted && connect()) {
          await pause(delayMs * (0.8 + Math.random() * 0.4), signal);
          delayMs = Math.min(delayMs * 2, maxRetryMs);
        }
        await otherAddress(options, address, signal);
        if (signal.aborted) options.onEnd();
        else {
          problem = `opened anew, as the address of this machine is ${options.address()} now`;
          log.info(`the ROS 2 bridge is ${problem}`);
          options.onProblem(`the ROS 2 bridge is ${problem}`);
        }
        const ending = session;
        [session, transport] = [undefined, undefined];
        await ending?.close().catch((err: unknown) => log.warn({ err }, 'closing the ROS 2 bridge'));
      }
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** Until there is one, and what was there is gone. A machine that has lost its network waits for it to come back. */
async function otherAddress(
  { address, hasAddress, log }: BridgeOptions,
  before: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const isOther = async (): Promise<boolean> => {
    const now = address();
    if (now === undefined || now === before) return false;
    return before === undefined || !(await hasAddress(before));
  };
  while (!signal.aborted) {
    try {
      if (await isOther()) return;
    } catch (err) {
      log.warn({ err }, 'cannot tell for now whether the address of this machine is another');
    }
    await pause(addressCheckMs, signal);
  }
}
