/** A pod of host processes on a CNI network, with the plugins that distributions ship, away from the host's network. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileOciRuntime, removeExits } from '../../runtime/contract/process.ts';
import { cgroups } from '../../runtime/process/cgroups.ts';

const run = promisify(execFile);
let workDir = '';

beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'roslet-cni-'));
  await compileOciRuntime(join(workDir, 'roslet-oci'));
  await mkdir(join(workDir, 'net.d'));
});

afterAll(async () => {
  await cgroups().remove(`/${basename(workDir)}`);
  await removeExits(join(workDir, 'process'));
  await rm(workDir, { recursive: true });
});

const list = (plugins: object[]): string => JSON.stringify({ cniVersion: '1.0.0', name: 'pods', plugins });

const ptp = () => ({
  type: 'ptp',
  ipam: { type: 'host-local', dataDir: join(workDir, 'ipam'), ranges: [[{ subnet: '10.99.7.0/24' }]] },
});

async function runPod(): Promise<unknown> {
  const script = join(import.meta.dirname, 'cni-pod.ts');
  const pod = [script, workDir, join(workDir, 'roslet-oci'), `/${basename(workDir)}/pod`];
  const { stdout } = await run('unshare', ['--net', process.execPath, ...pod]);
  return JSON.parse(stdout);
}

test('a pod gets its address from CNI and gives it back, with any agent', async () => {
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: false };
  await writeFile(join(workDir, 'net.d', '10-pods.conflist'), list([ptp(), portmap]));
  expect(await runPod()).toEqual({
    running: { ips: ['10.99.7.2'], leased: ['10.99.7.2'], devices: 1 },
    stopped: { ips: [], leased: [], devices: 0 },
  });
});

test('a plugin that fails fails the sandbox with its reason, and nothing is left', async () => {
  await writeFile(join(workDir, 'net.d', '10-pods.conflist'), list([ptp(), { type: 'no-such-plugin' }]));
  await expect(runPod()).rejects.toThrow(/CNI plugin no-such-plugin is in none of/);
  expect((await readdir(join(workDir, 'ipam', 'pods'))).filter((name) => /^\d/.test(name))).toEqual([]);
  expect(await readdir(join(workDir, 'process', 'sandboxes'))).toEqual([]);
});
