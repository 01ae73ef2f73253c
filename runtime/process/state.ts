/**
 * What state a container is in, read from what was left on disk and in /proc. An exit is settled once: what the kernel
 * counted is read, what the process left running is killed, the cgroup goes, and `final.json` keeps the result.
 */
import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Context, supervisorCgroup } from './context.ts';
import { parseJson, readIfPresent, writeAtomically } from './files.ts';
import {
  countOomKills,
  exitReason,
  type FinalState,
  parseExit,
  parseStart,
  type StartOutcome,
} from './outcome.ts';
import {
  isAlive,
  isRunningProgram,
  type ProcessRef,
  parseProcess,
  processAt,
  sendSignal,
} from './processes.ts';
import type { ContainerRecord } from './store.ts';

export type ContainerState =
  | { name: 'CONTAINER_CREATED' }
  | {
      /** Unknown: it runs on without conmon, so that nobody reads its output or will learn its exit code. */
      name: 'CONTAINER_RUNNING' | 'CONTAINER_UNKNOWN';
      startedAtMs: number;
      process: ProcessRef;
      warnings: string[];
    }
  | { name: 'CONTAINER_EXITED'; final: FinalState };

export interface StateReader {
  read(record: ContainerRecord): Promise<ContainerState>;
  /** True while conmon may still write for the container. */
  isSupervised(record: ContainerRecord): Promise<boolean>;
  /** Kills conmon, which then writes nothing any more. */
  killSupervisor(record: ContainerRecord): Promise<void>;
  forget(id: string): void;
}

/** As containerd gives it to what it lost. */
const lostExitCode = 255;
/** As the kubelet gives it to what it lost. */
const lostReason = 'ContainerStatusUnknown';

