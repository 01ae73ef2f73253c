/**
 * Answers `?watch=true`: one JSON object a line, from the resourceVersion that the client has seen, with the
 * translation that selectors need (an object that stops to match is DELETED for this client) and bookmarks.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, badRequest, statusOf } from '../server/errors.ts';
import { boolParam, type Exchange, intParam } from '../server/http.ts';
import type { ObjectStore } from './object-store.ts';
import type { ResourceName, ResourceTypes } from './resources.ts';
import { resources } from './resources.ts';
import type { Selector } from './selectors.ts';
import type { CacheChange } from './watch-cache.ts';

export interface WatchRequest<R extends ResourceName> {
  resource: R;
  selects: Selector;
  /** The object as this client wants to see it, a Table for kubectl. */
  present(object: ResourceTypes[R]): object;
  contentType: string;
}

const bookmarkIntervalMs = 60_000;
/** A client that reads no more than this behind is cut off: it lists anew when it comes back. */
const maxBacklogBytes = 16 * 1024 * 1024;

/** @throws ApiError Expired, BadRequest */
export async function streamWatch<R extends ResourceName>(
  exchange: Exchange,
  cache: ObjectStore['cache'],
  request: WatchRequest<R>,
): Promise<void> {
  const { res, query, signal } = exchange;
  const bookmarks = boolParam(query, 'allowWatchBookmarks');
  const sendInitialEvents = boolParam(query, 'sendInitialEvents');
  const version = query.get('resourceVersion') ?? '';
  if (version !== '' && !/^\d+$/.test(version)) {
    throw badRequest(`parameter resourceVersion: "${version}" is not one that this server gave`);
  }
  const timeoutMs = (intParam(query, 'timeoutSeconds') ?? 0) * 1000;
  const fromScratch = version === '' || version === '0' || sendInitialEvents;
  const start = fromScratch ? cache.revision() : Number(version);

  const pending: string[] = [];
  const stop = new AbortController();
  const ends = AbortSignal.any([signal, stop.signal]);
  const send = (type: string, object: object): void => {
    const line = `${JSON.stringify({ type, object })}\n`;
    if (!res.headersSent) pending.push(line);
    else write(res, line, stop);
  };
  const onChange = (change: CacheChange<R>): void => {
    const type = typeFor(change, request.selects);
    if (type) send(type, request.present(change.object));
  };
  if (fromScratch) {
    for (const object of cache.list(request.resource)) {
      if (request.selects(object)) send('ADDED', request.present(object));
    }
    if (sendInitialEvents && bookmarks) {
      send('BOOKMARK', bookmark(request.resource, start, { 'k8s.io/initial-events-end': 'true' }));
    }
  }
  const unwatch = cache.watch(request.resource, start, onChange);
  try {
    res.writeHead(200, { 'Content-Type': request.contentType, 'Transfer-Encoding': 'chunked' });
    res.flushHeaders();
    for (const line of pending) write(res, line, stop);
    await untilEnd(ends, timeoutMs, () => {
      if (bookmarks) send('BOOKMARK', bookmark(request.resource, cache.revision()));
    });
  } finally {
    unwatch();
  }
  res.end();
}

/** What a change means to a client that only sees what the selector matches. */
export function typeFor<R extends ResourceName>(
  { type, object, previous }: CacheChange<R>,
  selects: Selector,
): 'ADDED' | 'MODIFIED' | 'DELETED' | undefined {
  const was = previous !== undefined && selects(previous);
  const is = type !== 'DELETED' && selects(object);
  if (is) return was ? 'MODIFIED' : 'ADDED';
  return was ? 'DELETED' : undefined;
}

function write(res: ServerResponse, line: string, stop: AbortController): void {
  res.write(line);
  if (res.writableLength <= maxBacklogBytes) return;
  const slow = new ApiError('Expired', 'the client reads too slowly: list and watch again');
  res.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(slow) })}\n`);
  stop.abort();
}

function bookmark(resource: ResourceName, revision: number, annotations?: Record<string, string>): object {
  return {
    kind: resources[resource].kind,
    apiVersion: 'v1',
    metadata: {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    },
  };
}

/** Until the signal aborts or the time (0: none) is over; `beat` is called now and then. */
async function untilEnd(signal: AbortSignal, timeoutMs: number, beat: () => void): Promise<void> {
  const endMs = timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
  while (!signal.aborted) {
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) return;
    try {
      await sleep(Math.min(bookmarkIntervalMs, leftMs), undefined, { signal });
    } catch {
      // The sleep only fails by the abort that ends the loop.
      return;
    }
    beat();
  }
}
