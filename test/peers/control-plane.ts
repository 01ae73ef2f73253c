/**
 * A real control plane on loopback for tests: etcd, kube-apiserver (Node authorizer, RBAC, NodeRestriction),
 * controller manager and scheduler, with ports, data and certificates of its own. `stop` leaves nothing behind.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { until } from '../agent.ts';
import { CertificateAuthority } from './certificates.ts';
import { kubernetesBinaries } from './kubernetes-binaries.ts';

const programs = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const;

type Part = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

export interface ControlPlaneOptions {
  /** Of this machine, where the API server listens. */
  address?: string;
  /** More of them. */
  flags?: Partial<Record<Part, readonly string[]>>;
}

export class ControlPlane {
  readonly dir: string;
  readonly #address: string;
  readonly #flags: Partial<Record<Part, readonly string[]>>;
  readonly #binDir: string;
  readonly #ca: CertificateAuthority;
  readonly #ports: { etcd: number; peer: number; api: number; manager: number; scheduler: number };
  readonly #running = new Map<Part, ChildProcess>();

  private constructor(
    dir: string,
    binDir: string,
    ca: CertificateAuthority,
    ports: number[],
    { address = '127.0.0.1', flags = {} }: ControlPlaneOptions,
  ) {
    this.dir = dir;
    this.#address = address;
    this.#flags = flags;
    this.#binDir = binDir;
    this.#ca = ca;
    const [etcd = 0, peer = 0, api = 0, manager = 0, scheduler = 0] = ports;
    this.#ports = { etcd, peer, api, manager, scheduler };
  }

  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const binDir = await kubernetesBinaries(...programs);
    const dir = await mkdtemp(join(tmpdir(), 'roslet-cp-'));
    await using started = new AsyncDisposableStack();
    started.defer(() => rm(dir, { recursive: true }));
    const plane = new ControlPlane(
      dir,
      binDir,
      await CertificateAuthority.create(dir, 'ca'),
      await freePorts(5),
      options,
    );
    started.defer(() => plane.#stopParts());
    await plane.#ca.sign('apiserver', {
      subject: '/CN=kube-apiserver',
      usage: 'serverAuth',
      names: `DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:${plane.#address}`,
    });
    await plane.#ca.sign('kubelet-client', {
      subject: '/O=system:masters/CN=kube-apiserver-kubelet-client',
      usage: 'clientAuth',
    });
    await promisify(execFile)('openssl', ['genrsa', '-out', join(dir, 'sa.key'), '2048']);
    await plane.kubeconfig('admin', '/O=system:masters/CN=admin');
    await plane.kubeconfig('manager', '/CN=system:kube-controller-manager');
    await plane.kubeconfig('scheduler', '/CN=system:kube-scheduler');
    for (const part of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const) {
      await plane.startPart(part);
    }
    await until('the default service account is there', () =>
      plane.kubectl('get', 'serviceaccount', 'default', '-o', 'name'),
    );
    started.move();
    return plane;
  }

  get certificates(): CertificateAuthority {
    return this.#ca;
  }

  get kubectlProgram(): string {
    return join(this.#binDir, 'kubectl');
  }

  get adminKubeconfig(): string {
    return join(this.dir, 'admin.kubeconfig');
  }

  /** Path of a new kubeconfig for that subject. */
  async kubeconfig(name: string, subject: string): Promise<string> {
    const { certFile, keyFile } = await this.#ca.sign(`client-${name}`, { subject, usage: 'clientAuth' });
    const path = join(this.dir, `${name}.kubeconfig`);
    await writeFile(
      path,
      `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: ${name}}}]
clusters: [{name: test, cluster: {server: "https://${this.#address}:${this.#ports.api}", certificate-authority: ${this.#ca.certFile}}}]
users: [{name: ${name}, user: {client-certificate: ${certFile}, client-key: ${keyFile}}}]
`,
    );
    return path;
  }

  nodeKubeconfig(nodeName: string): Promise<string> {
    return this.kubeconfig(`node-${nodeName}`, `/O=system:nodes/CN=system:node:${nodeName}`);
  }

  /** As the administrator. */
  async kubectl(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      this.kubectlProgram,
      ['--kubeconfig', this.adminKubeconfig, ...args],
      { env: { ...process.env, HOME: this.dir }, maxBuffer: 2 ** 26 },
    );
    return stdout;
  }

  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T;
  }

  /** Returns what the API server made of it. */
  async create<T>(manifest: object): Promise<T> {
    const child = spawn(
      this.kubectlProgram,
      ['--kubeconfig', this.adminKubeconfig, 'create', '-f', '-', '-o', 'json'],
      { env: { ...process.env, HOME: this.dir }, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let output = '';
    let problem = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
    child.stdin.end(JSON.stringify(manifest));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`kubectl create: ${problem}`);
    return JSON.parse(output) as T;
  }

  /** Starts a part that was stopped, and waits until it works. */
  async startPart(part: Part): Promise<void> {
    const log = openSync(join(this.dir, `${part}.log`), 'a');
    const program = part === 'etcd' ? 'etcd' : join(this.#binDir, part);
    const child = spawn(program, [...this.#arguments(part), ...(this.#flags[part] ?? [])], {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: this.dir,
    });
    this.#running.set(part, child);
    await until(
      `${part} is ready`,
      async () => {
        if (child.exitCode !== null) throw new Error(`${part} ended: ${this.log(part).slice(-2000)}`);
        return this.#isReady(part);
      },
      120_000,
    );
  }

  async stopPart(part: Part, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#running.get(part);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** To one part, such as SIGSTOP: it then hangs. */
  signal(part: Part, signal: NodeJS.Signals): void {
    this.#running.get(part)?.kill(signal);
  }

  /** Keeps what etcd has now. Returns what brings all of it back, as after a disaster. */
  async backUp(): Promise<() => Promise<void>> {
    const [data, kept] = [join(this.dir, 'etcd'), join(this.dir, 'etcd-backup')];
    await this.stopPart('etcd', 'SIGTERM');
    await cp(data, kept, { recursive: true });
    await this.startPart('etcd');
    return async () => {
      await this.stopPart('kube-apiserver');
      await this.stopPart('etcd');
      await rm(data, { recursive: true });
      await rename(kept, data);
      await this.startPart('etcd');
      await this.startPart('kube-apiserver');
    };
  }

  /** How each part is, for who wonders why a test failed. */
  async health(): Promise<string> {
    const states = [...this.#running].map(async ([part, child]) => {
      if (child.exitCode !== null || child.signalCode !== null)
        return `${part} ended with ${child.exitCode ?? child.signalCode}`;
      const answer = await Promise.race([
        this.#isReady(part).then(
          (isReady) => (isReady ? 'answers' : 'does not answer'),
          (error: Error) => `fails: ${error.message.slice(0, 300)}`,
        ),
        sleep(10_000, 'hangs'),
      ]);
      return `${part} ${answer}`;
    });
    return (await Promise.all(states)).join(', ');
  }

  log(part: Part): string {
    return readFileSync(join(this.dir, `${part}.log`), 'utf8');
  }

  async stop(): Promise<void> {
    await this.#stopParts();
    await rm(this.dir, { recursive: true });
  }

  async #stopParts(): Promise<void> {
    for (const part of [...this.#running.keys()].reverse()) {
      this.signal(part, 'SIGCONT');
      await this.stopPart(part);
    }
  }

  async #isReady(part: Part): Promise<boolean> {
    if (part === 'etcd') return accepts(this.#ports.etcd);
    if (part === 'kube-apiserver') return (await this.kubectl('get', '--raw', '/readyz')) === 'ok';
    await sleep(50);
    return accepts(part === 'kube-scheduler' ? this.#ports.scheduler : this.#ports.manager);
  }

  #arguments(part: Part): string[] {
    const { dir } = this;
    const at = (file: string) => join(dir, file);
    const { etcd, peer, api, manager, scheduler } = this.#ports;
    const url = (port: number) => `http://127.0.0.1:${port}`;
    const client = (name: string, port: number) => [
      ...['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
        (flag) => `--${flag}=${at(`${name}.kubeconfig`)}`,
      ),
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${dir}`,
      '--leader-elect=false',
    ];
    switch (part) {
      case 'etcd':
        return [
          ...['--name=test', `--data-dir=${at('etcd')}`, '--unsafe-no-fsync'],
          ...[`--listen-client-urls=${url(etcd)}`, `--advertise-client-urls=${url(etcd)}`],
          ...[`--listen-peer-urls=${url(peer)}`, `--initial-advertise-peer-urls=${url(peer)}`],
          `--initial-cluster=test=${url(peer)}`,
        ];
      case 'kube-apiserver':
        return [
          ...[`--etcd-servers=${url(etcd)}`, `--bind-address=${this.#address}`, `--secure-port=${api}`],
          ...['--endpoint-reconciler-type=none', '--service-cluster-ip-range=10.96.0.0/16'],
          ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
          ...['--allow-privileged=true', `--client-ca-file=${at('ca.crt')}`, `--cert-dir=${dir}`],
          ...[`--tls-cert-file=${at('apiserver.crt')}`, `--tls-private-key-file=${at('apiserver.key')}`],
          ...[
            `--kubelet-certificate-authority=${at('ca.crt')}`,
            `--kubelet-client-certificate=${at('kubelet-client.crt')}`,
            `--kubelet-client-key=${at('kubelet-client.key')}`,
            '--kubelet-preferred-address-types=InternalIP',
          ],
          ...[
            '--service-account-issuer=https://kubernetes.default.svc',
            `--service-account-key-file=${at('sa.key')}`,
            `--service-account-signing-key-file=${at('sa.key')}`,
          ],
        ];
      case 'kube-controller-manager':
        return [
          ...client('manager', manager),
          '--use-service-account-credentials=true',
          `--service-account-private-key-file=${at('sa.key')}`,
          `--root-ca-file=${at('ca.crt')}`,
          ...[`--cluster-signing-cert-file=${at('ca.crt')}`, `--cluster-signing-key-file=${at('ca.key')}`],
        ];
      case 'kube-scheduler':
        return client('scheduler', scheduler);
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}
