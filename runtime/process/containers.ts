/**
 * Containers: one host process (and its children) each, supervised by conmon. Creating writes a record and makes the
 * cgroup, so that its files can still be set; starting runs conmon, which runs `roslet-oci create`.
 */
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { longestTimerMs } from '../../src/timers.ts';
import {
  type Container,
  type ContainerConfig,
  type ContainerFilter,
  type ContainerStatus,
  type LinuxContainerResources,
  RuntimeError,
} from '../runtime.ts';
import { conmonCommand, reopenLog } from './conmon.ts';
import { containerEntries, signalNumber } from './container-entries.ts';
import { describe, statusOf } from './container-status.ts';
import { type Context, mustFindContainer, mustFindSandbox, sandboxCgroup } from './context.ts';
import { matchesLabels } from './filter.ts';
import { identityOf } from './identity.ts';
import { type ProcessRef, sendSignal } from './processes.ts';
import { writeEntries } from './record.ts';
import { runDetached } from './run-program.ts';
import { hasOwnHostname, type Sandboxes } from './sandboxes.ts';
import { type ContainerState, launchLock, type StateReader } from './state.ts';
import { type ContainerRecord, newId, type SandboxRecord } from './store.ts';
import { supervisorFifo } from './supervisor-watch.ts';
import { checkContainer } from './support.ts';

export interface Containers {
  create(podSandboxId: string, config: ContainerConfig): Promise<string>;
  start(id: string, signal: AbortSignal | undefined): Promise<void>;
  stop(id: string, timeoutSeconds: number, signal: AbortSignal | undefined): Promise<void>;
  remove(id: string, signal: AbortSignal | undefined): Promise<void>;
  list(filter: ContainerFilter | undefined): Promise<Container[]>;
  status(id: string): Promise<ContainerStatus>;
  updateResources(id: string, resources: LinuxContainerResources): Promise<void>;
  reopenLog(id: string): Promise<void>;
  /** @throws RuntimeError when it does not run, or runs without conmon. */
  running(id: string): Promise<{ record: ContainerRecord; process: ProcessRef }>;
  /** @throws RuntimeError when it has no process. */
  living(id: string): Promise<{ record: ContainerRecord; process: ProcessRef }>;
}

const launchedByAnother = 3;
/** conmon writes the exit code in milliseconds after the last process of the container has ended. */
const conmonPatienceMs = 10_000;