export function stateReader(context: Context): StateReader {
  const finals = new Map<string, FinalState>();
  const starts = new Map<string, StartOutcome>();
  const settling = new Map<string, Promise<FinalState>>();

  async function read(record: ContainerRecord): Promise<ContainerState> {
    const final = finals.get(record.id) ?? (await readFinal(record));
    if (final) return { name: 'CONTAINER_EXITED', final };
    const exit = await readExit(record);
    const start = await readStart(record);
    if (exit) return settle(record, () => ended(record, exit, start));
    if (record.bootId !== context.bootId) return settle(record, () => lost('Unknown', rebooted, start));
    if (!start) return readUnstarted(record);
    if (start.kind === 'failed') return settle(record, () => neverRan(start.exitCode, start.message));
    const isSupervised = (await supervisors(record)).length > 0;
    if (isSupervised) context.supervisors.follow(record.id);
    if (isSupervised || isAlive(start.process)) {
      const { startedAtMs, process, warnings } = start;
      const name = isSupervised ? 'CONTAINER_RUNNING' : 'CONTAINER_UNKNOWN';
      return { name, startedAtMs, process, warnings };
    }
    // The process ended and conmon with it: either it wrote the exit code just now, or it never will.
    const late = await readExit(record);
    return settle(record, () =>
      late ? ended(record, late, start) : lost(lostReason, supervisorGone, start),
    );
  }

  async function readUnstarted(record: ContainerRecord): Promise<ContainerState> {
    const launched = await readIfPresent(launchLock(context, record.id));
    if (launched === undefined || (await mayWrite(record))) return { name: 'CONTAINER_CREATED' };
    if (await readStart(record)) return read(record);
    return settle(record, () => neverRan(128, 'conmon ended before the container was started'));
  }

  async function settle(record: ContainerRecord, result: () => FinalState): Promise<ContainerState> {
    let settled = settling.get(record.id);
    if (!settled) {
      settled = settleOnce(record, result()).finally(() => settling.delete(record.id));
      settling.set(record.id, settled);
    }
    return { name: 'CONTAINER_EXITED', final: await settled };
  }

  /**
   * Nobody is told of the end before all that the container ran has ended: another is started then. What fails here (a
   * full disk, a process that cannot die) is tried again when the container is removed.
   */
  async function settleOnce(record: ContainerRecord, final: FinalState): Promise<FinalState> {
    try {
      await context.cgroups.kill(record.cgroup);
      await writeAtomically(finalPath(record), JSON.stringify(final));
      await context.cgroups.remove(record.cgroup);
    } catch (err) {
      context.log.error({ err, containerId: record.id }, 'cannot put away all of a container that has ended');
    }
    finals.set(record.id, final);
    return final;
  }

  function ended(
    record: ContainerRecord,
    exit: { exitCode: number; atMs: number },
    start: StartOutcome | undefined,
  ): FinalState {
    const file = context.cgroups.isUnified('memory') ? 'memory.events' : 'memory.oom_control';
    const oomKilled = countOomKills(context.cgroups.read(record.cgroup, 'memory', file)) > 0;
    return {
      exitCode: exit.exitCode,
      reason: exitReason(exit.exitCode, oomKilled),
      message: '',
      startedAtMs: start?.kind === 'started' ? start.startedAtMs : 0,
      finishedAtMs: exit.atMs,
    };
  }

  async function readFinal(record: ContainerRecord): Promise<FinalState | undefined> {
    const text = await readIfPresent(finalPath(record));
    if (text === undefined) return undefined;
    const final = parseJson<FinalState>(text);
    if (final) finals.set(record.id, final);
    return final;
  }

  async function readStart(record: ContainerRecord): Promise<StartOutcome | undefined> {
    const known = starts.get(record.id);
    if (known) return known;
    const text = await readIfPresent(join(context.store.startsDir, record.id));
    const outcome = text === undefined ? undefined : parseStart(text);
    if (outcome) starts.set(record.id, outcome);
    return outcome;
  }

  async function readExit(record: ContainerRecord): Promise<{ exitCode: number; atMs: number } | undefined> {
    const path = join(context.store.exitsDir, record.id);
    const exitCode = parseExit((await readIfPresent(path)) ?? '');
    return exitCode === undefined ? undefined : { exitCode, atMs: Math.round((await stat(path)).mtimeMs) };
  }

  /**
   * conmon, and what it runs to start the container. Found by where they are, which no kill at a bad moment changes;
   * one that somebody moved elsewhere by the pid that conmon wrote.
   */
  async function supervisors(record: ContainerRecord): Promise<ProcessRef[]> {
    const found = (pids: readonly number[]): ProcessRef[] =>
      pids
        .filter((pid) => isRunningProgram(pid, record.id))
        .map(processAt)
        .filter((process) => process !== undefined);
    const here = found(context.cgroups.processes(supervisorCgroup(record)));
    if (here.length > 0) return here;
    const pid = await readIfPresent(join(context.store.containers.directory(record.id), 'conmon.pid'));
    return pid === undefined ? [] : found([Number(pid)]);
  }

  /** Also the launcher, which becomes conmon. It ends only when what conmon goes on as is there. */
  async function starters(record: ContainerRecord): Promise<ProcessRef[]> {
    const launched = await readIfPresent(launchLock(context, record.id));
    if (launched === undefined || record.bootId !== context.bootId) return [];
    // An older agent or a power cut may have left an empty lock.
    const launcher = parseProcess(launched);
    return [...(launcher && isAlive(launcher) ? [launcher] : []), ...(await supervisors(record))];
  }

  const mayWrite = async (record: ContainerRecord): Promise<boolean> => (await starters(record)).length > 0;

  const finalPath = (record: ContainerRecord): string =>
    join(context.store.containers.directory(record.id), 'final.json');

  return {
    read,
    isSupervised: async (record) => (await readExit(record)) === undefined && (await mayWrite(record)),
    async killSupervisor(record) {
      for (const found of await starters(record)) sendSignal(found, constants.signals.SIGKILL);
    },
    forget(id) {
      finals.delete(id);
      starts.delete(id);
      context.supervisors.forget(id);
    },
  };
}

/** Made by the one launcher that may start the container. */
export const launchLock = (context: Context, id: string): string =>
  join(context.store.containers.directory(id), 'launched');

const rebooted = 'the machine was restarted while the container existed';
const supervisorGone = 'conmon was killed or could not write the exit code, so it is not known';
export const unsupervised = 'conmon was killed: nobody reads the output, and the exit code will not be known';

const lost = (reason: string, message: string, start: StartOutcome | undefined): FinalState => ({
  exitCode: lostExitCode,
  reason,
  message,
  startedAtMs: start?.kind === 'started' ? start.startedAtMs : 0,
  finishedAtMs: Date.now(),
});

const neverRan = (exitCode: number, message: string): FinalState => ({
  exitCode,
  reason: 'ContainerCannotRun',
  message,
  startedAtMs: 0,
  finishedAtMs: Date.now(),
});
