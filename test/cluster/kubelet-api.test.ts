/** What kubectl does with a pod goes through the API server to the node: over TLS, with certificates that the cluster issued. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get, type RequestOptions } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../src/api/core.gen.ts';
import { nodeName, TestAgent, until } from '../agent.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { kubernetesBinaries } from '../peers/kubernetes-binaries.ts';
import { freePort } from '../ports.ts';
import { hostPod, nodeReady, podReady, removePods } from './steps.ts';

let plane: ControlPlane;
let agent: TestAgent;
let dir: string;
let port: number;
let programs: string;

beforeAll(async () => {
  plane = await ControlPlane.start();
  programs = await kubernetesBinaries('kubectl');
  dir = await mkdtemp(join(tmpdir(), 'roslet-join-'));
  port = await freePort();
  agent = await TestAgent.create({
    config: `port: ${port}
authentication: {x509: {clientCAFile: ${plane.certificates.certFile}}}
serverTLSBootstrap: true
rotateCertificates: true
`,
    args: [
      `--kubeconfig=${join(dir, 'kubelet.conf')}`,
      `--bootstrap-kubeconfig=${await bootstrapKubeconfig()}`,
      `--cert-dir=${join(dir, 'pki')}`,
      '--node-ip=127.0.0.1',
    ],
  });
  await agent.start();
  await nodeReady(plane);
}, 1_800_000);

afterAll(async () => {
  await removePods({ plane, agent });
  expect(await agent?.remove()).toEqual([]);
  await plane?.stop();
  if (dir) await rm(dir, { recursive: true });
});

const certificate = async (name: string) =>
  new X509Certificate(await readFile(join(dir, 'pki', `${name}-current.pem`)));

/** Of one who may join: what it asks for is approved at once, and later what nodes ask for themselves. */
async function bootstrapKubeconfig(): Promise<string> {
  const bind = (name: string, role: string, group: string) =>
    plane.kubectl('create', 'clusterrolebinding', name, `--clusterrole=${role}`, `--group=${group}`);
  const signing = 'system:certificates.k8s.io:certificatesigningrequests';
  await bind('join', 'system:node-bootstrapper', joinGroup);
  await bind('approve', `${signing}:nodeclient`, joinGroup);
  await bind('renew', `${signing}:selfnodeclient`, 'system:nodes');
  return plane.kubeconfig('bootstrap', `/O=${joinGroup}/CN=system:bootstrap:abcdef`);
}

const joinGroup = 'system:bootstrappers:test';

const startKubectl = (...args: string[]): ChildProcessWithoutNullStreams =>
  spawn(join(programs, 'kubectl'), ['--kubeconfig', join(plane.dir, 'admin.kubeconfig'), ...args], {
    env: { ...process.env, HOME: dir },
  });

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

