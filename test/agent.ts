/**
 * A real agent for tests: the built bundle, in a root directory and a cgroup of its own, with its manifests and the
 * client of its socket. `remove` takes all pods down and then looks whether anything at all is left.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeExits } from '../runtime/contract/process.ts';
import type { Event, Node, Pod } from '../src/api/core.gen.ts';
import { freePort } from './ports.ts';
import { slowness } from './slowness.ts';

/** The launcher, as users start it. */
const program = new URL('../bin/roslet', import.meta.url).pathname;
export const nodeName = 'robot';

export interface TestAgentOptions {
  /** Lines of KubeletConfiguration. */
  config?: string;
  /** Endpoint of a CRI runtime; without one pods run as host processes. */
  criEndpoint?: string;
  args?: string[];
  env?: Record<string, string>;
  /** What the agent is started through, such as a network namespace; it must become the agent. */
  through?: string[];
  /** The `ros` section, as flow YAML; off unless given, so that no test talks to the network of the machine. */
  ros?: string;
}

export class TestAgent {
  readonly dir: string;
  readonly root: string;
  readonly manifests: string;
  readonly cgroup: string;
  readonly #options: TestAgentOptions;
  #child: ChildProcess | undefined;

  private constructor(dir: string, options: TestAgentOptions) {
    this.dir = dir;
    this.root = join(dir, 'root');
    this.manifests = join(dir, 'manifests');
    this.cgroup = `/roslet-test-${dir.slice(-6)}`;
    this.#options = options;
  }

  static async create(options: TestAgentOptions = {}): Promise<TestAgent> {
    if (!existsSync(program)) throw new Error(`${program} is not built: run make build`);
    const agent = new TestAgent(await mkdtemp(join(tmpdir(), 'rt-')), options);
    await mkdir(agent.manifests);
    await agent.configure(options.config ?? '');
    return agent;
  }

  async configure(config: string, ros = this.#options.ros ?? '{transport: "off"}'): Promise<void> {
    const { criEndpoint, args = [] } = this.#options;
    const isNode = args.some((arg) => arg.startsWith('--kubeconfig'));
    await writeFile(
      join(this.dir, 'config.yaml'),
      `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: ${this.manifests}
cgroupRoot: ${this.cgroup}
healthzPort: 0
${/^address:/m.test(config) ? '' : 'address: 127.0.0.1\n'}${isNode && !/^port:/m.test(config) ? `port: ${await freePort()}\n` : ''}evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
${criEndpoint === undefined ? '' : `containerRuntimeEndpoint: ${criEndpoint}\n`}${config}
---
apiVersion: roslet.dev/v1alpha1
kind: RosletConfiguration
nodeName: ${nodeName}
runtime: {default: ${criEndpoint === undefined ? 'process' : 'cri'}}
ros: ${ros}
`,
    );
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the agent does not run');
    return this.#child.pid;
  }

  get log(): string {
    return readFileSync(join(this.dir, 'agent.log'), 'utf8');
  }

  /** Starts the agent and waits until it answers. */
  async start(): Promise<void> {
    this.spawn();
    await until('the agent answers', async () => (await this.get('/healthz')) === 'ok');
  }

  /** Starts the agent without waiting. */
  spawn(): void {
    const log = openSync(join(this.dir, 'agent.log'), 'a');
    const args = ['run', '--config', join(this.dir, 'config.yaml'), '--root-dir', this.root];
    const [command, ...rest] = [...(this.#options.through ?? []), program];
    this.#child = spawn(command!, [...rest, ...args, ...(this.#options.args ?? [])], {
      stdio: ['ignore', log, log],
      detached: true,
      // Of whoever runs the tests: Node would read all of these certificates at each start.
      env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined, ...this.#options.env },
    });
  }

  /** The exit code of an agent that ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child!;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }

  /** Ends the agent; its pods go on. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    return child.exitCode;
  }

  async apply(file: string, text: string): Promise<void> {
    // As a careful editor does it: the agent never sees half a file.
    await writeFile(join(this.manifests, `.${file}.new`), text);
    await rename(join(this.manifests, `.${file}.new`), join(this.manifests, file));
  }

  async unapply(file: string): Promise<void> {
    await rm(join(this.manifests, file));
  }

  get(path: string): Promise<string> {
    return http(join(this.root, 'roslet.sock'), 'GET', path);
  }

  async send(method: string, path: string, body: unknown): Promise<unknown> {
    return JSON.parse(await http(join(this.root, 'roslet.sock'), method, path, JSON.stringify(body)));
  }

  async pods(): Promise<Pod[]> {
    return (JSON.parse(await this.get('/pods')) as { items: Pod[] }).items;
  }

  /** By its name in the manifest. */
  async pod(name: string): Promise<Pod | undefined> {
    return (await this.pods()).find((p) => [name, `${name}-${nodeName}`].includes(p.metadata?.name ?? ''));
  }

  /** Waits until the pod is as `condition` says, and returns it. */
  async podUntil(
    name: string,
    what: string,
    condition: (pod: Pod) => boolean,
    timeoutMs = 30_000,
  ): Promise<Pod> {
    let last: Pod | undefined;
    try {
      return await until(
        `pod ${name} ${what}`,
        async () => {
          last = await this.pod(name).catch(() => undefined);
          return last !== undefined && condition(last) ? last : undefined;
        },
        timeoutMs,
      );
    } catch (err) {
      throw new Error(
        `${(err as Error).message}; it is ${JSON.stringify(last?.status, undefined, 1)}\n${this.log.slice(-4000)}`,
      );
    }
  }

