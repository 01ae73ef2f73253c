/**
 * Container images for tests, made on the spot from the machine's static busybox and a small C program: OCI archives
 * that containerd imports and `registry.ts` serves. Built once, kept in the cache.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { cacheDir } from './cache.ts';
import { type TarEntry, tar } from './tar.ts';

export const pauseImage = 'registry.k8s.io/pause:local';
/** A shell and the usual small tools; runs as root. */
export const busyboxImage = 'docker.io/library/busybox:local';
/** The same, with `USER nobody`, `STOPSIGNAL SIGINT`, an entrypoint and an environment. */
export const configuredImage = 'docker.io/library/configured:local';

export interface TestImage {
  name: string;
  /** OCI layout as a tar file. */
  archive: string;
}

export interface ImageConfig {
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  User?: string;
  WorkingDir?: string;
  StopSignal?: string;
}

export const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function testImages(): TestImage[] {
  return [
    image(pauseImage, pauseFiles, { Entrypoint: ['/pause'], User: '65535:65535' }),
    image(busyboxImage, busyboxFiles, { Env: [path], Cmd: ['sh'] }),
    image(configuredImage, busyboxFiles, {
      Env: [path, 'FROM_IMAGE=yes'],
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['sleep 1000'],
      User: 'nobody',
      WorkingDir: '/tmp',
      StopSignal: 'SIGINT',
    }),
  ];
}

export function image(name: string, files: () => TarEntry[], config: ImageConfig): TestImage {
  const key = sha256(Buffer.from(JSON.stringify([name, config, recipe]))).slice(0, 12);
  const archive = join(cacheDir('images'), `${name.replaceAll(/[^a-z0-9]+/g, '-')}-${key}.tar`);
  if (!existsSync(archive)) {
    writeFileSync(`${archive}.${process.pid}`, ociArchive(name, files(), config));
    renameSync(`${archive}.${process.pid}`, archive);
  }
  return { name, archive };
}

/** Changes when the files of an image change, so that the cache is not asked for old ones. */
const recipe = 2;

const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;

function ociArchive(name: string, files: TarEntry[], config: ImageConfig): Buffer {
  const created = '2026-01-01T00:00:00Z';
  const layer = tar(files);
  const compressed = gzipSync(layer);
  const configBlob = json({
    architecture,
    os: 'linux',
    created,
    config,
    rootfs: { type: 'layers', diff_ids: [digest(layer)] },
    history: [{ created, created_by: 'roslet test' }],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', configBlob),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', compressed)],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'io.containerd.image.name': name },
        platform: { architecture, os: 'linux' },
      },
    ],
  });
  return tar([
    { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', content: index },
    ...[configBlob, compressed, manifest].map((blob) => ({
      path: `blobs/sha256/${sha256(blob)}`,
      content: blob,
    })),
  ]);
}

export function busyboxFiles(): TarEntry[] {
  const program = ['/bin/busybox', '/usr/bin/busybox'].find((candidate) => existsSync(candidate));
  if (program === undefined) throw new Error('busybox is missing: apt-get install busybox-static');
  const applets = execFileSync(program, ['--list'], { encoding: 'utf8' })
    .split('\n')
    .filter((applet) => applet !== '' && applet !== 'busybox');
  return [
    ...['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var'].map((dir) => ({
      path: `${dir}/`,
      mode: 0o755,
    })),
    { path: 'tmp/', mode: 0o1777 },
    { path: 'etc/passwd', content: text('root:x:0:0:root:/root:/bin/sh', 'nobody:x:65534:65534::/:/bin/sh') },
    { path: 'etc/group', content: text('root:x:0:', 'nogroup:x:65534:', 'extra:x:4242:nobody') },
    { path: 'bin/busybox', mode: 0o755, content: readFileSync(program) },
    { path: 'usr/bin/env', link: '/bin/busybox' },
    ...applets.map((applet) => ({ path: `bin/${applet}`, link: 'busybox' })),
  ];
}

/** The sandbox's main process: waits for the end, and reaps when it is the pod's pid 1. */
const pauseSource = `
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) {
  signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap);
  for (;;) pause();
}
`;

export function pauseFiles(): TarEntry[] {
  return [{ path: 'pause', mode: 0o755, content: compiled(pauseSource) }];
}

/** A static program of that C source. */
export function compiled(source: string): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'roslet-cc-'));
  try {
    execFileSync('gcc', ['-Os', '-static', '-s', '-o', join(dir, 'out'), '-xc', '-'], { input: source });
    return readFileSync(join(dir, 'out'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export const text = (...lines: string[]): Buffer => Buffer.from(`${lines.join('\n')}\n`);
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const sha256 = (blob: Buffer): string => createHash('sha256').update(blob).digest('hex');
const digest = (blob: Buffer): string => `sha256:${sha256(blob)}`;
const descriptor = (mediaType: string, blob: Buffer) => ({
  mediaType,
  digest: digest(blob),
  size: blob.length,
});
