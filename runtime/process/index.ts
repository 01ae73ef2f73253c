/**
 * The embedded runtime: pods of host processes, with no daemon and no images. Each container is a process under conmon,
 * which writes its log and its exit code and outlives the agent; roslet-oci (native/) puts it into namespaces and
 * cgroups. docs/process-runtime.md tells what a host process sees and what is refused.
 */
import { access, constants, realpath } from 'node:fs/promises';
import { release } from 'node:os';
import type { Logger } from '../../src/log.ts';
import { type Runtime, type RuntimeCondition, RuntimeError } from '../runtime.ts';
import { attach } from './attach.ts';
import { cgroups } from './cgroups.ts';
import { type Containers, containers } from './containers.ts';
import { type Context, mustFindContainer } from './context.ts';
import { asRuntimeError } from './errors.ts';
import { eventHub } from './events.ts';
import { exec, execSync } from './exec.ts';
import { exitsRoot } from './exits-dir.ts';
import { network } from './network.ts';
import { portForward } from './port-forward.ts';
import { currentBootId } from './processes.ts';
import { type Sandboxes, sandboxes } from './sandboxes.ts';
import { stateReader } from './state.ts';
import { readStats } from './stats.ts';
import { openStore } from './store.ts';
import { supervisorWatch } from './supervisor-watch.ts';
import { watchDirectory } from './watch.ts';

export interface ProcessRuntimeOptions {
  stateDir: string;
  /** The compiled roslet-oci. */
  ociPath: string;
  /** Looked for where distributions put it when not given. */
  conmonPath?: string;
  log: Logger;
  cniConfDir?: string;
  cniBinDirs?: string[];
  /** What containers that are not privileged see as empty: where the agent keeps what is not theirs. */
  hiddenPaths?: string[];
}

interface Parts {
  context: Context;
  containers: Containers;
  sandboxes: Sandboxes;
}

const conmonPlaces = [
  '/usr/bin/conmon',
  '/usr/local/bin/conmon',
  '/usr/libexec/podman/conmon',
  '/usr/libexec/crio/conmon',
];

export function processRuntime(options: ProcessRuntimeOptions): Runtime {
  const hub = eventHub();
  let opened: Promise<Parts> | undefined;
  /** They stay; the mount table, which tells of them, is long where containers run. */
  let hasCgroups = false;
  const needCgroups = (): void => {
    if (!hasCgroups) cgroups();
    hasCgroups = true;
  };
  /** Opened at the first call, and tried again while it fails: the disk may be full just now. */
  const parts = (): Promise<Parts> => {
    opened ??= open(options, hub.emit).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };

  const use = async <T>(work: (all: Parts) => T | Promise<T>): Promise<T> => {
    try {
      return await work(await parts());
    } catch (error) {
      throw asRuntimeError(error);
    }
  };

  return {
    name: 'process',
    images: null,
    version: async () => ({ runtimeName: 'process', runtimeVersion: release(), runtimeApiVersion: 'v1' }),
    async status() {
      return {
        conditions: [
          await readiness(options, needCgroups),
          { type: 'NetworkReady', status: true, reason: '', message: '' },
        ],
        runtimeHandlers: [{ name: '', recursiveReadOnlyMounts: true, userNamespaces: false }],
        supplementalGroupsPolicy: true,
      };
    },
    runPodSandbox: (config, handler, signal) =>
      use(({ sandboxes }) => sandboxes.run(config, handler, signal)),
    stopPodSandbox: (id, signal) =>
      use(({ sandboxes, containers }) =>
        sandboxes.stop(
          id,
          () => forEach(containers, id, (container) => containers.stop(container, 0, signal)),
          signal,
        ),
      ),
    removePodSandbox: (id, signal) =>
      use(async ({ sandboxes, containers }) => {
        await forEach(containers, id, (container) => containers.remove(container, signal));
        await sandboxes.remove(id, signal);
      }),
    podSandboxStatus: (id) => use(({ sandboxes }) => sandboxes.status(id)),
    listPodSandbox: (filter) => use(({ sandboxes }) => sandboxes.list(filter)),
    createContainer: (id, config) => use(({ containers }) => containers.create(id, config)),
    startContainer: (id, signal) => use(({ containers }) => containers.start(id, signal)),
    stopContainer: (id, timeout, signal) => use(({ containers }) => containers.stop(id, timeout, signal)),
    removeContainer: (id, signal) => use(({ containers }) => containers.remove(id, signal)),
    listContainers: (filter) => use(({ containers }) => containers.list(filter)),
    containerStatus: (id) => use(({ containers }) => containers.status(id)),
    updateContainerResources: (id, resources) =>
      use(({ containers }) => containers.updateResources(id, resources)),
    checkpointContainer: async () => {
      throw new RuntimeError('Unimplemented', 'host processes cannot be checkpointed');
    },
    reopenContainerLog: (id) => use(({ containers }) => containers.reopenLog(id)),
    execSync: (id, command, timeoutMs, signal) =>
      use(({ context, containers }) => execSync(context, containers, id, command, timeoutMs, signal)),
    exec: (id, execOptions, signal) =>
      use(({ context, containers }) => exec(context, containers, id, execOptions, signal)),
    attach: (id, attachOptions, signal) =>
      use(({ context, containers }) => attach(context, containers, id, attachOptions, signal)),
    portForward: (id, port, signal) =>
      use(({ context, sandboxes }) => portForward(context, sandboxes, id, port, signal)),
    containerStats: (id) =>
      use(async ({ context }) => readStats(context.cgroups, await mustFindContainer(context, id))),
    listContainerStats: (filter) =>
      use(async ({ context, containers }) => {
        const listed = await containers.list(filter);
        const records = await Promise.all(listed.map(({ id }) => context.store.containers.get(id)));
        return records.flatMap((record) => (record ? [readStats(context.cgroups, record)] : []));
      }),
    events: (signal) => hub.listen(signal),
  };
}

