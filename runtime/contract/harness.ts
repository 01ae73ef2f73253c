/**
 * What the contract suite needs of a runtime under test, and what its cases share. Cases speak only the port: nothing in
 * them knows which runtime it is, but for the few traits in which real runtimes rightly differ.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { slowness } from '../../test/slowness.ts';
import type {
  ContainerConfig,
  ContainerSecurityContext,
  ContainerStatus,
  PodSandboxConfig,
  Runtime,
  SandboxSecurityContext,
} from '../runtime.ts';

export interface RuntimeUnderTest {
  name: string;
  traits: Traits;
  /** Starts the real thing, with an image (if it has images) that holds busybox as `sh` and the usual commands. */
  setup(): Promise<RunningRuntime>;
}

export interface Traits {
  /** True when `events` yields more than nothing. */
  events: boolean;
  /** True when containers see the host's file system: made by the host's root, shared by all. */
  hostFilesystem: boolean;
  /** True when a command that is ended, by its time limit or by cancelling, takes along what it started. */
  endsWholeCommand: boolean;
  /** True when cancelling a streamed command ends it; else it only loses its streams. */
  endsCancelledCommand: boolean;
  /** True when a mount's source that is not there is made, as a directory, instead of refused. */
  makesMountSources: boolean;
  /** True when a sandbox with its own network needs CNI to be set up, which the suite does not do. */
  needsCni: boolean;
}

export interface RunningRuntime {
  runtime: Runtime;
  /** Another adapter on the same state, as a restarted agent has it. */
  reopen(): Promise<Runtime>;
  /** For `ContainerConfig.image`; empty for a runtime without images. */
  image: string;
  /** Directory for logs and volumes, removed by `teardown`. */
  workDir: string;
  /** A cgroup that belongs to this run alone; pods are made below it. */
  cgroupRoot: string;
  /** What the runtime left on the machine once all sandboxes are removed: processes, cgroups, mounts, files. */
  leftovers(): Promise<string[]>;
  teardown(): Promise<void>;
}

export interface Pod {
  id: string;
  config: PodSandboxConfig;
}

export interface Bench {
  readonly runtime: Runtime;
  readonly running: RunningRuntime;
  readonly traits: Traits;
  /** Runs a sandbox that is removed after the case. */
  pod(overrides?: Partial<PodSandboxConfig>): Promise<Pod>;
  config(name: string, script: string, overrides?: ContainerOverrides): ContainerConfig;
  /** Creates and starts `sh -c script`. */
  start(pod: Pod, name: string, script: string, overrides?: ContainerOverrides): Promise<string>;
  /** Runs the script to its end and returns its status and output. */
  runToEnd(pod: Pod, name: string, script: string, overrides?: ContainerOverrides): Promise<Ended>;
  exited(containerId: string): Promise<ContainerStatus>;
  /** Waits until the log holds a line that matches. */
  logged(containerId: string, wanted: RegExp): Promise<void>;
  log(containerId: string): Promise<LogLine[]>;
  /** A fresh directory on the host, to be mounted. */
  directory(): Promise<string>;
}

export interface Ended {
  status: ContainerStatus;
  stdout: string;
  stderr: string;
}

export type ContainerOverrides = Partial<Omit<ContainerConfig, 'securityContext'>> & {
  securityContext?: Partial<ContainerSecurityContext>;
};

export interface LogLine {
  stream: 'stdout' | 'stderr';
  /** True when the line was longer than the runtime's buffer and goes on in the next entry. */
  partial: boolean;
  text: string;
}

const patienceMs = 30_000 * slowness;