  ready(name: string): Promise<Pod> {
    return this.podUntil(name, 'is ready', isReady);
  }

  async events(): Promise<Event[]> {
    return (JSON.parse(await this.get('/api/v1/events')) as { items: Event[] }).items;
  }

  /** Runs the CLI; throws with its output when it fails. */
  async cli(...args: string[]): Promise<string> {
    const { code, output } = await this.tryCli(...args);
    if (code !== 0) throw new Error(`roslet ${args.join(' ')} ended with ${code}: ${output}`);
    return output;
  }

  async tryCli(...args: string[]): Promise<{ code: number | null; output: string }> {
    const child = spawn(program, ['--root-dir', this.root, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  /** Starts a command of the CLI that goes on by itself. */
  follow(...args: string[]): { output(): string; stop(): void } {
    const child = spawn(program, ['--root-dir', this.root, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { output: () => text, stop: () => child.kill('SIGINT') };
  }

  /** How many log files of a pod's containers have been rotated away. */
  async rotatedLogs(name: string): Promise<number> {
    const pod = await this.pod(name);
    const dir = join(this.root, 'log', 'pods', `default_${pod?.metadata?.name}_${pod?.metadata?.uid}`);
    return readdirSync(dir, { recursive: true }).filter((f) => /\.log\.\d/.test(String(f))).length;
  }

  /** Takes every pod down, ends the agent, and returns what it left behind. */
  async remove(): Promise<string[]> {
    try {
      if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null)
        await this.start();
      for (const file of readdirSync(this.manifests))
        await rm(join(this.manifests, file), { recursive: true });
      for (const pod of await this.pods()) {
        const { namespace, name, annotations } = pod.metadata ?? {};
        if (annotations?.['kubernetes.io/config.source'] === 'file') continue;
        const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
        // One that was deleted already is on its way.
        await this.send('DELETE', path, { gracePeriodSeconds: 0 }).catch((err: Error) => {
          if (!/ 404 /.test(err.message)) throw err;
        });
      }
      await until('all pods are gone', async () => (await this.pods()).length === 0, 60_000);
      await until('housekeeping is done', async () => this.leftovers().length === 0, 15_000).catch(
        () => undefined,
      );
      return this.leftovers();
    } finally {
      await this.stop();
      removeCgroups(this.cgroup);
      await removeExits(join(this.root, 'process'));
      await rm(this.dir, { recursive: true, force: true });
    }
  }

  /** Ends the processes of all pods without the agent, and removes their cgroups. */
  async killPods(): Promise<void> {
    await until('no process is left', async () => {
      const pids = cgroupsBelow(this.cgroup).flatMap(pidsOf);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      return pids.length === 0;
    });
    removeCgroups(this.cgroup);
  }

  /** Ends everything of an agent whose root directory is a mount of the test, which may be full or broken. */
  async discard(): Promise<void> {
    await this.stop('SIGKILL');
    await this.killPods();
    await removeExits(join(this.root, 'process'));
    execFileSync('umount', ['-R', '-l', this.root]);
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Processes, pod cgroups, mounts and files that no pod accounts for any more. */
  leftovers(): string[] {
    const found: string[] = [];
    for (const cgroup of cgroupsBelow(this.cgroup)) {
      if (/\/pod[^/]+/.test(cgroup)) found.push(`cgroup ${cgroup}`);
      for (const pid of pidsOf(cgroup)) found.push(`process ${pid} in ${cgroup}: ${commandOf(pid)}`);
    }
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const path = line.split(' ')[4];
      if (path?.startsWith(`${this.root}/`)) found.push(`mount ${path}`);
    }
    for (const dir of ['pods', 'log/pods', 'store/pod-records', 'process/sandboxes', 'process/containers']) {
      const path = join(this.root, dir);
      if (existsSync(path)) for (const entry of readdirSync(path)) found.push(`file ${join(path, entry)}`);
    }
    return found;
  }
}

export const isReady = ({ status }: Pod | Node): boolean =>
  status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** Polls until `probe` gives something. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const limitMs = timeoutMs * slowness;
  const deadline = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
    } catch (err) {
      last = err;
    }
    await sleep(20);
  }
  throw new Error(`not within ${limitMs} ms: ${what}${last === undefined ? '' : ` (${String(last)})`}`);
}

/** Directories of a cgroup and all below it, in every hierarchy. */
export function cgroupsBelow(path: string): string[] {
  const walk = (dir: string): string[] =>
    existsSync(dir)
      ? [
          ...readdirSync(dir, { withFileTypes: true })
            .filter((e) => e.isDirectory())
            .flatMap((e) => walk(join(dir, e.name))),
          dir,
        ]
      : [];
  return cgroupRoots().flatMap((root) => walk(join(root, path)));
}

/** Where each hierarchy is mounted. */
export const cgroupRoots = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4]!);

function removeCgroups(path: string): void {
  for (const dir of cgroupsBelow(path)) {
    try {
      // rmdir: only an empty cgroup goes.
      rmdirSync(dir);
    } catch {
      // `remove` has told what is in it.
    }
  }
}

export function pidsOf(cgroupDir: string): number[] {
  try {
    return readFileSync(join(cgroupDir, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return 'gone';
  }
}

/** One request to an agent's socket. */
export function http(socketPath: string, method: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const req = request({ socketPath, method, path, headers, timeout: 10_000 * slowness }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (text += chunk));
      res.on('end', () => {
        if ((res.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${res.statusCode} ${text}`));
      });
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no answer`)));
    req.on('error', reject);
    req.end(body);
  });
}
