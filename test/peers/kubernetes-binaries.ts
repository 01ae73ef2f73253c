/**
 * Programs of Kubernetes and of its end-to-end tests, built from the module k8s.io/kubernetes with the requirements of
 * its own go.mod, and kept in the test cache. The Go that builds them is the machine's where that is new enough, else
 * Debian's, unpacked.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from './cache.ts';
import { unpackDebianPackages } from './debian.ts';

const kubernetesVersion = 'v1.34.4';

/** By the package that each is built from. */
const packages = {
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  kubelet: 'k8s.io/kubernetes/cmd/kubelet',
  /** The end-to-end tests, a test binary; `ginkgo`, of the same requirements, runs them. */
  'e2e.test': 'k8s.io/kubernetes/test/e2e',
  ginkgo: 'github.com/onsi/ginkgo/v2/ginkgo',
  /** What the images of the end-to-end tests hold. */
  agnhost: 'k8s.io/kubernetes/test/images/agnhost',
  nonewprivs: 'k8s.io/kubernetes/test/images/nonewprivs',
} as const;
export type KubernetesProgram = keyof typeof packages;

/** Of the Go that the module asks for, and the first that builds it. */
const goLine = '1.24';

/** The directory that holds them, built first where they are missing. */
export async function kubernetesBinaries(...programs: KubernetesProgram[]): Promise<string> {
  const dir = cacheDir(`kubernetes-${kubernetesVersion}`);
  const missing = programs.filter((program) => !existsSync(join(dir, program)));
  if (missing.length > 0) await build(missing, dir);
  return dir;
}

/** The directory of the module that they are built from. */
export async function kubernetesSources(): Promise<string> {
  const env = goEnv();
  const { stdout } = await promisify(execFile)(
    goProgram(),
    ['mod', 'download', '-json', `k8s.io/kubernetes@${kubernetesVersion}`],
    { cwd: cacheDir(`kubernetes-${kubernetesVersion}`), env: { ...env, GOFLAGS: '-modcacherw' } },
  );
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

/** Together: what they share is compiled once, and one is linked while another is compiled. */
async function build(programs: KubernetesProgram[], dir: string): Promise<void> {
  const made = await mkdtemp(join(dir, 'build-'));
  try {
    const env = goEnv();
    const module = await moduleDir();
    const commands = programs.filter((program) => program !== 'e2e.test');
    const go = (...args: string[]) =>
      promisify(execFile)(goProgram(), args, { cwd: module, env, maxBuffer: 2 ** 26 });
    if (commands.length > 0) {
      const from = commands.map((program) => packages[program]);
      await go('build', '-trimpath', '-ldflags', linkerFlags(), '-o', `${made}/`, ...from);
    }
    if (programs.includes('e2e.test')) {
      const to = join(made, 'e2e.test');
      await go('test', '-c', '-trimpath', '-ldflags', linkerFlags(), '-o', to, packages['e2e.test']);
    }
    for (const program of programs) renameSync(join(made, program), join(dir, program));
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr).slice(-2000) : '';
    throw new Error(
      `${programs.join(', ')} ${kubernetesVersion} cannot be built: ${String(error).slice(0, 300)}\n${output}`,
      { cause: error },
    );
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** A module that requires exactly what Kubernetes does; its parts, which are v0.0.0 there, are modules of their own. */
async function moduleDir(): Promise<string> {
  const dir = cacheDir(`kubernetes-${kubernetesVersion}`, 'module');
  const file = join(dir, 'go.mod');
  if (existsSync(file)) return dir;
  const own = readFileSync(join(await kubernetesSources(), 'go.mod'), 'utf8').split('\n');
  const required = own.flatMap((line) => /^\t(\S+) (v\S+)/.exec(line)?.slice(1, 3).join(' ') ?? []);
  const parts = required.filter((line) => line.endsWith(' v0.0.0')).map((line) => line.split(' ')[0]);
  const lines = [
    'module roslet.test/kubernetes',
    ...own.filter((line) => /^(go|godebug) /.test(line)),
    `require k8s.io/kubernetes ${kubernetesVersion}`,
    ...required.filter((line) => !line.endsWith(' v0.0.0')).map((line) => `require ${line}`),
    ...parts.map((name) => `replace ${name} => ${name} ${kubernetesVersion.replace('v1.', 'v0.')}`),
  ];
  writeFileSync(`${file}.new`, `${lines.join('\n')}\n`);
  renameSync(`${file}.new`, file);
  return dir;
}

function linkerFlags(): string {
  const version = 'k8s.io/component-base/version';
  return `-s -w -X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=1 -X ${version}.gitMinor=34`;
}

/** Everything that Go writes goes into the test cache. */
function goEnv(): NodeJS.ProcessEnv {
  const modules = cacheDir('go', 'modules');
  const cache = cacheDir('go', 'build');
  mkdirSync(modules, { recursive: true });
  return {
    ...process.env,
    GOMODCACHE: modules,
    GOCACHE: cache,
    // Or nobody could remove the cache.
    GOFLAGS: '-mod=mod -buildvcs=false -modcacherw',
    GOWORK: 'off',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
  };
}

function goProgram(): string {
  if (isNewEnough('go')) return 'go';
  const root = join(cacheDir(), `go-${goLine}`);
  const go = join(root, 'usr', 'lib', `go-${goLine}`, 'bin', 'go');
  if (!existsSync(go)) {
    const any = () => true;
    unpackDebianPackages({ [`golang-${goLine}-go`]: any, [`golang-${goLine}-src`]: any }, root, (unpacked) =>
      execFileSync(join(unpacked, 'usr', 'lib', `go-${goLine}`, 'bin', 'go'), ['version']),
    );
  }
  return go;
}

function isNewEnough(go: string): boolean {
  try {
    const version = execFileSync(go, ['version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [, minor = '0'] = /go1\.(\d+)/.exec(version) ?? [];
    return Number(minor) >= Number(goLine.split('.')[1]);
  } catch {
    return false;
  }
}
