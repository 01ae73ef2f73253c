/** Configuration of a test containerd: everything it writes is below its own directory, all traffic stays local. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerdLine } from './containerd-binaries.ts';
import { pauseImage } from './images.ts';

export interface ContainerdPaths {
  root: string;
  state: string;
  socket: string;
  config: string;
  cniConfDir: string;
  /** Of hosts.toml files: which registry stands for which host. */
  certsDir: string;
}

export interface RuncOptions {
  /** Program that runs the containers of the handler `other` in place of runc. */
  otherRunc?: string;
  /** Has runc put the containers into scopes of systemd, which must run the machine. */
  systemdCgroup?: boolean;
}

export function containerdPaths(dir: string): ContainerdPaths {
  return {
    root: join(dir, 'root'),
    state: join(dir, 'state'),
    socket: join(dir, 'containerd.sock'),
    config: join(dir, 'config.toml'),
    cniConfDir: join(dir, 'cni'),
    certsDir: join(dir, 'certs.d'),
  };
}

export function writeContainerdConfig(
  paths: ContainerdPaths,
  dir: string,
  line: ContainerdLine,
  network: { bridge: string; subnet: string },
  options: RuncOptions,
): void {
  for (const path of [paths.root, paths.state, paths.cniConfDir, paths.certsDir]) {
    mkdirSync(path, { recursive: true });
  }
  writeFileSync(paths.config, line === '2.x' ? version3(paths, dir, options) : version2(paths, dir, options));
  writeFileSync(join(paths.cniConfDir, '10-test.conflist'), JSON.stringify(cniConfig(dir, network)));
}

/** Lowering a process's oom_score_adj needs it, and test machines in containers often lack it. */
function hasCapSysResource(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
}

const quote = (path: string): string => JSON.stringify(path);

const common = (paths: ContainerdPaths, dir: string): string => `
root = ${quote(paths.root)}
state = ${quote(paths.state)}
[grpc]
  address = ${quote(paths.socket)}
[plugins."io.containerd.internal.v1.opt"]
  path = ${quote(join(dir, 'opt'))}
`;

/** `netns_mounts_under_state_dir`: an \`ip netns add\` by anyone makes removal from /run/netns fail with EBUSY. */
const runtimeOptions = (): string => `
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = ${!hasCapSysResource()}`;

const runc = (dir: string, systemdCgroup = false, binary = 'runc'): string => `
  runtime_type = "io.containerd.runc.v2"
  options = { SystemdCgroup = ${systemdCgroup}, Root = ${quote(join(dir, 'runc'))}, BinaryName = ${quote(binary)} }
`;

function version2(paths: ContainerdPaths, dir: string, { otherRunc, systemdCgroup }: RuncOptions): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
${common(paths, dir)}
[${cri}]${runtimeOptions()}
  sandbox_image = "${pauseImage}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_cdi = false
[${cri}.registry]
  config_path = ${quote(paths.certsDir)}
[${cri}.cni]
  bin_dir = "${cniBinDir()}"
  conf_dir = ${quote(paths.cniConfDir)}
[${cri}.containerd.runtimes.runc]${runc(dir, systemdCgroup)}
[${cri}.containerd.runtimes.other]${runc(dir, systemdCgroup, otherRunc)}
`;
}

function version3(paths: ContainerdPaths, dir: string, { otherRunc, systemdCgroup }: RuncOptions): string {
  const runtime = 'plugins."io.containerd.cri.v1.runtime"';
  const images = 'plugins."io.containerd.cri.v1.images"';
  return `version = 3
${common(paths, dir)}
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
[${images}.pinned_images]
  sandbox = "${pauseImage}"
[${images}.registry]
  config_path = ${quote(paths.certsDir)}
[${runtime}]${runtimeOptions()}
  enable_cdi = false
[${runtime}.cni]
  bin_dirs = ["${cniBinDir()}"]
  conf_dir = ${quote(paths.cniConfDir)}
[${runtime}.containerd.runtimes.runc]${runc(dir, systemdCgroup)}
[${runtime}.containerd.runtimes.other]${runc(dir, systemdCgroup, otherRunc)}
`;
}

function cniBinDir(): string {
  const dir = ['/usr/lib/cni', '/opt/cni/bin'].find((candidate) => existsSync(join(candidate, 'bridge')));
  if (dir === undefined)
    throw new Error('CNI plugins are missing: apt-get install containernetworking-plugins');
  return dir;
}

const cniConfig = (dir: string, network: { bridge: string; subnet: string }) => ({
  cniVersion: '1.0.0',
  name: network.bridge,
  plugins: [
    {
      type: 'bridge',
      bridge: network.bridge,
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: join(dir, 'ipam'),
        ranges: [[{ subnet: network.subnet }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});
