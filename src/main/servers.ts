/** What the agent listens on: the local socket and health port, and the kubelet API where it is configured. */
import type { ObjectStore } from '../apiserver/object-store.ts';
import type { Cluster } from '../cluster/index.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { KubeletApi } from '../server/kubelet-routes.ts';
import { startServer } from '../server/server.ts';

const certificateReloadMs = 60_000;

/** They listen when it resolves; requests wait for `isUp`. @throws ListenError */
export async function startServers(
  config: AgentConfig,
  o: {
    api: KubeletApi;
    objects: ObjectStore;
    socketPath: string;
    cluster: Cluster | undefined;
    isUp: Promise<void>;
  },
  signal: AbortSignal,
): Promise<{ close(): Promise<void> }> {
  const { api, objects, socketPath, cluster, isUp } = o;
  const local = await startServer(
    {
      ...api,
      objects,
      socketPath,
      socketGroup: config.socketGroup,
      healthz: { address: config.healthzBindAddress, port: config.healthzPort },
      isUp,
    },
    signal,
  );
  const servers = [local];
  const { kubeletServer, certDir, nodeName } = config;
  if (kubeletServer !== undefined) {
    const { startKubeletServer } = await import('../server/kubelet-server.ts');
    const options = {
      config: kubeletServer,
      api,
      certDir,
      hostName: nodeName,
      reloadMs: certificateReloadMs,
      isUp,
    };
    const parts = cluster?.forServer(kubeletServer, signal);
    servers.push(await startKubeletServer({ ...options, ...parts }, signal));
  }
  return {
    close: async () => {
      for (const server of servers) await server.close();
    },
  };
}
