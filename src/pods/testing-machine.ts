/** A machine in memory for tests of the worker: what it holds of one pod, what was done to it in order, what fails. */
import { setImmediate } from 'node:timers/promises';
import type { ContainerStatus, PodSandboxStatus, Runtime } from '../../runtime/runtime.ts';
import type { Pod, PodStatus } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import type { StartFailure } from './effects/failure.ts';
import type { PodRecord } from './pod-record.ts';
import { testActual, testContainer, testProbes, testSandbox } from './testing.ts';
import type { WorkerDeps } from './worker-deps.ts';

export class TestMachine {
  sandboxes: PodSandboxStatus[] = [];
  containers: ContainerStatus[] = [];
  /** `save`, `createSandbox`, `start a`, `kill a0`, … in order; what fails is not in it. */
  readonly done: string[] = [];
  /** Called before a step of that name; may throw, or return why it does not work. */
  readonly before = new Map<
    string,
    (signal?: AbortSignal) => StartFailure | undefined | Promise<StartFailure | undefined>
  >();
  saved: PodRecord | undefined;
  status: PodStatus | undefined;
  unmet: string[] = [];
  reads = 0;
  /** What is killed ends at once, and is shown as ended when this resolves. */
  takesDown: Promise<void> | undefined;

  deps(over: Partial<WorkerDeps> = {}): WorkerDeps {
    const runtime = {
      name: 'test',
      images: null,
      stopPodSandbox: async (id) => {
        await this.#step('stopSandbox');
        this.sandboxes = this.sandboxes.map((s) => (s.id === id ? { ...s, state: 'SANDBOX_NOTREADY' } : s));
      },
      removeContainer: async (id) => {
        this.containers = this.containers.filter((c) => c.id !== id);
      },
    } satisfies Partial<Runtime>;
    return {
      runtime: runtime as Partial<Runtime> as Runtime,
      reader: {
        read: async () => {
          await this.#step('read', undefined, false);
          this.reads += 1;
          return testActual([...this.sandboxes], [...this.containers]);
        },
      },
      effects: this.#effects(),
      removals: { during: (work) => work(), run: (_, removal) => removal() },
      turns: (_kind, _pod, work) => work(),
      probes: testProbes(),
      backoff: { initialMs: 10, maxMs: 100 },
      containerHash: () => 'h',
      hostIps: () => ['192.0.2.1'],
      startGate: () => this.unmet,
      qosClass: () => 'BestEffort',
      pulledMs: () => 0,
      metrics: { observe: () => undefined },
      log: silentLogger(),
      now: Date.now,
      resyncMs: 60_000,
      isSaved: false,
      save: async (record) => {
        await this.#step('save');
        this.saved = structuredClone(record);
      },
      onStatus: (_pod, status) => {
        this.status = structuredClone(status);
      },
      onResized: () => undefined,
      onEnd: (what) => this.done.push(what),
      ...over,
    };
  }

  /** What ends by itself. */
  exit(id: string, exitCode: number): void {
    this.containers = this.containers.map((c) =>
      c.id === id ? { ...c, state: 'CONTAINER_EXITED', exitCode, finishedAtMs: Date.now() } : c,
    );
  }

  async #step(name: string, signal?: AbortSignal, note = true): Promise<StartFailure | undefined> {
    // As a runtime that is asked over a socket: nothing comes back in the same turn of the event loop.
    await setImmediate();
    const failure = await this.before.get(name)?.(signal);
    if (failure === undefined && note) this.done.push(name);
    return failure;
  }

  #effects(): WorkerDeps['effects'] {
    return {
      createSandbox: async (_pod, { attempt }, signal) => {
        const failure = await this.#step('createSandbox', signal);
        if (failure === undefined) this.sandboxes.unshift(testSandbox({ id: `sb${attempt}` }));
        return failure;
      },
      pullImage: async (_pod, { name }, _actual, signal) => await this.#step(`pull ${name}`, signal),
      startContainer: async (_pod, { name, restartCount, hash, podSandboxId }, _actual, signal) => {
        const failure = await this.#step(`start ${name}`, signal);
        const made = { attempt: restartCount, hash, podSandboxId, startedAtMs: Date.now() };
        if (failure === undefined) this.containers.unshift(testContainer(name, 'running', made));
        return failure;
      },
      killContainer: async ({ kill: { containerId, graceMs }, again, onExit }, signal) => {
        await this.#step(`kill ${containerId}${again ? ' again' : ''}`, signal);
        this.graces.push(graceMs);
        if (this.takesDown !== undefined) {
          onExit({ exitCode: 143, finishedAtMs: Date.now() });
          await this.takesDown;
        }
        this.exit(containerId, 143);
      },
      probe: () => undefined,
      terminationMessage: async () => '',
      removeOldInstances: async () => undefined,
      refreshVolumes: async (_pod, _actual, signal) => {
        await this.#step('refreshVolumes', signal);
      },
      release: async () => {
        await this.#step('release');
      },
      remove: async (_pod: Pod) => {
        await this.#step('remove');
        this.sandboxes = [];
        this.containers = [];
      },
      reportSyncError: () => void this.done.push('report error'),
      reportLost: () => void this.done.push('report lost'),
      reportStartGate: () => void this.done.push('report gate'),
      reportWaiting: () => undefined,
      reportEnd: () => undefined,
      reportResized: () => undefined,
      resize: async () => undefined,
    };
  }

  /** Of the kills so far. */
  readonly graces: number[] = [];
}
