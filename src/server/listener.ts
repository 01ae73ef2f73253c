/** Turns Node's requests into exchanges: finds the route, ends them with the connection, answers what went wrong. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '../log.ts';
import { ApiError, badRequest, statusOf } from './errors.ts';
import { type Exchange, type Route, type RouteFinder, routeFinder, sendJson, sendText } from './http.ts';

export interface AnswerOptions {
  routes: readonly Route[];
  /** Ends every exchange, also those that follow or watch. */
  closing: AbortSignal;
  log: Logger;
  /** Requests wait for it: what they ask about is not known before. */
  isUp: Promise<void>;
  /** Called before anything else is done for a request. @throws ApiError when it is refused */
  admit?(request: IncomingRequest): Promise<void> | void;
  /** Called with each request; the function that comes back when it has ended. */
  measure?(request: { method: string; path: string }): () => void;
  /** Errors as bare text, as the kubelet's endpoints tell them: the API server puts them into a Status of its own. */
  textErrors?: boolean;
  /** Streams at once; further ones are refused. */
  maxUpgrades?: number;
}

/** For a client that was refused an upgrade, to read the answer and hang up. */
const farewellMs = 2000;

export interface IncomingRequest {
  req: IncomingMessage;
  method: string;
  path: string;
}

/** The server is not listening yet. */
export const serveRoutes = (options: AnswerOptions): Server => answerRequests(createServer(), options);

/** Makes a server answer. It is not listening yet. */
export function answerRequests<S extends Server>(server: S, options: AnswerOptions): S {
  const find = routeFinder(options.routes);
  const upgraded = new Set<Duplex>();
  server.on('request', (req: IncomingMessage, res: ServerResponse) => void answer(find, req, res, options));
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    void upgrade(find, req, socket, head, upgraded, options);
  });
  return server;
}

async function answer(
  find: RouteFinder,
  req: IncomingMessage,
  res: ServerResponse,
  options: AnswerOptions,
): Promise<void> {
  const ended = new AbortController();
  const measured = measure(req, options);
  res.on('close', () => {
    measured?.();
    ended.abort();
  });
  try {
    const { route, ...exchange } = await open(find, req, ended.signal, options);
    await route.handle({ ...exchange, res });
  } catch (err) {
    if (ended.signal.aborted) return;
    report(err, req, options.log);
    sendError(res, err, options.textErrors);
  }
}

async function upgrade(
  find: RouteFinder,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  upgraded: Set<Duplex>,
  options: AnswerOptions,
): Promise<void> {
  const ended = new AbortController();
  const measured = measure(req, options);
  socket.on('close', () => {
    measured?.();
    ended.abort();
  });
  socket.on('error', (err) => options.log.debug({ err, url: req.url }, 'a client broke its connection'));
  try {
    const { route, ...exchange } = await open(find, req, ended.signal, options);
    if (!route.upgrade) throw badRequest(`${exchange.path} does not upgrade to ${req.headers.upgrade}`);
    // Only who was let in takes a place.
    if (upgraded.size >= (options.maxUpgrades ?? Number.POSITIVE_INFINITY))
      throw new ApiError('TooManyRequests', `there are ${options.maxUpgrades} streams already`);
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    await route.upgrade({ ...exchange, socket, head });
  } catch (err) {
    if (ended.signal.aborted) return;
    report(err, req, options.log);
    refuseUpgrade(socket, err);
  }
}

async function open(
  find: RouteFinder,
  req: IncomingMessage,
  ended: AbortSignal,
  { isUp, admit, closing }: AnswerOptions,
): Promise<Omit<Exchange, 'res'> & { route: Route }> {
  await isUp;
  const url = parseUrl(req.url ?? '/');
  const method = req.method === 'HEAD' ? 'GET' : (req.method ?? 'GET');
  const path = url.pathname;
  await admit?.({ req, method, path });
  const { route, params } = find(method, path);
  const signal = AbortSignal.any([ended, closing]);
  return { route, req, method, path, query: url.searchParams, params, signal };
}

const measure = (
  { method = '', url = '' }: IncomingMessage,
  options: AnswerOptions,
): (() => void) | undefined => options.measure?.({ method, path: url.split('?', 1)[0] ?? '' });

function parseUrl(url: string): URL {
  const parsed = URL.parse(url, 'http://localhost');
  if (!parsed) throw badRequest(`"${url}" is not a path`);
  return parsed;
}

function report(err: unknown, req: IncomingMessage, log: Logger): void {
  if (err instanceof ApiError && err.code < 500) log.debug({ err, url: req.url }, 'refused a request');
  else log.error({ err, method: req.method, url: req.url }, 'failed to answer a request');
}

/** Once the head is out the only way left to tell of an error is to break the connection. */
function sendError(res: ServerResponse, error: unknown, asText = false): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const status = statusOf(error);
  if (asText) sendText(res, status.code, status.message ?? '');
  else sendJson(res, status.code, status);
}

/** Always a Status: clients of streams look for one, and take a bare sentence with a colon for one that says nothing. */
function refuseUpgrade(socket: Duplex, err: unknown): void {
  const status = statusOf(err);
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Node watches over an upgraded connection no more: one that the client does not close is closed here. Read on, as
  // the client's end is not seen otherwise.
  socket.resume();
  const overdue = setTimeout(() => socket.destroy(), farewellMs);
  socket.once('close', () => clearTimeout(overdue));
}