/** Registers set-up and tear-down in the current `describe` block. */
export function useBench(subject: RuntimeUnderTest): Bench {
  let running: RunningRuntime | undefined;
  const pods = new Set<string>();
  const get = (): RunningRuntime => {
    if (!running) throw new Error(`${subject.name} is not set up`);
    return running;
  };
  beforeAll(async () => {
    running = await subject.setup();
  });
  afterEach(async () => {
    for (const id of pods) await get().runtime.removePodSandbox(id);
    pods.clear();
    expect(await get().leftovers()).toEqual([]);
  });
  afterAll(async () => {
    await running?.teardown();
  });

  const bench: Bench = {
    get runtime() {
      return get().runtime;
    },
    get running() {
      return get();
    },
    traits: subject.traits,
    async pod(overrides = {}) {
      const config = await sandboxConfig(get(), overrides);
      const id = await get().runtime.runPodSandbox(config, '');
      pods.add(id);
      return { id, config };
    },
    config: (name, script, overrides = {}) => containerConfig(get(), name, script, overrides),
    async start(pod, name, script, overrides = {}) {
      const inherited = { namespaceOptions: pod.config.securityContext.namespaceOptions };
      const config = bench.config(name, script, {
        ...overrides,
        securityContext: { ...inherited, ...overrides.securityContext },
      });
      const id = await get().runtime.createContainer(pod.id, config, pod.config);
      await get().runtime.startContainer(id);
      return id;
    },
    async runToEnd(pod, name, script, overrides) {
      const id = await bench.start(pod, name, script, overrides);
      const status = await bench.exited(id);
      const lines = await bench.log(id);
      return { status, stdout: textOf(lines, 'stdout'), stderr: textOf(lines, 'stderr') };
    },
    exited: (containerId) =>
      eventually(async () => {
        const status = await get().runtime.containerStatus(containerId);
        expect(status.state).toBe('CONTAINER_EXITED');
        return status;
      }),
    async logged(containerId, wanted) {
      await eventually(async () => {
        const lines = await bench.log(containerId);
        expect(lines.map(({ text }) => text).join('\n')).toMatch(wanted);
      });
    },
    async log(containerId) {
      const { logPath } = await get().runtime.containerStatus(containerId);
      return parseLog(await readFile(logPath, 'utf8'));
    },
    async directory() {
      const path = join(get().workDir, `volume-${randomUUID()}`);
      await mkdir(path, { recursive: true });
      return path;
    },
  };
  return bench;
}

/** Tries until the assertions in it hold. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

/** The kubelet's log format: time, stream, F or P, text. */
export function parseLog(content: string): LogLine[] {
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^(\d{4}-\d\d-\d\dT\S+) (stdout|stderr) ([FP])(?: (.*))?$/s.exec(line);
      if (!match) throw new Error(`not a line of a container log: ${line}`);
      const stream = match[2] === 'stderr' ? 'stderr' : 'stdout';
      return { stream, partial: match[3] === 'P', text: match[4] ?? '' };
    });
}

export const textOf = (lines: readonly LogLine[], stream: LogLine['stream']): string =>
  lines
    .filter((line) => line.stream === stream)
    .map(({ text, partial }) => (partial ? text : `${text}\n`))
    .join('');

async function sandboxConfig(
  running: RunningRuntime,
  overrides: Partial<PodSandboxConfig>,
): Promise<PodSandboxConfig> {
  const uid = randomUUID();
  const logDirectory = join(running.workDir, 'logs', uid);
  await mkdir(logDirectory, { recursive: true });
  return {
    metadata: { name: 'contract', namespace: 'default', uid, attempt: 0 },
    hostname: '',
    logDirectory,
    portMappings: [],
    labels: {},
    annotations: {},
    cgroupParent: `${running.cgroupRoot}/pod${uid}`,
    sysctls: {},
    securityContext: sandboxSecurity(),
    ...overrides,
  };
}

export const sandboxSecurity = (change: Partial<SandboxSecurityContext> = {}): SandboxSecurityContext => ({
  namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' },
  readonlyRootfs: false,
  supplementalGroups: [],
  privileged: false,
  seccomp: { type: 'Unconfined' },
  ...change,
});

function containerConfig(
  running: RunningRuntime,
  name: string,
  script: string,
  overrides: ContainerOverrides,
): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: running.image,
    userSpecifiedImage: running.image,
    runtimeHandler: '',
    command: ['sh', '-c', script],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    labels: {},
    annotations: {},
    logPath: `${name}.log`,
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    rlimits: [],
    ...overrides,
    securityContext: {
      privileged: false,
      capabilities: { add: [], drop: [] },
      namespaceOptions: { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' },
      readonlyRootfs: false,
      supplementalGroups: [],
      noNewPrivs: false,
      maskedPaths: [],
      readonlyPaths: [],
      seccomp: { type: 'Unconfined' },
      ...overrides.securityContext,
    },
  };
}
