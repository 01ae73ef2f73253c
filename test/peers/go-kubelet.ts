/**
 * The Go kubelet of the same Kubernetes as the control plane, as a node of it, to compare with. It has a directory, a
 * certificate, an address and ports of its own; pods and cgroups are those of the containerd that it is given, which it
 * must have for itself. What it has hard-coded (`/var/lib/kubelet/device-plugins`, `/var/log/containers`) it finds in a
 * mount namespace of its own.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Node } from '../../src/api/core.gen.ts';
import { cgroupRoots, isReady, until } from '../agent.ts';
import { freePort } from '../ports.ts';
import type { TestContainerd } from './containerd.ts';
import type { ControlPlane } from './control-plane.ts';
import { kubernetesBinaries } from './kubernetes-binaries.ts';
import { kubeletPort, type NodeAddress, nodeAddress } from './node-address.ts';

export interface GoKubeletOptions {
  plane: ControlPlane;
  containerd: TestContainerd;
  nodeName: string;
  /** More lines of KubeletConfiguration. */
  config?: string;
}

export class GoKubelet {
  readonly dir: string;
  readonly manifests: string;
  readonly address: string;
  readonly #binDir: string;
  readonly #nodeAddress: NodeAddress;
  readonly #options: GoKubeletOptions;
  readonly #sysctls = readSysctls();
  #kubeconfig = '';
  #healthzPort = 0;
  #child: ChildProcess | undefined;

  private constructor(dir: string, binDir: string, address: NodeAddress, options: GoKubeletOptions) {
    this.dir = dir;
    this.manifests = join(dir, 'manifests');
    this.address = address.ip;
    this.#binDir = binDir;
    this.#nodeAddress = address;
    this.#options = options;
  }

  static async create(options: GoKubeletOptions): Promise<GoKubelet> {
    const binDir = await kubernetesBinaries('kubelet');
    const dir = await realpath(await mkdtemp(join(tmpdir(), 'roslet-go-')));
    // Volumes that the kubelet mounts here are seen by containerd, outside of the kubelet's mount namespace.
    execFileSync('mount', ['--bind', dir, dir]);
    execFileSync('mount', ['--make-private', dir]);
    execFileSync('mount', ['--make-shared', dir]);
    const kubelet = new GoKubelet(dir, binDir, nodeAddress(), options);
    await using started = new AsyncDisposableStack();
    started.defer(() => kubelet.remove());
    mkdirSync(kubelet.manifests);
    for (const root of cgroupRoots())
      mkdirSync(join(root, options.containerd.cgroupParent), { recursive: true });
    await kubelet.#configure();
    started.move();
    return kubelet;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the kubelet does not run');
    return this.#child.pid;
  }

  get log(): string {
    return readFileSync(join(this.dir, 'kubelet.log'), 'utf8');
  }

  /** Starts the kubelet and waits until it is healthy and its node is ready. */
  async start(): Promise<void> {
    const { plane, nodeName } = this.#options;
    const child = this.spawn();
    await until(
      `node ${nodeName} is ready`,
      async () => {
        if (child.exitCode !== null) throw new Error(`the kubelet ended: ${this.log.slice(-2000)}`);
        const health = await fetch(`http://127.0.0.1:${this.#healthzPort}/healthz`);
        return health.ok && isReady(await plane.get<Node>('node', nodeName));
      },
      60_000,
    );
  }

  /** Ends the kubelet; its pods go on. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Ends the kubelet and removes every trace of it but its pods, which are the containerd's to remove. */
  async remove(): Promise<void> {
    await this.stop();
    for (const path of mountsIn(this.dir)) execFileSync('umount', ['--lazy', path]);
    for (const [path, value] of this.#sysctls) writeFileSync(path, value);
    this.#nodeAddress.remove();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Starts the kubelet without waiting. */
  spawn(): ChildProcess {
    const log = openSync(join(this.dir, 'kubelet.log'), 'a');
    // Mounts in `dir` stay shared.
    const hide = `for dir in /var/lib /var/log; do
  mount --make-private "$(findmnt -n -o TARGET -T $dir)" && mount -t tmpfs none $dir || exit
done
exec "$@"`;
    this.#child = spawn(
      'unshare',
      [
        ...['--mount', '--propagation', 'unchanged', 'sh', '-c', hide, 'sh'],
        join(this.#binDir, 'kubelet'),
        `--config=${join(this.dir, 'config.yaml')}`,
        `--kubeconfig=${this.#kubeconfig}`,
        `--root-dir=${join(this.dir, 'root')}`,
        `--cert-dir=${join(this.dir, 'pki')}`,
        `--hostname-override=${this.#options.nodeName}`,
        `--node-ip=${this.address}`,
        '--v=2',
      ],
      { stdio: ['ignore', log, log], detached: true },
    );
    return this.#child;
  }

  async #configure(): Promise<void> {
    const { plane, containerd, nodeName, config = '' } = this.#options;
    const { certFile, keyFile } = await plane.certificates.sign(`kubelet-${nodeName}`, {
      subject: `/O=system:nodes/CN=system:node:${nodeName}`,
      usage: 'serverAuth',
      names: `DNS:${nodeName},IP:${this.address}`,
    });
    this.#healthzPort = await freePort();
    this.#kubeconfig = await plane.nodeKubeconfig(nodeName);
    await writeFile(
      join(this.dir, 'config.yaml'),
      `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ${this.address}
port: ${kubeletPort}
healthzBindAddress: 127.0.0.1
healthzPort: ${this.#healthzPort}
tlsCertFile: ${certFile}
tlsPrivateKeyFile: ${keyFile}
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: ${plane.certificates.certFile}}}
containerRuntimeEndpoint: ${containerd.endpoint}
cgroupRoot: ${containerd.cgroupParent}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
staticPodPath: ${this.manifests}
fileCheckFrequency: 1s
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
podLogsDir: ${join(this.dir, 'logs')}
volumePluginDir: ${join(this.dir, 'plugins')}
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
${config}`,
    );
  }
}

/** Those that a kubelet sets as it needs them. */
const sysctls = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

const readSysctls = (): [path: string, value: string][] =>
  sysctls.map((name) => {
    const path = join('/proc/sys', name);
    return [path, readFileSync(path, 'utf8')];
  });

/** Innermost first. */
const mountsIn = (dir: string): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
    .reverse();
