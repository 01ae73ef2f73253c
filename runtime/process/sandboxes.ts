/**
 * Pod sandboxes: the namespaces that a pod's containers share, held by one small process (`roslet-oci sandbox`) in a
 * cgroup of its own below the pod's. The namespaces live as long as that process; nothing is mounted on the host.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  RuntimeError,
  type SandboxFilter,
} from '../runtime.ts';
import { type Context, mustFindSandbox, sandboxCgroup } from './context.ts';
import { readIfPresent } from './files.ts';
import { matchesLabels } from './filter.ts';
import type { Network } from './network.ts';
import { isAlive, type ProcessRef, parseProcess } from './processes.ts';
import { type Entry, writeEntries } from './record.ts';
import { renderResolvConf } from './resolv-conf.ts';
import { runDetached } from './run-program.ts';
import { newId, type SandboxRecord } from './store.ts';
import { checkSandbox } from './support.ts';

export interface Sandboxes {
  run(config: PodSandboxConfig, runtimeHandler: string, signal: AbortSignal | undefined): Promise<string>;
  stop(id: string, stopContainers: () => Promise<void>, signal: AbortSignal | undefined): Promise<void>;
  remove(id: string, signal: AbortSignal | undefined): Promise<void>;
  status(id: string): Promise<PodSandboxStatus>;
  list(filter: SandboxFilter | undefined): Promise<PodSandbox[]>;
  /** The process that holds the namespaces. @throws RuntimeError when the sandbox is not ready. */
  holder(record: SandboxRecord): Promise<ProcessRef>;
}