async function kubectl(args: string[], input?: string): Promise<Ended> {
  const child = startKubectl(...args);
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

const pod = (name: string, script: string): Pod =>
  hostPod(name, script, {
    containers: [{ name: 'main', image: 'none', stdin: true, command: ['sh', '-c', script] }],
  });

describe('joining', () => {
  it('asks for a client certificate and writes the kubeconfig that names it', async () => {
    const { subject } = await certificate('kubelet-client');
    expect(subject).toBe(`O=system:nodes\nCN=system:node:${nodeName}`);
    const { items } = await plane.get<{ items: { spec: { signerName: string; username: string } }[] }>('csr');
    // That for the serving certificate may be there by now.
    const request = items.find(
      ({ spec }) => spec.signerName === 'kubernetes.io/kube-apiserver-client-kubelet',
    );
    expect(request?.spec.username).toBe('system:bootstrap:abcdef');
    expect(await readFile(join(dir, 'kubelet.conf'), 'utf8')).toContain(
      JSON.stringify(join(dir, 'pki', 'kubelet-client-current.pem')),
    );
  });

  it('serves nothing before its serving certificate is approved, and then for its addresses', async () => {
    const pending = await until('the request is there', async () => {
      const { items } = await plane.get<{
        items: { metadata: { name: string }; spec: { signerName: string } }[];
      }>('csr');
      return items.find(({ spec }) => spec.signerName === 'kubernetes.io/kubelet-serving');
    });
    expect(existsSync(join(dir, 'pki', 'kubelet-server-current.pem'))).toBe(false);
    await expect(read('/healthz')).rejects.toThrow(/handshake failure/);
    await plane.kubectl('certificate', 'approve', pending.metadata.name);
    await until('it is served', async () => (await read('/healthz')).code !== undefined);
    const { subjectAltName } = await certificate('kubelet-server');
    expect(subjectAltName).toBe(`DNS:${nodeName}, IP Address:127.0.0.1`);
  });

  it('needs the bootstrap credential only once', async () => {
    const before = (await certificate('kubelet-client')).serialNumber;
    await agent.stop();
    await plane.kubectl('delete', 'clusterrolebinding', 'join', 'approve');
    // As kubeadm does.
    await rm(join(plane.dir, 'bootstrap.kubeconfig'));
    await agent.start();
    await until('it is served', async () => (await read('/healthz')).code !== undefined);
    expect((await certificate('kubelet-client')).serialNumber).toBe(before);
  });
});

describe('kubectl', () => {
  beforeAll(async () => {
    await plane.create(pod('shell', 'echo first; echo second; while read line; do echo "got $line"; done'));
    await podReady(plane, 'shell');
  });

  it('reads logs, and parts of them', async () => {
    expect(await plane.kubectl('logs', 'shell')).toBe('first\nsecond\n');
    expect(await plane.kubectl('logs', 'shell', '--tail=1')).toBe('second\n');
    expect(await plane.kubectl('logs', 'shell', '--limit-bytes=3')).toBe('fir');
    expect(await plane.kubectl('logs', 'shell', '--timestamps', '--tail=1')).toMatch(/^\d{4}-\S+Z second\n$/);
    expect(await plane.kubectl('logs', 'shell', '--since=1h')).toBe('first\nsecond\n');
    expect((await kubectl(['logs', 'shell', '--previous'])).stderr).toContain(
      'previous terminated container "main" in pod "shell" not found',
    );
  });

  it('runs commands with their input and exit code', async () => {
    expect(
      await kubectl(['exec', '-i', 'shell', '--', 'sh', '-c', 'cat; echo oops >&2; exit 7'], 'input\n'),
    ).toEqual({
      code: 7,
      stdout: 'input\n',
      stderr: 'oops\ncommand terminated with exit code 7\n',
    });
    const many = await Promise.all(
      Array.from({ length: 5 }, (_, i) => kubectl(['exec', 'shell', '--', 'echo', String(i)])),
    );
    expect(many.map(({ stdout }) => stdout)).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n']);
  });

  it('copies files in and out', async () => {
    const data = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => (i * 7919) % 251));
    const [here, there, back] = ['here', 'there', 'back'].map((name) => join(dir, name));
    await writeFile(here!, data);
    await plane.kubectl('cp', here!, `shell:${there}`);
    await plane.kubectl('cp', `shell:${there}`, back!);
    expect((await readFile(back!)).equals(data)).toBe(true);
  });

  it('attaches to the main process', async () => {
    const child = startKubectl('attach', '-i', 'shell');
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until('it answers', async () => {
      child.stdin.write('hello\n');
      return output.includes('got hello');
    });
    child.kill();
    await once(child, 'close');
  });

  it('follows a log until the container ends', async () => {
    const follow = kubectl(['logs', '-f', 'shell']);
    await plane.create(pod('short', 'echo a; sleep 2; echo b'));
    await until('it has started', async () =>
      (await plane.kubectl('logs', 'short').catch(() => '')).includes('a'),
    );
    expect((await kubectl(['logs', '-f', 'short'])).stdout).toContain('a\nb\n');
    await plane.kubectl('delete', 'pod', 'shell', '--wait=false');
    expect((await follow).stdout).toMatch(/^first\nsecond\n/);
  });

  it('forwards ports', async () => {
    await plane.create(pod('web', 'exec sleep 1000'));
    await podReady(plane, 'web');
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      text(socket).then(
        (said) => socket.end(`${said} from the pod`),
        () => socket.destroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const child = startKubectl('port-forward', 'web', `:${(server.address() as AddressInfo).port}`);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const local = await until('it listens', async () => /127\.0\.0\.1:(\d+)/.exec(output)?.[1]);
    const client = connect(Number(local), '127.0.0.1');
    client.end('hello');
    expect(await text(client)).toBe('hello from the pod');
    child.kill();
    await once(child, 'close');
    server.close();
  });
});

