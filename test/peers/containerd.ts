/**
 * A real containerd of a given release line for tests: own directories, socket, CNI network and cgroup, so that
 * several can run beside each other and beside the machine's own. `stop` leaves nothing behind; what a killed test run
 * left is removed by the next start.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { criRuntime } from '../../runtime/cri/index.ts';
import { silentLogger } from '../../src/log.ts';
import { type ContainerdLine, containerdBinaries } from './containerd-binaries.ts';
import {
  type ContainerdPaths,
  containerdPaths,
  type RuncOptions,
  writeContainerdConfig,
} from './containerd-config.ts';
import { leftoversOfPods, removeLeftovers, sweepAbandoned, writeOwner } from './containerd-leftovers.ts';
import { testImages } from './images.ts';

export interface ContainerdOptions extends RuncOptions {
  /** Registries on this machine by the host name that they stand for: `{'registry.test': 'http://127.0.0.1:1234'}`. */
  registries?: Record<string, string>;
}

export interface TestContainerd {
  /** `unix://…` */
  readonly endpoint: string;
  readonly socket: string;
  /** Directory of everything that this containerd writes. */
  readonly root: string;
  /** Put every pod of the test below this cgroup: `stop` removes it. */
  readonly cgroupParent: string;
  /** Ends containerd alone, at once; its containers live on. */
  kill9(): Promise<void>;
  /** Has containerd alone stand still until `thaw`. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Starts containerd again (ending it before, gently, when it runs) and waits until it answers. */
  restart(): Promise<void>;
  /** Ends everything and removes every trace. */
  stop(): Promise<void>;
  log(): string;
  /** What is left of pods after their removal; empty when all is well. */
  leftovers(): string[];
  /** Pids of the relays that agents hold to it. */
  relays(): number[];
}

const rootPrefix = 'roslet-ctd-';

/** Where the build puts it. */
export const relayPath = new URL('../../dist/roslet-cri-relay', import.meta.url).pathname;

export async function startContainerd(
  line: ContainerdLine,
  options: ContainerdOptions = {},
): Promise<TestContainerd> {
  await sweepAbandoned(rootPrefix);
  const binDir = containerdBinaries(line);
  const dir = mkdtempSync(join(tmpdir(), rootPrefix));
  const paths = containerdPaths(dir);
  const id = dir.slice(-6);
  const network = { bridge: `rt-${id}`, subnet: freeSubnet() };
  const cgroupParent = `/roslet-test-${id}`;
  writeOwner(dir, { pid: process.pid, cgroupParent, bridge: network.bridge });
  writeContainerdConfig(paths, dir, line, network, options);
  writeRegistries(paths, options.registries ?? {});

  let daemon: ChildProcess | undefined;
  const start = async () => {
    const log = openSync(join(dir, 'containerd.log'), 'a');
    daemon = spawn(join(binDir, 'containerd'), ['--config', paths.config], {
      env: { ...process.env, PATH: `${binDir}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin`, TMPDIR: dir },
      stdio: ['ignore', log, log],
      detached: true,
    });
    writeFileSync(join(dir, 'pid'), String(daemon.pid));
    await untilReady(daemon, `unix://${paths.socket}`, join(dir, 'containerd.log'));
  };
  const end = async (signal: NodeJS.Signals) => {
    if (daemon && daemon.exitCode === null && daemon.signalCode === null) {
      const exited = once(daemon, 'exit');
      daemon.kill(signal);
      await exited;
    }
  };
  const ctr = (...args: string[]) =>
    execFileSync(join(binDir, 'ctr'), ['--address', paths.socket, '--namespace', 'k8s.io', ...args], {
      encoding: 'utf8',
    });
  const stop = async () => {
    if (daemon?.exitCode !== null || daemon.signalCode !== null) await start();
    await removePods(`unix://${paths.socket}`);
    await end('SIGTERM');
    await removeLeftovers(dir);
  };

  try {
    await start();
    for (const { archive } of testImages()) ctr('images', 'import', archive);
  } catch (error) {
    await end('SIGKILL');
    await removeLeftovers(dir);
    throw error;
  }
  return {
    endpoint: `unix://${paths.socket}`,
    socket: paths.socket,
    root: dir,
    cgroupParent,
    freeze: async () => {
      daemon?.kill('SIGSTOP');
      while (!isStopped(daemon?.pid)) await sleep(5);
    },
    thaw: () => {
      daemon?.kill('SIGCONT');
    },
    kill9: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
    stop,
    log: () => readFileSync(join(dir, 'containerd.log'), 'utf8'),
    leftovers: () => leftoversOfPods(dir),
    relays: () => relaysTo(paths.socket),
  };
}

/** Every thread stops by itself: until the last has, what it is asked is still answered. */
function isStopped(pid: number | undefined): boolean {
  const tasks = `/proc/${pid}/task`;
  try {
    return readdirSync(tasks).every((task) =>
      /^State:\s+T/m.test(readFileSync(join(tasks, task, 'status'), 'utf8')),
    );
  } catch {
    // One ended meanwhile.
    return false;
  }
}

const relaysTo = (socket: string): number[] =>
  readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const [program, to] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return program === relayPath && to === socket ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });

async function untilReady(daemon: ChildProcess, endpoint: string, logPath: string): Promise<void> {
  const closing = new AbortController();
  const runtime = await criRuntime({ endpoint, relayPath, log: silentLogger(), signal: closing.signal });
  try {
    for (let attempts = 0; ; attempts++) {
      const conditions = await runtime.status().then(
        (status) => status.conditions,
        () => [],
      );
      const isReady = (type: string) =>
        conditions.some((condition) => condition.type === type && condition.status);
      if (isReady('RuntimeReady') && isReady('NetworkReady')) return;
      if (daemon.exitCode !== null || attempts > 600) {
        const tail = readFileSync(logPath, 'utf8').split('\n').slice(-15).join('\n');
        throw new Error(
          `containerd did not get ready (${JSON.stringify(conditions)}); its log ends:\n${tail}`,
        );
      }
      await sleep(50);
    }
  } finally {
    closing.abort();
  }
}

async function removePods(endpoint: string): Promise<void> {
  const closing = new AbortController();
  const runtime = await criRuntime({ endpoint, relayPath, log: silentLogger(), signal: closing.signal });
  try {
    for (const sandbox of await runtime.listPodSandbox()) {
      await runtime.stopPodSandbox(sandbox.id);
      await runtime.removePodSandbox(sandbox.id);
    }
  } finally {
    closing.abort();
  }
}

function writeRegistries(paths: ContainerdPaths, registries: Record<string, string>): void {
  for (const [host, url] of Object.entries(registries)) {
    mkdirSync(join(paths.certsDir, host), { recursive: true });
    writeFileSync(
      join(paths.certsDir, host, 'hosts.toml'),
      `server = "${url}"\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`,
    );
  }
}

/** One of 10.89.0.0/24 … 10.89.255.0/24 that no interface of this machine is in. */
function freeSubnet(): string {
  const used = new Set(
    Object.values(networkInterfaces())
      .flat()
      .map((address) => address?.address.split('.').slice(0, 3).join('.')),
  );
  const start = Math.floor(Math.random() * 256);
  for (let offset = 0; offset < 256; offset++) {
    const prefix = `10.89.${(start + offset) % 256}`;
    if (!used.has(prefix)) return `${prefix}.0/24`;
  }
  throw new Error('no free subnet in 10.89.0.0/16 for a test network');
}
