/**
 * Kubernetes' streaming over one WebSocket, subprotocols `channel.k8s.io`, `v4.channel.k8s.io` and `v5.channel.k8s.io`: the
 * first byte of each binary message names the channel; v5 adds message 255, which closes the channel in its second byte. The
 * oldest tells an error in plain text, and nothing of a success.
 */
import { PassThrough, type Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Status } from '../../api/core.gen.ts';
import { badRequest } from '../errors.ts';
import type { UpgradeExchange } from '../http.ts';
import { idleLimit } from './idle.ts';

/** What travels beside each other between a client and a process, by the protocol's names. */
export type ChannelName = keyof typeof channelNumbers;

export interface Channels {
  /** What the client sends there; its end is the client's half-close. What comes before this is asked for is dropped. */
  readable(channel: ChannelName): Readable;
  /** What is written goes to the client, no faster than it reads. */
  writable(channel: ChannelName): Writable;
  /** Calls back with each whole message of the channel. */
  onMessage(channel: ChannelName, listener: (payload: Buffer) => void): void;
  /** Resolves when there is room for more, also when the client has gone: that is no failure of whoever tells it something. */
  send(channel: ChannelName, payload: Buffer | string): Promise<void>;
  close(): void;
  /** The connection is gone. */
  readonly closed: AbortSignal;
}

const channelNumbers = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const closeChannel = 255;

/** A message is kept whole until its reader takes it. kubectl's have 32 KiB. */
const maxMessageBytes = 16 * 1024 * 1024;

/** While a reader is behind nothing is read, also not that the client is gone: only writing to it tells. */
export const pingMs = 10_000;

/** Newest first. */
const subprotocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io'];

/** @throws ApiError BadRequest when the request is no WebSocket's, or of none of these subprotocols */
export async function acceptChannels(exchange: UpgradeExchange, idleMs: number): Promise<Channels> {
  const protocol = chooseSubprotocol(exchange);
  const socket = await acceptWebSocket(exchange, protocol);
  return channelsOf(socket, idleMs, protocol);
}

function chooseSubprotocol({ req }: UpgradeExchange): string {
  if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw badRequest(
      `upgrading to ${req.headers.upgrade} is not supported: use WebSocket or SPDY/3.1, as kubectl does`,
    );
  }
  const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim());
  const protocol = subprotocols.find((each) => offered.includes(each));
  if (!protocol)
    throw badRequest(
      `none of the subprotocols [${offered.join(', ')}] is known: use ${subprotocols.join(' or ')}`,
    );
  return protocol;
}

/** `ws` is loaded when the first client wants it. */
export async function acceptWebSocket(
  { req, socket, head, signal }: UpgradeExchange,
  protocol: string,
): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: () => protocol,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  return await new Promise((resolve) => {
    server.handleUpgrade(req, socket, head, (accepted) => {
      signal.addEventListener('abort', () => accepted.terminate(), { once: true });
      resolve(accepted);
    });
  });
}

function channelsOf(socket: WebSocket, idleMs: number, protocol: string): Channels {
  const closed = new AbortController();
  const streams = new Map<number, PassThrough>();
  const listeners = new Map<number, (payload: Buffer) => void>();
  const ended = new Set<number>();

  function receive(channel: number, payload: Buffer): void {
    if (channel === closeChannel) {
      const ending = payload[0] ?? 0;
      ended.add(ending);
      streams.get(ending)?.end();
      // A stream that was ended does not tell any more that it has room.
      socket.resume();
      return;
    }
    listeners.get(channel)?.(payload);
    const stream = streams.get(channel);
    if (!stream || ended.has(channel) || payload.length === 0 || stream.write(payload)) return;
    // One connection carries all channels: while one reader is behind, all wait.
    socket.pause();
    stream.once('drain', () => socket.resume());
  }

  const send = (name: ChannelName, payload: Buffer | string): Promise<void> =>
    new Promise((resolve) => {
      idle.touch();
      const text = name === 'error' && protocol === 'channel.k8s.io' ? plainError(payload) : payload;
      if (text.length === 0 && payload.length > 0) {
        resolve();
        return;
      }
      const message = Buffer.concat([Buffer.from([channelNumbers[name]]), Buffer.from(text)]);
      socket.send(message, { binary: true }, () => resolve());
    });

  const idle = idleLimit(idleMs, () => socket.terminate());
  socket.on('message', (data: RawData) => {
    idle.touch();
    const message = asBuffer(data);
    if (message.length > 0) receive(message[0]!, message.subarray(1));
  });
  const pings = setInterval(() => socket.ping(), pingMs);
  socket.on('close', () => {
    clearInterval(pings);
    idle.stop();
    closed.abort();
    for (const stream of streams.values()) stream.end();
  });
  // A broken connection is closed too; there is nobody left to tell.
  socket.on('error', () => socket.terminate());

  return {
    readable: (name) => {
      const stream = new PassThrough();
      streams.set(channelNumbers[name], stream);
      return stream;
    },
    writable: (name) => {
      const stream = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          // When the client has gone the stream is destroyed with the connection.
          void send(name, chunk).then(() => done());
        },
      });
      closed.signal.addEventListener('abort', () => stream.destroy(), { once: true });
      return stream;
    },
    onMessage: (name, listener) => listeners.set(channelNumbers[name], listener),
    send,
    close: () => {
      // The other side's goodbye is to be read, also when what came before it was not.
      socket.resume();
      socket.close(1000);
    },
    closed: closed.signal,
  };
}

/** Of a Status; empty when it tells of no error. */
function plainError(status: Buffer | string): string {
  const { status: outcome, message = '' } = JSON.parse(String(status)) as Status;
  return outcome === 'Success' ? '' : message;
}

export function asBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
