/** A container's log over HTTP: the kubelet's `/containerLogs` and the API's `pods/log`, with the same parameters. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { basename, dirname, join } from 'node:path';
import type { Pod } from '../api/core.gen.ts';
import { limited, readLog } from '../logs/read.ts';
import { podName, podUid } from '../pods/identity.ts';
import type { AgentView } from './agent-view.ts';
import { instanceEnd, podChanged } from './container-end.ts';
import { badRequest } from './errors.ts';
import { boolParam, type Exchange, intParam } from './http.ts';
import { checkContainer, containerStatusOf } from './pod-lookup.ts';

export interface LogQuery {
  follow: boolean;
  /** Ours: go on with the container's next instance. The kubelet's log ends with the one it began with. */
  followRestarts: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  sinceMs?: number;
  limitBytes?: number;
}

/** @throws ApiError BadRequest */
function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const sinceSeconds = intParam(query, 'sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  if (sinceSeconds !== undefined && sinceTime)
    throw badRequest('give one of sinceTime and sinceSeconds, not both');
  const sinceMs = sinceTime ? Date.parse(sinceTime) : sinceSeconds && nowMs - sinceSeconds * 1000;
  if (Number.isNaN(sinceMs)) {
    throw badRequest(`parameter sinceTime: "${sinceTime}" is not a time: write 2026-01-31T12:00:00Z`);
  }
  const followRestarts = boolParam(query, 'followRestarts');
  return {
    follow: boolParam(query, 'follow') || followRestarts,
    followRestarts,
    previous: boolParam(query, 'previous'),
    timestamps: boolParam(query, 'timestamps'),
    tailLines: intParam(query, 'tailLines'),
    sinceMs,
    limitBytes: intParam(query, 'limitBytes', 1),
  };
}

/** @throws ApiError when there is no such container or log */
export async function sendContainerLog(
  { res, query, signal }: Exchange,
  agent: AgentView,
  pod: Pod,
  container: string,
): Promise<void> {
  checkContainer(pod, container);
  const o = parseLogQuery(query, Date.now());
  const path = await agent.containerLogPath(podUid(pod), container, o.previous);
  if (path === undefined && !o.followRestarts) throw noLog(pod, container, o.previous);
  const chunks = o.followRestarts
    ? readInstances(agent, podUid(pod), container, o, signal)
    : readInstance(agent, podUid(pod), container, path ?? '', o, signal);
  await sendChunks(res, o.limitBytes === undefined ? chunks : limited(chunks, o.limitBytes), signal);
}

/** One instance, followed to its end when that was asked for. */
async function* readInstance(
  agent: AgentView,
  uid: string,
  container: string,
  path: string,
  o: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (!o.follow) {
    yield* readLog(path, o, signal);
    return;
  }
  const ended = new AbortController();
  const done = new AbortController();
  const whileRead = AbortSignal.any([signal, done.signal]);
  const watching = instanceEnd(agent, uid, container, o.previous, whileRead).then(() => ended.abort());
  try {
    yield* readLog(path, { ...o, followUntil: ended.signal }, signal);
  } finally {
    done.abort();
    await watching;
  }
}

/** One instance after the other, until the pod is gone or has ended. */
async function* readInstances(
  agent: AgentView,
  uid: string,
  container: string,
  o: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let read: string | undefined;
  while (!signal.aborted) {
    const changed = podChanged(agent, uid, signal);
    const newest = await agent.containerLogPath(uid, container, false);
    if (newest !== undefined && newest !== read) {
      changed.cancel();
      // The container may have ended and started several times since.
      for (const missed of await instancesBetween(read, newest))
        yield* readLog(missed, { timestamps: o.timestamps }, signal);
      const first = read === undefined ? o : { ...o, tailLines: undefined, sinceMs: undefined };
      yield* readInstance(agent, uid, container, newest, { ...first, previous: false }, signal);
      read = newest;
    } else if (hasEnded(agent.pods().find((pod) => podUid(pod) === uid))) {
      changed.cancel();
      return;
    } else await changed.promise;
  }
}

const hasEnded = (pod: Pod | undefined): boolean =>
  pod === undefined || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Log files are named by the restart count: `<n>.log`. */
async function instancesBetween(read: string | undefined, newest: string): Promise<string[]> {
  if (read === undefined) return [];
  const numberOf = (path: string): number => Number(/^(\d+)\.log$/.exec(basename(path))?.[1]);
  const directory = dirname(newest);
  return (await readdir(directory))
    .filter((name) => numberOf(name) > numberOf(read) && numberOf(name) < numberOf(newest))
    .sort((a, b) => numberOf(a) - numberOf(b))
    .map((name) => join(directory, name));
}

async function sendChunks(
  res: ServerResponse,
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' });
  res.flushHeaders();
  for await (const chunk of chunks) {
    if (chunk.length > 0 && !res.write(chunk)) await once(res, 'drain', { signal });
  }
  res.end();
}

function noLog(pod: Pod, container: string, previous: boolean): Error {
  const name = podName(pod);
  if (previous) return badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  const reason =
    containerStatusOf(pod, container)?.state?.waiting?.reason ?? pod.status?.reason ?? 'ContainerCreating';
  return badRequest(
    `container "${container}" in pod "${name}" is waiting to start: ${imageTroubles[reason] ?? reason}`,
  );
}

/** The kubelet's words. */
const imageTroubles: Record<string, string> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};
