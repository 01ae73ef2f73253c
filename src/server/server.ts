/**
 * The agent's servers: everything on a unix socket that root and the group `roslet` may use, and health alone on a
 * loopback port as the kubelet's healthz. Who may open the socket may do all.
 */
import type { ObjectStore } from '../apiserver/object-store.ts';
import { apiRoutes, type LocalApi } from '../apiserver/routes.ts';
import type { AgentView } from './agent-view.ts';
import { healthRoutes } from './health.ts';
import { type Route, sendJson } from './http.ts';
import { debuggingRoutes, observingRoutes } from './kubelet-routes.ts';
import { lifecycleRoutes } from './lifecycle-routes.ts';
import { serveRoutes } from './listener.ts';
import { closeServer, listen, listenOnSocket } from './socket.ts';

export interface ServerOptions extends LocalApi {
  /** In the agent's root directory, as paths.ts puts it. */
  socketPath: string;
  /** Gets the socket when there is such a group on this machine. */
  socketGroup: string;
  /** Port 0 turns it off, as in KubeletConfiguration. */
  healthz: { address: string; port: number };
  /** What the agent has to tell is known. */
  isUp: Promise<void>;
}

export interface RunningServer {
  close(): Promise<void>;
}

/** @throws ListenError when the socket or the port cannot be had */
export async function startServer(options: ServerOptions, signal: AbortSignal): Promise<RunningServer> {
  const { agent, healthz, isUp, log } = options;
  const closing = new AbortController();
  const answer = { closing: closing.signal, isUp, log };
  const routes = localRoutes(options);
  const local = serveRoutes({ ...answer, routes });
  const health = serveRoutes({ ...answer, routes: healthRoutes(options) });
  let unobserve: (() => void) | undefined;
  void isUp.then(() => {
    if (!closing.signal.aborted) unobserve = observe(agent, options.objects);
  });
  const close = async (): Promise<void> => {
    closing.abort();
    unobserve?.();
    await Promise.all([closeServer(local), closeServer(health)]);
  };
  try {
    await listenOnSocket(local, options.socketPath, options.socketGroup, log);
    if (healthz.port !== 0) await listen(health, { host: healthz.address, port: healthz.port });
  } catch (err) {
    await close();
    throw err;
  }
  signal.addEventListener('abort', () => void close(), { once: true });
  if (signal.aborted) await close();
  return { close };
}

/** All that the socket answers. */
function localRoutes(api: LocalApi): Route[] {
  const { agent } = api;
  const routes: Route[] = [
    ...observingRoutes(api),
    ...debuggingRoutes(api, { systemLogs: true, profiling: true }),
    {
      methods: ['GET'],
      path: '/refusedManifests',
      handle: ({ res }) => sendJson(res, 200, { items: agent.refusedManifests() }),
    },
    ...lifecycleRoutes(api.agent),
    ...apiRoutes(api),
  ];
  const paths = routes.map(({ path }) => path);
  return [{ methods: ['GET'], path: '/', handle: ({ res }) => sendJson(res, 200, { paths }) }, ...routes];
}

/** Feeds what the agent sees to the API's view of the world. */
function observe(agent: AgentView, objects: ObjectStore): () => void {
  for (const pod of agent.pods()) objects.observePod({ type: 'changed', pod });
  for (const event of agent.events.list()) objects.observeEvent(event);
  objects.observeNode(agent.node());
  const ends = [
    agent.onPodChange((change) => objects.observePod(change)),
    agent.events.watch((event) => objects.observeEvent(event)),
    agent.onNodeChange(() => objects.observeNode(agent.node())),
  ];
  return () => {
    for (const end of ends) end();
  };
}
