/**
 * HTTP/2 over TLS to one API server: all requests and watches share one connection, which costs a robot one handshake
 * and little memory however much it watches. A further one is opened only when the server allows no more streams.
 * A peer that is gone without a word is found by pings. Connections are made when they are needed.
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { PeerCertificate } from 'node:tls';
import { messageOf } from '../error-message.ts';
import { untilAborted } from '../until-aborted.ts';
import type { Credentials } from './credentials.ts';
import { ApiUnreachableError } from './errors.ts';
import type { ClusterAccess } from './kubeconfig.ts';

export interface WireRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body?: string | Buffer;
}

export interface WireAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed. Ends with an error when it is cut off. */
  body: ClientHttp2Stream;
}

export interface ApiConnection {
  /** Resolves with the head of the answer. @throws ApiUnreachableError */
  request(request: WireRequest, signal: AbortSignal): Promise<WireAnswer>;
  /** New requests go over a new connection, with credentials read anew; what is under way goes on. */
  renew(): void;
  /** Calls back when the server is reached again after it could not be. Returns what ends that. */
  onRegained(listener: () => void): () => void;
  close(): void;
}

export function apiConnection(access: ClusterAccess): ApiConnection {
  let sessions: Session[] = [];
  let connecting: Promise<Session> | undefined;
  let lastCheckMs = 0;
  let isOutOfReach = false;
  const listeners = new Set<() => void>();

  const renew = () => {
    for (const { h2 } of sessions) h2.close();
    sessions = [];
  };

  /** Credentials that were rotated take effect within a minute, whoever rotated them. */
  async function checkCredentials(): Promise<void> {
    const [newest] = sessions;
    if (newest === undefined || performance.now() - lastCheckMs < credentialsCheckMs) return;
    lastCheckMs = performance.now();
    const now = await access.credentials().catch(() => undefined);
    if (now === undefined) return;
    if (tlsPart(now) !== tlsPart(newest.credentials)) renew();
    else for (const session of sessions) session.credentials = now;
  }

  async function connect(): Promise<Session> {
    const credentials = await access.credentials();
    lastCheckMs = performance.now();
    const h2 = await openSession(access, credentials).catch((error: unknown) => {
      isOutOfReach = true;
      throw error;
    });
    const session: Session = { h2, credentials, streams: 0 };
    sessions = [session, ...sessions];
    h2.on('close', () => {
      sessions = sessions.filter((each) => each !== session);
    });
    if (isOutOfReach) for (const listener of listeners) listener();
    isOutOfReach = false;
    return session;
  }

  async function freeSession(): Promise<Session> {
    await checkCredentials();
    const free = sessions.find(
      ({ h2, streams }) =>
        !h2.closed &&
        !h2.destroyed &&
        streams < Math.min(h2.remoteSettings.maxConcurrentStreams ?? 100, mostStreams),
    );
    if (free !== undefined) return free;
    connecting ??= connect().finally(() => {
      connecting = undefined;
    });
    return connecting;
  }

  async function send(request: WireRequest, signal: AbortSignal, isRetry = false): Promise<WireAnswer> {
    const { method, path, headers, body } = request;
    const session = await untilAborted(freeSession(), signal);
    const { token } = session.credentials;
    const prefix = access.server.pathname.replace(/\/$/, '');
    let stream: ClientHttp2Stream | undefined;
    try {
      session.streams += 1;
      stream = session.h2.request(
        {
          ':method': method,
          ':path': prefix + path,
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        { endStream: body === undefined, signal },
      );
      stream.on('close', () => {
        session.streams -= 1;
      });
      if (body !== undefined) stream.end(body);
      return await answerOf(stream);
    } catch (error) {
      if (signal.aborted) throw error;
      // A server that says goodbye tells so of what it has not begun with (RFC 9113, 8.7).
      if (stream?.rstCode === refusedStream && session.h2.closed && !isRetry)
        return send(request, signal, true);
      throw unreachable(access, error);
    }
  }

  return {
    request: (request, signal) => send(request, signal),
    renew,
    onRegained(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      for (const { h2 } of sessions) h2.destroy();
      sessions = [];
    },
  };
}

interface Session {
  h2: ClientHttp2Session;
  credentials: Credentials;
  streams: number;
}

/** REFUSED_STREAM of RFC 9113, 7. */
const refusedStream = 7;
const connectMs = 10_000;
const pingMs = 15_000;
const pingAnswerMs = 10_000;
const credentialsCheckMs = 60_000;
/** More than this many streams get a connection of their own, also where the server would allow more. */
const mostStreams = 200;
/** What may be on its way unread: a list of many objects should not wait for a round trip every 64 KiB. */
const windowBytes = 2 ** 20;

async function openSession(access: ClusterAccess, credentials: Credentials): Promise<ClientHttp2Session> {
  // Not imported: an agent without a cluster never loads it.
  const http2 = process.getBuiltinModule('node:http2');
  const { ca, cert, key } = credentials;
  const host = access.server.hostname.replace(/^\[|\]$/g, '');
  const session = http2.connect(access.server.origin, {
    ca,
    cert,
    key,
    rejectUnauthorized: !access.insecureSkipTlsVerify,
    servername: access.tlsServerName ?? (process.getBuiltinModule('node:net').isIP(host) ? '' : host),
    ...(access.tlsServerName === undefined
      ? {}
      : {
          checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
            process.getBuiltinModule('node:tls').checkServerIdentity(access.tlsServerName!, certificate),
        }),
    minVersion: 'TLSv1.2',
    settings: { enablePush: false, initialWindowSize: windowBytes },
  });
  // After the first moment errors end the streams, whose readers tell.
  session.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => session.destroy(new Error(`no connection within ${connectMs / 1000} s`)),
      connectMs,
    );
    session.once('connect', () => resolve());
    session.once('error', reject);
    session.once('close', () => reject(new Error('the connection was closed')));
    const settled = () => clearTimeout(timer);
    session.once('connect', settled);
    session.once('close', settled);
  }).catch((error: unknown) => {
    session.destroy();
    throw unreachable(access, error);
  });
  session.setLocalWindowSize(4 * windowBytes);
  session.unref();
  keepAsking(session);
  return session;
}

/** Ends the session when its peer does not answer any more: TCP alone would wait for a quarter of an hour. */
function keepAsking(session: ClientHttp2Session): void {
  let answer: NodeJS.Timeout | undefined;
  const interval = setInterval(() => {
    if (session.destroyed || answer !== undefined) return;
    answer = setTimeout(
      () => session.destroy(new Error('the API server does not answer any more')),
      pingAnswerMs,
    );
    session.ping(() => {
      clearTimeout(answer);
      answer = undefined;
    });
  }, pingMs);
  interval.unref();
  session.once('close', () => {
    clearInterval(interval);
    clearTimeout(answer);
  });
}

function answerOf(stream: ClientHttp2Stream): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    stream.once('response', (headers) =>
      resolve({ status: Number(headers[':status']), headers, body: stream }),
    );
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the connection was closed without an answer')));
  });
}

const tlsPart = ({ ca, cert, key }: Credentials): string => JSON.stringify([ca, cert, key]);

const unreachable = (access: ClusterAccess, cause: unknown): ApiUnreachableError =>
  cause instanceof ApiUnreachableError
    ? cause
    : new ApiUnreachableError(
        `the API server ${access.server.origin} cannot be reached: ${messageOf(cause)}`,
        { cause },
      );