async function forEach(
  containers: Containers,
  podSandboxId: string,
  work: (id: string) => Promise<void>,
): Promise<void> {
  const listed = await containers.list({ podSandboxId });
  await Promise.all(listed.map(({ id }) => work(id)));
}

async function open(options: ProcessRuntimeOptions, emit: Context['emit']): Promise<Parts> {
  const { stateDir, ociPath, log } = options;
  const store = await openStore(stateDir, log);
  const emitFor = (type: 'started' | 'stopped') => (id: string) => {
    store.containers.get(id).then(
      (record) => record && emit({ type, podSandboxId: record.podSandboxId, containerId: id }),
      (err: unknown) => log.error({ err, id }, 'cannot read the record of a container that changed'),
    );
  };
  const context: Context = {
    store,
    cgroups: cgroups(),
    starts: watchDirectory(store.startsDir, log),
    exits: watchDirectory(store.exitsDir, log),
    supervisors: supervisorWatch(store.containers.directory, emitFor('stopped'), log),
    bootId: currentBootId(),
    ociPath,
    conmonPath: (await findConmon(options)) ?? conmonPlaces[0] ?? '',
    cniConfDir: options.cniConfDir ?? '/etc/cni/net.d',
    cniBinDirs: options.cniBinDirs ?? ['/opt/cni/bin', '/usr/lib/cni'],
    hiddenPaths: await Promise.all([...(options.hiddenPaths ?? []), exitsRoot].map((path) => realpath(path))),
    execs: new Set(),
    log,
    emit,
  };
  // Of containers that were removed while conmon still wrote.
  const known = new Set((await store.containers.list()).map(({ id }) => id));
  await store.removeOutcomes((id) => !known.has(id));
  context.starts.onChange(emitFor('started'));
  context.exits.onChange(emitFor('stopped'));
  const pods = sandboxes(context, network(context));
  return { context, sandboxes: pods, containers: containers(context, stateReader(context), pods) };
}

async function readiness(options: ProcessRuntimeOptions, needCgroups: () => void): Promise<RuntimeCondition> {
  const condition = (status: boolean, reason: string, message: string): RuntimeCondition => ({
    type: 'RuntimeReady',
    status,
    reason,
    message,
  });
  if (!(await findConmon(options)))
    return condition(false, 'ConmonNotFound', 'conmon is not installed: install the package conmon');
  if (!(await isExecutable(options.ociPath)))
    return condition(
      false,
      'OciRuntimeNotFound',
      `${options.ociPath} cannot be run: build it with make build`,
    );
  try {
    needCgroups();
  } catch (error) {
    if (error instanceof RuntimeError) return condition(false, 'NoCgroups', error.message);
    throw error;
  }
  return condition(true, '', '');
}

async function findConmon({ conmonPath }: ProcessRuntimeOptions): Promise<string | undefined> {
  for (const path of conmonPath ? [conmonPath] : conmonPlaces) if (await isExecutable(path)) return path;
  return undefined;
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
