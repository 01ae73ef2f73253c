/** Turns Node's requests into exchanges: finds the route, ends them with the connection, answers what went wrong. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '../log.ts';
import { ApiError, badRequest, statusOf } from './errors.ts';
import { type Exchange, type Route, type RouteFinder, routeFinder, sendError } from './http.ts';

/** The server is not listening yet. `closing` ends every exchange, also those that follow or watch. */
export function serveRoutes(routes: readonly Route[], closing: AbortSignal, log: Logger): Server {
  const find = routeFinder(routes);
  const server = createServer((req, res) => void answer(find, req, res, closing, log));
  server.on('upgrade', (req, socket, head) => void upgrade(find, req, socket, head, closing, log));
  return server;
}

async function answer(
  find: RouteFinder,
  req: IncomingMessage,
  res: ServerResponse,
  closing: AbortSignal,
  log: Logger,
): Promise<void> {
  const ended = new AbortController();
  res.on('close', () => ended.abort());
  try {
    const { route, ...exchange } = open(find, req, AbortSignal.any([ended.signal, closing]));
    await route.handle({ ...exchange, res });
  } catch (err) {
    if (ended.signal.aborted) return;
    report(err, req, log);
    sendError(res, err);
  }
}

async function upgrade(
  find: RouteFinder,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  closing: AbortSignal,
  log: Logger,
): Promise<void> {
  const ended = new AbortController();
  socket.on('close', () => ended.abort());
  socket.on('error', (err) => log.debug({ err, url: req.url }, 'a client broke its connection'));
  try {
    const { route, ...exchange } = open(find, req, AbortSignal.any([ended.signal, closing]));
    if (!route.upgrade) throw badRequest(`${exchange.path} does not upgrade to ${req.headers.upgrade}`);
    await route.upgrade({ ...exchange, socket, head });
  } catch (err) {
    if (ended.signal.aborted) return;
    report(err, req, log);
    refuseUpgrade(socket, err);
  }
}

function open(
  find: RouteFinder,
  req: IncomingMessage,
  signal: AbortSignal,
): Omit<Exchange, 'res'> & { route: Route } {
  const url = parseUrl(req.url ?? '/');
  const method = req.method === 'HEAD' ? 'GET' : (req.method ?? 'GET');
  const { route, params } = find(method, url.pathname);
  return { route, req, method, path: url.pathname, query: url.searchParams, params, signal };
}

function parseUrl(url: string): URL {
  const parsed = URL.parse(url, 'http://localhost');
  if (!parsed) throw badRequest(`"${url}" is not a path`);
  return parsed;
}

function report(err: unknown, req: IncomingMessage, log: Logger): void {
  if (err instanceof ApiError && err.code < 500) log.debug({ err, url: req.url }, 'refused a request');
  else log.error({ err, method: req.method, url: req.url }, 'failed to answer a request');
}

function refuseUpgrade(socket: Duplex, err: unknown): void {
  const status = statusOf(err);
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
