/**
 * `portforward`: for each connection that kubectl takes, a pair of SPDY streams joined to a port inside the pod (protocol
 * `portforward.k8s.io`). Simpler clients name the ports and use a WebSocket's channels, a connection each.
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../../error-message.ts';
import type { Logger } from '../../log.ts';
import { podName, podUid } from '../../pods/identity.ts';
import type { AgentView, SandboxHandle } from '../agent-view.ts';
import { badRequest } from '../errors.ts';
import type { UpgradeExchange } from '../http.ts';
import { findPod } from '../pod-lookup.ts';
import { acceptPortChannels, offersPortChannels, requestedPorts } from './port-channels.ts';
import { serveSpdy } from './spdy-server.ts';
import { acceptSpdy, acceptSpdyTunnel, isSpdyUpgrade } from './spdy-upgrade.ts';

export interface PortForwardRequest {
  namespace: string;
  pod: string;
  /** When given, of this pod alone. */
  uid?: string;
  /** A connection on which nothing is said for so long is ended; 0: never. */
  idleMs: number;
  log: Logger;
}

const protocol = 'portforward.k8s.io';

/** @throws ApiError while the request can still be refused */
export async function streamPorts(
  exchange: UpgradeExchange,
  agent: AgentView,
  { namespace, pod: name, uid, idleMs, log }: PortForwardRequest,
): Promise<void> {
  const pod = findPod(agent, namespace, name, uid);
  const sandbox = await agent.sandbox(podUid(pod));
  if (!sandbox) throw badRequest(`pod ${podName(pod)} does not run: it has no network to forward to`);
  if (offersPortChannels(exchange)) {
    const { pairs, close } = await acceptPortChannels(exchange, requestedPorts(exchange.query), idleMs);
    await Promise.all(
      pairs.map(async ({ port, ...pair }) => {
        await forward(sandbox, port, pair, exchange.signal, log);
        // What the client still sends there must not hold up the others.
        pair.data.destroy();
      }),
    );
    close();
    return;
  }
  const connection = await accept(exchange);
  // The agent ends, too, while somebody keeps a port forwarded.
  exchange.signal.addEventListener('abort', () => connection.destroy(), { once: true });
  const pairs = new Map<string, { port: number; error?: Duplex; data?: Duplex }>();
  const served = serveSpdy(
    connection,
    ({ streamtype, port, requestid = '' }, stream) => {
      const key = requestid || (port ?? '');
      const pair = pairs.get(key) ?? { port: Number(port) };
      if (!isPort(pair.port) || (streamtype !== 'error' && streamtype !== 'data') || pair[streamtype])
        return false;
      pair[streamtype] = stream;
      pairs.set(key, pair);
      stream.once('close', () => {
        if (pairs.get(key) === pair) pairs.delete(key);
      });
      const { error, data } = pair;
      if (error && data) {
        pairs.delete(key);
        void forward(sandbox, pair.port, { error, data }, exchange.signal, log);
      }
      return true;
    },
    idleMs,
  );
  // The protocols are switched: there is no way left to answer with an error.
  await served.catch((err: unknown) => log.debug({ err, pod: name }, 'port forwarding ended'));
}

const accept = async (exchange: UpgradeExchange): Promise<Duplex> => {
  if (isSpdyUpgrade(exchange)) return acceptSpdy(exchange, protocol);
  if (exchange.req.headers.upgrade?.toLowerCase() === 'websocket')
    return acceptSpdyTunnel(exchange, protocol);
  throw badRequest(`ports are forwarded over SPDY/3.1 or WebSocket, not ${exchange.req.headers.upgrade}`);
};

/** What goes wrong is said on the error stream: kubectl prints it. */
async function forward(
  { runtime, podSandboxId }: SandboxHandle,
  port: number,
  { error, data }: { error: Duplex; data: Duplex },
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  error.resume();
  let hasClientGone = false;
  try {
    const { stream: target } = await runtime.portForward(podSandboxId, port, signal);
    // A client resets the stream when it has all that it wants.
    data.once('close', () => {
      hasClientGone = target.errored === null;
      target.destroy();
    });
    target.on('error', (err) => log.debug({ err, port }, 'a connection into a pod broke'));
    // Not a pipeline: a server that takes no more input may still have an answer.
    data.pipe(target);
    await pipeline(target, data);
  } catch (err) {
    log.debug({ err, port }, 'a forwarded connection broke');
    if (!hasClientGone) error.write(`error forwarding port ${port}: ${messageOf(err)}`);
    data.destroy();
  }
  error.end();
}

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port < 65536;
