/** The agents that are measured: ours and, for comparison, the Go kubelet without a control plane. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupsBelow, TestAgent } from '../test/agent.ts';

export interface BenchAgent {
  /** Lines of a PodSpec that put the pod on the measured runtime. */
  readonly podFields: string;
  readonly pid: number;
  start(): Promise<void>;
  apply(name: string, manifest: string): Promise<void>;
  unapply(name: string): Promise<void>;
  /** Waits until nothing of any pod runs. */
  allGone(): Promise<void>;
  /** Ends the agent hard, starts it, and returns the milliseconds until it answers. */
  restart(): Promise<number>;
  remove(): Promise<void>;
}

export async function roslet(criEndpoint?: string): Promise<BenchAgent> {
  const config = 'maxPods: 250\n';
  const agent = await TestAgent.create(criEndpoint === undefined ? { config } : { config, criEndpoint });
  return {
    podFields: criEndpoint === undefined ? '  runtimeClassName: host-process\n' : '',
    get pid() {
      return agent.pid;
    },
    start: () => agent.start(),
    apply: (name, manifest) => agent.apply(`${name}.yaml`, manifest),
    unapply: (name) => agent.unapply(`${name}.yaml`),
    allGone: () => poll(async () => (await agent.pods()).length === 0),
    async restart() {
      await agent.stop('SIGKILL');
      const from = performance.now();
      await agent.start();
      return performance.now() - from;
    },
    async remove() {
      await agent.remove();
    },
  };
}

/** Standalone, as `kubelet --config` without a kubeconfig runs: static pods only. */
export async function goKubelet(program: string, scratch: string, criEndpoint: string): Promise<BenchAgent> {
  const dir = await mkdtemp(join(scratch, 'kubelet-'));
  const manifests = join(dir, 'manifests');
  const cgroup = `/roslet-bench-${dir.slice(-6)}`;
  await mkdir(manifests);
  await writeFile(
    join(dir, 'config.yaml'),
    `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: ${manifests}
fileCheckFrequency: 1s
cgroupRoot: ${cgroup}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
enableServer: false
healthzPort: 18248
containerRuntimeEndpoint: ${criEndpoint}
podLogsDir: ${join(dir, 'logs')}
maxPods: 250
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
`,
  );
  for (const root of cgroupsBelow('/').filter((path) => path.split('/').length <= 5)) {
    await mkdir(join(root, cgroup), { recursive: true }).catch(() => undefined);
  }
  let child: ChildProcess | undefined;
  const start = async () => {
    const log = openSync(join(dir, 'log'), 'a');
    const args = [
      '--config',
      join(dir, 'config.yaml'),
      '--root-dir',
      join(dir, 'root'),
      '--cert-dir',
      join(dir, 'pki'),
    ];
    child = spawn(program, [...args, '--hostname-override', 'bench'], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    await poll(async () => (await fetch('http://127.0.0.1:18248/healthz')).ok);
  };
  const stop = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const path = (name: string) => join(manifests, `${name}.yaml`);
  return {
    podFields: '',
    get pid() {
      return child!.pid!;
    },
    start,
    async apply(name, manifest) {
      await writeFile(join(dir, 'next.yaml'), manifest);
      await rename(join(dir, 'next.yaml'), path(name));
    },
    unapply: (name) => rm(path(name)),
    allGone: () => poll(async () => cgroupsBelow(cgroup).every((c) => !/\/pod[^/]+$/.test(c))),
    async restart() {
      await stop();
      const from = performance.now();
      await start();
      return performance.now() - from;
    },
    async remove() {
      for (const file of readdirSync(manifests)) await rm(join(manifests, file));
      await sleep(5000);
      await stop();
    },
  };
}

/** A pod that appends a line to `<marks>/<name>` at each start. */
export function podManifest(
  name: string,
  podFields: string,
  marks: string,
  options: { crashOnce?: boolean; probe?: boolean } = {},
): string {
  const live = 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done';
  const act = `echo started >> /marks/${name}`;
  const crash = `[ $(wc -l < /marks/${name}) -gt 1 ] || { : > /marks/${name}.end; exit 1; }`;
  const probe = '    readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n';
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
${podFields}  hostNetwork: true
  terminationGracePeriodSeconds: 5
  volumes: [{name: marks, hostPath: {path: ${marks}}}]
  containers:
  - name: main
    image: docker.io/library/busybox:local
    command: [sh, -c, ${JSON.stringify([act, ...(options.crashOnce ? [crash] : []), live].join('; '))}]
    volumeMounts: [{name: marks, mountPath: /marks}]
${options.probe ? probe : ''}`;
}

async function poll(done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 180_000;
  while (Date.now() < deadline) {
    if (await done().catch(() => false)) return;
    await sleep(5);
  }
  throw new Error('the agent did not come to rest within 3 minutes');
}