export function containers(context: Context, states: StateReader, pods: Sandboxes): Containers {
  const { store, cgroups } = context;
  const directory = (id: string): string => store.containers.directory(id);

  async function inState(id: string, meant: readonly ContainerState['name'][]) {
    const record = await mustFindContainer(context, id);
    const state = await states.read(record);
    if (!meant.includes(state.name) || !('process' in state))
      throw new RuntimeError('FailedPrecondition', `container ${id} is not running (${state.name})`);
    return { record, process: state.process };
  }

  const running: Containers['running'] = (id) => inState(id, ['CONTAINER_RUNNING']);

  async function prepare(record: ContainerRecord, sandbox: SandboxRecord): Promise<void> {
    const { targetId, pid } = record.config.securityContext.namespaceOptions;
    const target = pid === 'TARGET' ? (await running(targetId ?? '')).process : undefined;
    const sandboxFile = (name: string): string => join(store.sandboxes.directory(sandbox.id), name);
    const ownHostname = hasOwnHostname(sandbox.config);
    const entries = containerEntries(record.config, {
      directory: directory(record.id),
      outcomePath: join(store.startsDir, record.id),
      cgroupDirectories: cgroups.directories(record.cgroup),
      holder: await pods.holder(sandbox),
      ...(target && { target }),
      ownHostname,
      hostname: ownHostname ? sandbox.config.hostname : hostname(),
      files: {
        ...(sandbox.config.dnsConfig && { resolvConf: sandboxFile('resolv.conf') }),
        ...(ownHostname && { hostname: sandboxFile('hostname') }),
      },
      user: record.user,
      hiddenPaths: context.hiddenPaths,
    });
    await writeEntries(join(directory(record.id), 'spec'), entries);
    cgroups.create(record.cgroup);
    await mkdir(dirname(record.logPath), { recursive: true });
  }

  async function launch(record: ContainerRecord, sandbox: SandboxRecord): Promise<void> {
    const joins = cgroups.directories(sandboxCgroup(sandbox)).flatMap((path) => ['--cgroup', path]);
    const conmon = conmonCommand(context, record);
    const marks = [
      '--lock',
      launchLock(context, record.id),
      '--alive',
      supervisorFifo(context.store, record.id),
    ];
    const command = ['launch', ...joins, ...marks, '--', ...conmon];
    const { exitCode, stderr } = await runDetached(context.ociPath, command);
    if (exitCode !== 0 && exitCode !== launchedByAnother)
      throw new RuntimeError('Unknown', `cannot start conmon: ${stderr || `exit code ${exitCode}`}`);
  }

  const started = (record: ContainerRecord, signal: AbortSignal | undefined): Promise<ContainerState> =>
    context.starts.until(
      record.id,
      async () => {
        const state = await states.read(record);
        return state.name === 'CONTAINER_CREATED' ? undefined : state;
      },
      signal,
    );

  async function exited(record: ContainerRecord, signal: AbortSignal | undefined): Promise<void> {
    await context.exits.until(
      record.id,
      async () => ((await states.read(record)).name === 'CONTAINER_EXITED' ? true : undefined),
      signal,
    );
  }

  async function stop(
    record: ContainerRecord,
    timeoutSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const state = await states.read(record);
    if (state.name === 'CONTAINER_EXITED') return;
    if ('process' in state && timeoutSeconds > 0) {
      sendSignal(state.process, signalNumber(record.config.stopSignal));
      const grace = AbortSignal.timeout(Math.min(timeoutSeconds * 1000, longestTimerMs));
      try {
        await exited(record, signal ? AbortSignal.any([signal, grace]) : grace);
        return;
      } catch (error) {
        if (!grace.aborted || signal?.aborted) throw error;
      }
    }
    await cgroups.kill(record.cgroup);
    // A created container has no process, and stays created.
    if ((await states.read(record)).name !== 'CONTAINER_CREATED')
      await despiteConmon(record, (patience) => exited(record, patience), signal);
  }

  /** Waits for what conmon is to do now. One that is stopped or stuck is killed: it must not keep a pod for ever. */
  async function despiteConmon(
    record: ContainerRecord,
    wait: (patience: AbortSignal) => Promise<unknown>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const inTime = async (): Promise<boolean> => {
      const patience = AbortSignal.timeout(conmonPatienceMs);
      try {
        await wait(signal ? AbortSignal.any([signal, patience]) : patience);
        return true;
      } catch (error) {
        if (signal?.aborted || !(error instanceof RuntimeError && error.code === 'Cancelled')) throw error;
        return false;
      }
    };
    if (await inTime()) return;
    context.log.warn({ containerId: record.id }, 'conmon does not do its work and is killed');
    await states.killSupervisor(record);
    if (!(await inTime()))
      throw new RuntimeError(
        'DeadlineExceeded',
        `conmon of container ${record.id} was killed but does not end`,
      );
  }

  return {
    running,
    living: (id) => inState(id, ['CONTAINER_RUNNING', 'CONTAINER_UNKNOWN']),
    async create(podSandboxId, config) {
      checkContainer(config);
      const sandbox = await mustFindSandbox(context, podSandboxId);
      await pods.holder(sandbox);
      const { name, attempt } = config.metadata;
      const taken = (await store.containers.list()).find(
        (other) =>
          other.podSandboxId === podSandboxId &&
          other.config.metadata.name === name &&
          other.config.metadata.attempt === attempt,
      );
      if (taken)
        throw new RuntimeError(
          'AlreadyExists',
          `container ${taken.id} already is attempt ${attempt} of ${name}`,
        );
      const id = newId();
      const record: ContainerRecord = {
        version: 1,
        id,
        bootId: context.bootId,
        createdAtMs: Date.now(),
        podSandboxId,
        config,
        user: await identityOf(config.securityContext),
        cgroup: `${sandbox.config.cgroupParent}/${id}`,
        logPath: config.logPath === '' ? '' : join(sandbox.config.logDirectory, config.logPath),
      };
      await store.containers.create(record);
      try {
        cgroups.create(record.cgroup);
        cgroups.apply(record.cgroup, config.resources);
      } catch (error) {
        await discard(record, undefined);
        throw error;
      }
      context.emit({ type: 'created', podSandboxId, containerId: id });
      return id;
    },
    async start(id, signal) {
      const record = await mustFindContainer(context, id);
      const before = await states.read(record);
      if (before.name !== 'CONTAINER_CREATED')
        throw new RuntimeError('FailedPrecondition', `container ${id} was started before (${before.name})`);
      const sandbox = await mustFindSandbox(context, record.podSandboxId);
      await prepare(record, sandbox);
      await launch(record, sandbox);
      const state = await started(record, signal);
      if (state.name === 'CONTAINER_EXITED' && state.final.startedAtMs === 0)
        throw new RuntimeError(
          'Unknown',
          `cannot start container ${record.config.metadata.name}: ${state.final.message}`,
        );
    },
    async stop(id, timeoutSeconds, signal) {
      const record = await store.containers.get(id);
      if (record) await stop(record, timeoutSeconds, signal);
    },
    async remove(id, signal) {
      const record = await store.containers.get(id);
      if (!record) return;
      await discard(record, signal);
      context.emit({ type: 'deleted', podSandboxId: record.podSandboxId, containerId: id });
    },
    async list(filter) {
      const records = (await store.containers.list()).filter(
        ({ id, podSandboxId, config }) =>
          (!filter?.id || id === filter.id) &&
          (!filter?.podSandboxId || podSandboxId === filter.podSandboxId) &&
          matchesLabels(config.labels, filter?.labels),
      );
      const found = await Promise.all(
        records.map(async (record) => describe(record, await states.read(record))),
      );
      return found.filter(({ state }) => !filter?.state || state === filter.state);
    },
    async status(id) {
      const record = await mustFindContainer(context, id);
      return statusOf(record, await states.read(record));
    },
    async updateResources(id, resources) {
      const record = await mustFindContainer(context, id);
      if ((await states.read(record)).name === 'CONTAINER_EXITED')
        throw new RuntimeError('FailedPrecondition', `container ${id} has ended`);
      cgroups.apply(record.cgroup, resources);
      const config = { ...record.config, resources: { ...record.config.resources, ...resources } };
      await store.containers.update({ ...record, config });
    },
    async reopenLog(id) {
      const { record } = await running(id);
      await reopenLog(context, record);
    },
  };

  async function discard(record: ContainerRecord, signal: AbortSignal | undefined): Promise<void> {
    // What conmon was about to start may join the cgroup after it was killed. And conmon still writes the exit code:
    // nothing may appear after all is removed.
    const unsupervised = async (): Promise<true | undefined> => {
      await cgroups.kill(record.cgroup);
      return (await states.isSupervised(record)) ? undefined : true;
    };
    const wait = (patience: AbortSignal): Promise<true> =>
      context.exits.until(record.id, unsupervised, patience);
    await despiteConmon(record, wait, signal);
    await cgroups.remove(record.cgroup);
    await store.removeOutcomes((id) => id === record.id);
    await store.containers.remove(record.id);
    states.forget(record.id);
  }
}
