/**
 * The network of a sandbox. Loopback is up as soon as the namespace is made; the rest is the business of CNI plugins,
 * where they are configured. What was added is kept beside the sandbox, so that it can be deleted by any later agent,
 * also when the configuration has changed since.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../runtime.ts';
import {
  type Attachment,
  addNetwork,
  type CniResult,
  deleteNetwork,
  loadNetworkList,
  type NetworkList,
} from './cni.ts';
import type { Context } from './context.ts';
import { hasCode, parseJson, readIfPresent, writeAtomically } from './files.ts';
import { isAlive, type ProcessRef } from './processes.ts';
import type { SandboxRecord } from './store.ts';

export interface Network {
  attach(record: SandboxRecord, holder: ProcessRef, signal: AbortSignal | undefined): Promise<void>;
  detach(
    record: SandboxRecord,
    holder: ProcessRef | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void>;
  ips(record: SandboxRecord): Promise<string[]>;
}

interface Kept {
  list: NetworkList;
  /** Not there when the agent was killed while plugins worked. */
  result?: CniResult;
}

export function network(context: Context): Network {
  const path = (record: SandboxRecord): string =>
    join(context.store.sandboxes.directory(record.id), 'cni.json');

  async function read(record: SandboxRecord): Promise<Kept | undefined> {
    const text = await readIfPresent(path(record));
    return text === undefined ? undefined : parseJson<Kept>(text);
  }

  return {
    async attach(record, holder, signal) {
      const list = await loadNetworkList(context.cniConfDir);
      if (!list) {
        if (record.config.portMappings.some(({ hostPort }) => hostPort > 0))
          throw new RuntimeError(
            'FailedPrecondition',
            `host ports need a CNI network in ${context.cniConfDir}`,
          );
        return;
      }
      await writeAtomically(path(record), JSON.stringify({ list } satisfies Kept));
      const result = await withNamespace(holder, (netns) =>
        addNetwork(list, attachmentOf(record, netns), context.cniBinDirs, signal),
      );
      await writeAtomically(path(record), JSON.stringify({ list, result } satisfies Kept));
    },
    async detach(record, holder, signal) {
      const kept = await read(record);
      if (!kept) return;
      await withNamespace(holder, (netns) =>
        deleteNetwork(kept.list, attachmentOf(record, netns), kept.result, context.cniBinDirs, signal),
      );
      await rm(path(record), { force: true });
    },
    async ips(record) {
      const kept = await read(record);
      return (kept?.result?.ips ?? []).map(({ address }) => address.split('/')[0] ?? '').filter(Boolean);
    },
  };
}

/**
 * Held open while plugins work, so that they get this namespace or none: the pid of a holder that ends meanwhile may be
 * given to another process. An empty path when the holder has ended.
 */
async function withNamespace<T>(
  holder: ProcessRef | undefined,
  work: (netns: string) => Promise<T>,
): Promise<T> {
  const namespace = holder && (await openNamespace(holder));
  try {
    return await work(namespace ? `/proc/${process.pid}/fd/${namespace.fd}` : '');
  } finally {
    await namespace?.close();
  }
}

async function openNamespace(holder: ProcessRef): Promise<FileHandle | undefined> {
  let namespace: FileHandle;
  try {
    namespace = await open(`/proc/${holder.pid}/ns/net`);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  // Asked after opening: then it is the holder's.
  if (isAlive(holder)) return namespace;
  await namespace.close();
  return undefined;
}

function attachmentOf({ id, config }: SandboxRecord, netns: string): Attachment {
  const { namespace, name, uid } = config.metadata;
  const portMappings = config.portMappings
    .filter(({ hostPort }) => hostPort > 0)
    .map(({ hostPort, containerPort, protocol, hostIp }) => ({
      hostPort,
      containerPort,
      protocol: protocol.toLowerCase(),
      hostIP: hostIp,
    }));
  return {
    containerId: id,
    netns,
    args: Object.entries({
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: namespace,
      K8S_POD_NAME: name,
      K8S_POD_INFRA_CONTAINER_ID: id,
      K8S_POD_UID: uid,
    })
      .map(([key, value]) => `${key}=${value}`)
      .join(';'),
    runtimeConfig: { ...(portMappings.length > 0 && { portMappings }) },
  };
}
