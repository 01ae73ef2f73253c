/**
 * `portforward`: for each connection that kubectl takes, a pair of SPDY streams joined to a port inside the pod (protocol
 * `portforward.k8s.io`).
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from '../../log.ts';
import { podName, podUid } from '../../pods/identity.ts';
import type { AgentView, SandboxHandle } from '../agent-view.ts';
import { badRequest } from '../errors.ts';
import type { UpgradeExchange } from '../http.ts';
import { findPod } from '../pod-lookup.ts';
import { serveSpdy } from './spdy-server.ts';

const protocol = 'portforward.k8s.io';

/** @throws ApiError while the request can still be refused */
export async function streamPorts(
  exchange: UpgradeExchange,
  agent: AgentView,
  { namespace, pod: name, log }: { namespace: string; pod: string; log: Logger },
): Promise<void> {
  const pod = findPod(agent, namespace, name);
  const sandbox = await agent.sandbox(podUid(pod));
  if (!sandbox) throw badRequest(`pod ${podName(pod)} does not run: it has no network to forward to`);
  const connection = accept(exchange);
  const pairs = new Map<string, { port: number; error?: Duplex; data?: Duplex }>();
  const served = serveSpdy(connection, ({ streamtype, port, requestid = '' }, stream) => {
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
  });
  // The protocols are switched: there is no way left to answer with an error.
  await served.catch((err: unknown) => log.debug({ err, pod: name }, 'port forwarding ended'));
}

function accept({ req, socket, head }: UpgradeExchange): Duplex {
  if (req.headers.upgrade?.toLowerCase() !== 'spdy/3.1') {
    throw badRequest(
      `ports are forwarded over SPDY/3.1, not ${req.headers.upgrade}: kubectl falls back to it`,
    );
  }
  const offered = (req.headersDistinct['x-stream-protocol-version'] ?? []).flatMap((line) =>
    line.split(/, */),
  );
  if (!offered.includes(protocol)) {
    throw badRequest(`none of the protocols [${offered.join(', ')}] is known: use ${protocol}`);
  }
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** What goes wrong is said on the error stream: kubectl prints it. */
async function forward(
  { runtime, podSandboxId }: SandboxHandle,
  port: number,
  { error, data }: { error: Duplex; data: Duplex },
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  error.resume();
  try {
    const { stream: target } = await runtime.portForward(podSandboxId, port, signal);
    // A client resets the stream when it has all that it wants.
    data.once('close', () => target.destroy());
    target.on('error', (err) => log.debug({ err, port }, 'a connection into a pod broke'));
    // Not a pipeline: a server that takes no more input may still have an answer.
    data.pipe(target);
    await pipeline(target, data);
  } catch (err) {
    log.debug({ err, port }, 'a forwarded connection broke');
    if (!data.destroyed)
      error.write(`error forwarding port ${port}: ${err instanceof Error ? err.message : String(err)}`);
    data.destroy();
  }
  error.end();
}

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port < 65536;
