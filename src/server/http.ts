/** The little HTTP that the servers share: a route table, query parameters read strictly, JSON and Status answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, badRequest } from './errors.ts';

export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Named groups of the route's pattern, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Aborts when the client goes away or the server closes. */
  readonly signal: AbortSignal;
}

export interface Route {
  methods: readonly string[];
  /** `/pods/{name}`: a placeholder stands for one part of the path, `/{rest*}` for all that is left. */
  path: string;
  handle(exchange: Exchange): Promise<void> | void;
  /** Answers a request to switch protocols; routes without it refuse. */
  upgrade?(exchange: UpgradeExchange): Promise<void>;
}

/** A request that asks for another protocol; there is only the bare connection to answer on. */
export interface UpgradeExchange extends Omit<Exchange, 'res'> {
  readonly socket: Duplex;
  readonly head: Buffer;
}

export type RouteFinder = (method: string, path: string) => { route: Route; params: Record<string, string> };

/** The finder throws ApiError NotFound or MethodNotAllowed. The first route that fits is taken. */
export function routeFinder(routes: readonly Route[]): RouteFinder {
  const hint = routes.some(({ path }) => path === '/') ? ': GET / lists what there is' : '';
  const compiled = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  return (method, path) => {
    const allowed = new Set<string>();
    for (const { route, pattern } of compiled) {
      const match = pattern.exec(path);
      if (!match) continue;
      if (route.methods.includes(method)) return { route, params: decodeParams(match.groups ?? {}) };
      for (const each of route.methods) allowed.add(each);
    }
    if (allowed.size > 0) {
      const list = [...allowed].join(', ');
      throw new ApiError('MethodNotAllowed', `${method} is not possible on ${path}: use ${list}`);
    }
    throw new ApiError('NotFound', `the server could not find ${path}${hint}`);
  };
}

/** A trailing slash is always accepted. */
function patternOf(path: string): RegExp {
  const source = path
    .replace(/[.]/g, '\\.')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')
    .replace(/\/\{(\w+)\*\}/g, '(?:/(?<$1>.*?))?');
  return new RegExp(`^${source}/?$`);
}

export function sendJson(res: ServerResponse, code: number, body: unknown): void {
  const text = Buffer.from(`${JSON.stringify(body)}\n`);
  res.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': text.length });
  res.end(text);
}

export function sendText(
  res: ServerResponse,
  code: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  res.writeHead(code, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(body);
}

/** The answer to a plain request where only a switch of protocols makes sense. */
export function needsUpgrade({ path }: Exchange): never {
  throw badRequest(`${path} is a stream: connect by WebSocket or SPDY/3.1, as kubectl does`);
}

/** Undefined when the parameter is not there. Kubernetes takes `true`, `1`, `t` and the like. */
export function boolParam(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null) return false;
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw badRequest(`parameter ${name}: "${value}" is not a boolean: use true or false`);
}

/** A whole number that is at least `min`; undefined when the parameter is not there. */
export function intParam(query: URLSearchParams, name: string, min = 0): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  const number = Number(value);
  if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw badRequest(`parameter ${name}: "${value}" is not a whole number`);
  }
  if (number < min) throw badRequest(`parameter ${name}: ${value} must be at least ${min}`);
  return number;
}

/** @throws ApiError RequestEntityTooLarge */
export async function readBody(req: IncomingMessage, limitBytes = 3 * 1024 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req) {
    length += (chunk as Buffer).length;
    if (length > limitBytes) {
      throw new ApiError('RequestEntityTooLarge', `the body is larger than the limit of ${limitBytes} bytes`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function decodeParams(groups: Record<string, string | undefined>): Record<string, string> {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value ?? '')]),
    );
  } catch (cause) {
    throw new ApiError('BadRequest', 'the path holds a broken %-escape', undefined, { cause });
  }
}