export function sandboxes(context: Context, network: Network): Sandboxes {
  const { store } = context;
  const file = (record: SandboxRecord, name: string): string =>
    join(store.sandboxes.directory(record.id), name);

  async function livingHolder(record: SandboxRecord): Promise<ProcessRef | undefined> {
    if (record.bootId !== context.bootId) return undefined;
    const holder = parseProcess(await readIfPresent(file(record, 'pause')));
    return holder && isAlive(holder) ? holder : undefined;
  }

  async function start(record: SandboxRecord, signal: AbortSignal | undefined): Promise<void> {
    const { config } = record;
    const cgroup = sandboxCgroup(record);
    context.cgroups.create(cgroup);
    if (config.dnsConfig) await writeFile(file(record, 'resolv.conf'), renderResolvConf(config.dnsConfig));
    if (config.hostname) await writeFile(file(record, 'hostname'), `${config.hostname}\n`);
    await writeEntries(file(record, 'spec'), sandboxEntries(record, store.sandboxes.directory(record.id)));
    const joins = context.cgroups.directories(cgroup).flatMap((directory) => ['--cgroup', directory]);
    const command = ['launch', ...joins, '--', context.ociPath, 'sandbox', file(record, 'spec')];
    const { exitCode, stderr } = await runDetached(context.ociPath, command);
    if (exitCode !== 0)
      throw new RuntimeError('Unknown', `cannot make the sandbox: ${stderr || `exit code ${exitCode}`}`);
    const holder = await livingHolder(record);
    if (!holder) throw new RuntimeError('Unknown', 'the sandbox ended as soon as it was made');
    if (config.securityContext.namespaceOptions.network === 'POD')
      await network.attach(record, holder, signal);
    await writeFile(file(record, 'ready'), '');
  }

  /** A sandbox whose making or stopping was cut short is not ready. */
  const readyHolder = async (record: SandboxRecord): Promise<ProcessRef | undefined> =>
    (await readIfPresent(file(record, 'ready'))) === undefined ? undefined : livingHolder(record);

  async function teardown(record: SandboxRecord, signal: AbortSignal | undefined): Promise<void> {
    // Only removes files: a pod must be stoppable when the disk is full.
    await rm(file(record, 'ready'), { force: true });
    await network.detach(record, await livingHolder(record), signal);
    await context.cgroups.remove(sandboxCgroup(record));
  }

  async function takeBack(record: SandboxRecord): Promise<void> {
    try {
      await teardown(record, undefined);
      await store.sandboxes.remove(record.id);
    } catch (err) {
      // It stays listed as not ready, and whoever removes it tries again.
      context.log.error(
        { err, podSandboxId: record.id },
        'a sandbox that could not be made is not cleaned up yet',
      );
    }
  }

  async function describe(record: SandboxRecord): Promise<PodSandbox> {
    const { id, config, createdAtMs, runtimeHandler } = record;
    return {
      id,
      metadata: config.metadata,
      state: (await readyHolder(record)) ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
      createdAtMs,
      labels: config.labels,
      annotations: config.annotations,
      runtimeHandler,
    };
  }

  return {
    async run(config, runtimeHandler, signal) {
      checkSandbox(config, runtimeHandler);
      const key = sandboxKey(config);
      const taken = (await store.sandboxes.list()).find((other) => sandboxKey(other.config) === key);
      if (taken)
        throw new RuntimeError('AlreadyExists', `sandbox ${taken.id} already has the name ${key}: remove it`);
      const record: SandboxRecord = {
        version: 1,
        id: newId(),
        bootId: context.bootId,
        createdAtMs: Date.now(),
        runtimeHandler,
        config,
      };
      await store.sandboxes.create(record);
      try {
        await start(record, signal);
      } catch (error) {
        await takeBack(record);
        throw error;
      }
      context.emit({ type: 'started', podSandboxId: record.id, containerId: '' });
      return record.id;
    },
    async stop(id, stopContainers, signal) {
      const record = await store.sandboxes.get(id);
      if (!record) return;
      await stopContainers();
      await teardown(record, signal);
      context.emit({ type: 'stopped', podSandboxId: id, containerId: '' });
    },
    async remove(id, signal) {
      const record = await store.sandboxes.get(id);
      if (!record) return;
      await teardown(record, signal);
      await store.sandboxes.remove(id);
      context.emit({ type: 'deleted', podSandboxId: id, containerId: '' });
    },
    async status(id) {
      const record = await mustFindSandbox(context, id);
      return {
        ...(await describe(record)),
        ips: await network.ips(record),
        namespaceOptions: record.config.securityContext.namespaceOptions,
      };
    },
    async list(filter) {
      const records = (await store.sandboxes.list()).filter(
        ({ id, config }) => (!filter?.id || id === filter.id) && matchesLabels(config.labels, filter?.labels),
      );
      const described = await Promise.all(records.map(describe));
      return described.filter(({ state }) => !filter?.state || state === filter.state);
    },
    async holder(record) {
      const holder = await readyHolder(record);
      if (!holder) throw new RuntimeError('FailedPrecondition', `sandbox ${record.id} is not running`);
      return holder;
    },
  };
}

function sandboxEntries({ config }: SandboxRecord, directory: string): Entry[] {
  const { network, ipc, pid } = config.securityContext.namespaceOptions;
  const isOwn = (own: boolean): string => (own ? 'new' : 'host');
  return [
    ['outcome', join(directory, 'pause')],
    ['root', join(directory, 'rootfs')],
    ['network', isOwn(network === 'POD')],
    ['ipc', isOwn(ipc === 'POD')],
    ['uts', isOwn(hasOwnHostname(config))],
    ['pid', isOwn(pid === 'POD')],
    ['hostname', config.hostname],
    ...Object.entries(config.sysctls).map(
      ([name, value]): Entry => ['sysctl', `${name.replaceAll('.', '/')}=${value}`],
    ),
  ];
}

export const hasOwnHostname = (config: PodSandboxConfig): boolean =>
  config.securityContext.namespaceOptions.network === 'POD' && config.hostname !== '';

const sandboxKey = ({ metadata }: PodSandboxConfig): string =>
  `${metadata.namespace}/${metadata.name}/${metadata.uid}/${metadata.attempt}`;