describe('a service account', () => {
  it('reads the metrics that it may, and nothing else', async () => {
    await plane.kubectl('create', 'serviceaccount', 'scraper');
    await plane.kubectl('create', 'clusterrole', 'scraper', '--verb=get', '--resource=nodes/metrics');
    await plane.kubectl(
      ...[
        'create',
        'clusterrolebinding',
        'scraper',
        '--clusterrole=scraper',
        '--serviceaccount=default:scraper',
      ],
    );
    const token = (await plane.kubectl('create', 'token', 'scraper')).trim();
    const as = { headers: { authorization: `Bearer ${token}` } };
    await until('the role is known', async () => (await read('/metrics/resource', as)).code === 200);
    expect((await read('/metrics/resource', as)).body).toMatch(
      /^node_cpu_usage_seconds_total [\d.e+]+ \d+$/m,
    );
    const told = (await read('/metrics', as)).body;
    const seen = new Set([...told.matchAll(/^([a-z_]+)(?=[{ ])/gm)].map(([, name]) => name));
    // What the alerts and dashboards for kubelets ask for, and a node without trouble has.
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'kubelet_certificate_manager_client_ttl_seconds',
        'kubelet_cgroup_manager_duration_seconds_bucket',
        'kubelet_cgroup_version',
        'kubelet_containers_per_pod_count_bucket',
        'kubelet_pleg_last_seen_seconds',
        'kubelet_pleg_relist_duration_seconds_bucket',
        'kubelet_pod_start_sli_duration_seconds_bucket',
        'kubelet_pod_start_total_duration_seconds_bucket',
        'kubelet_pod_status_sync_duration_seconds_bucket',
        'kubelet_pod_worker_duration_seconds_bucket',
        'kubelet_run_podsandbox_duration_seconds_bucket',
        'kubelet_running_containers',
        'kubelet_running_pods',
        'kubelet_runtime_operations_total',
        'kubernetes_build_info',
        'process_cpu_seconds_total',
        'process_resident_memory_bytes',
        'rest_client_request_duration_seconds_bucket',
        'rest_client_requests_total',
        'storage_operation_duration_seconds_bucket',
      ]),
    );
    expect(await read('/pods', as)).toEqual({
      code: 403,
      body: 'Forbidden (user=system:serviceaccount:default:scraper, verb=get, resource=nodes, subresource(s)=[pods proxy])\n',
    });
    expect((await read('/stats/summary', as)).code).toBe(403);
    expect(await read('/pods')).toEqual({ code: 401, body: 'Unauthorized' });
    expect((await read('/pods', { headers: { authorization: 'Bearer wrong' } })).code).toBe(401);
  });
});

/** Of the node itself, whose certificate is the cluster's. */
async function read(
  path: string,
  options: RequestOptions = {},
): Promise<{ code: number | undefined; body: string }> {
  const ca = await readFile(plane.certificates.certFile);
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, ca, agent: false, ...options }, (res) => {
      text(res).then((body) => resolve({ code: res.statusCode, body }), reject);
    }).on('error', reject);
  });
}
