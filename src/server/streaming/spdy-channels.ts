/**
 * Kubernetes' streaming over SPDY/3.1, as the API server speaks it to a node: the client opens a stream for each channel
 * and names it in a header (remote command protocol `v4.channel.k8s.io`).
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { badRequest } from '../errors.ts';
import type { UpgradeExchange } from '../http.ts';
import type { ChannelName, Channels } from './channels.ts';
import { serveSpdy } from './spdy-server.ts';
import { acceptSpdy } from './spdy-upgrade.ts';

/** As the kubelet waits for them. */
const openingMs = 30_000;
/** For the client to hang up, when all is said. */
const farewellMs = 10_000;

/** @throws ApiError BadRequest, also when the client does not open its streams */
export async function acceptSpdyChannels(
  exchange: UpgradeExchange,
  wanted: readonly ChannelName[],
  idleMs: number,
): Promise<Channels> {
  const connection = acceptSpdy(exchange, 'v4.channel.k8s.io');
  exchange.signal.addEventListener('abort', () => connection.destroy(), { once: true });
  const streams = new Map<string, Duplex>();
  const complete = new AbortController();
  const closed = new AbortController();
  const onStream = ({ streamtype = '' }: Readonly<Record<string, string>>, stream: Duplex): boolean => {
    if (!wanted.some((name) => name === streamtype) || streams.has(streamtype)) return false;
    streams.set(streamtype, stream);
    if (streams.size === wanted.length) complete.abort();
    return true;
  };
  // However the connection ends, it is over; there is no way left to answer with an error.
  const served = serveSpdy(connection, onStream, idleMs).catch(() => undefined);
  void served.then(() => closed.abort());
  const opening = AbortSignal.any([complete.signal, closed.signal]);
  await sleep(openingMs, undefined, { signal: opening }).catch(() => undefined);
  if (!complete.signal.aborted) {
    connection.destroy();
    throw badRequest(`the client opened only the streams [${[...streams.keys()].join(', ')}]`);
  }
  return spdyChannels(connection, streams, closed.signal);
}

function spdyChannels(connection: Duplex, streams: Map<string, Duplex>, closed: AbortSignal): Channels {
  const of = (name: ChannelName): Duplex => {
    const stream = streams.get(name);
    if (!stream) throw new Error(`the client was not asked for the stream ${name}`);
    return stream;
  };
  return {
    readable: of,
    writable: (name) => of(name).resume(),
    onMessage: (name, listener) => readObjects(of(name), listener),
    send: async (name, payload) => {
      const stream = of(name);
      if (stream.write(payload) || stream.destroyed) return;
      await once(stream, 'drain', { signal: closed }).catch(() => undefined);
    },
    close: () => {
      const ends = [...streams.values()].map((stream) => finished(stream.end(), { readable: false }));
      void Promise.allSettled(ends).then(() => connection.end());
      const overdue = setTimeout(() => connection.destroy(), farewellMs);
      closed.addEventListener('abort', () => clearTimeout(overdue), { once: true });
    },
    closed,
  };
}

/** A size is a few dozen bytes; what does not end is nonsense. */
const maxObjectChars = 4096;

/** Calls back with each flat JSON object of a stream, wherever its frames are cut. */
function readObjects(stream: Duplex, listener: (payload: Buffer) => void): void {
  let received = '';
  stream.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    for (let end = received.indexOf('}'); end >= 0; end = received.indexOf('}')) {
      listener(Buffer.from(received.slice(0, end + 1), 'latin1'));
      received = received.slice(end + 1);
    }
    if (received.length > maxObjectChars) received = '';
  });
}
