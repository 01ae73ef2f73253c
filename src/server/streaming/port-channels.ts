/**
 * Port-forward over a plain WebSocket, subprotocol `v4.channel.k8s.io`, as the kubelet serves it to clients that do not
 * tunnel SPDY: the ports are in the request, the n-th has channel 2n for its one connection and 2n + 1 for what went wrong,
 * and on both the first message is the port, little-endian.
 */
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { badRequest } from '../errors.ts';
import type { UpgradeExchange } from '../http.ts';
import { acceptWebSocket, asBuffer, pingMs } from './channels.ts';
import { idleLimit } from './idle.ts';

const portChannelsProtocol = 'v4.channel.k8s.io';

/** A channel's number is one byte, and a port has two channels. */
const maxPorts = 128;

export interface PortChannels {
  pairs: { port: number; data: Duplex; error: Duplex }[];
  /** Says goodbye to the client, after all that was written. */
  close(): void;
}

/** Whether the client wants this and no tunnel. */
export const offersPortChannels = ({ req }: UpgradeExchange): boolean =>
  (req.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .some((each) => each.trim() === portChannelsProtocol);

/** @throws ApiError BadRequest when the request does not name its ports */
export function requestedPorts(query: URLSearchParams): number[] {
  // The kubelet's name, and that of the Kubernetes API.
  const ports = [...query.getAll('port'), ...query.getAll('ports')].flatMap((list) => list.split(','));
  if (ports.length === 0) throw badRequest('query parameter "port" is required');
  if (ports.length > maxPorts)
    throw badRequest(`query parameter "port": ${ports.length} ports, at most ${maxPorts} fit a connection`);
  return ports.map((text) => {
    const port = /^\d+$/.test(text) ? Number(text) : 0;
    if (port < 1 || port > 65535) throw badRequest(`unable to parse "${text}" as a port`);
    return port;
  });
}

/** @param idleMs a connection on which nothing is said for so long is ended; 0: never */
export async function acceptPortChannels(
  exchange: UpgradeExchange,
  ports: readonly number[],
  idleMs: number,
): Promise<PortChannels> {
  const socket = await acceptWebSocket(exchange, portChannelsProtocol);
  const idle = idleLimit(idleMs, () => socket.terminate());
  const channels = ports
    .flatMap((_, index) => [2 * index, 2 * index + 1])
    .map((n) => channel(socket, n, idle.touch));
  socket.on('message', (message: RawData) => {
    idle.touch();
    const bytes = asBuffer(message);
    const number = bytes[0] ?? 1;
    const to = channels[number];
    // Nobody listens to what a client says on an error channel.
    if (to === undefined || to.destroyed || number % 2 !== 0 || bytes.length === 1) return;
    if (!to.push(bytes.subarray(1))) socket.pause();
  });
  const pings = setInterval(() => socket.ping(), pingMs);
  socket.on('close', () => {
    clearInterval(pings);
    idle.stop();
    for (const each of channels) each.destroy();
  });
  socket.on('error', () => socket.terminate());
  const pairs = ports.map((port, index) => ({
    port,
    data: channels[2 * index]!,
    error: channels[2 * index + 1]!,
  }));
  for (const { port, data, error } of pairs) {
    const bytes = Buffer.from([port & 0xff, port >> 8]);
    data.write(bytes);
    error.write(bytes);
  }
  return {
    pairs,
    close: () => {
      // The other side's goodbye is to be read, also when what came before it was not.
      socket.resume();
      socket.close(1000);
    },
  };
}

function channel(socket: WebSocket, number: number, touch: () => void): Duplex {
  return new Duplex({
    // One connection carries all channels: while one reader is behind, all wait.
    read: () => socket.resume(),
    destroy: (error, done) => {
      socket.resume();
      done(error);
    },
    write: (chunk: Buffer, _encoding, done) => {
      touch();
      // A client that has gone is no error of the writer: the stream is destroyed with the connection.
      socket.send(Buffer.concat([Buffer.from([number]), chunk]), { binary: true }, () => done());
    },
  });
}
