/** `roslet doctor` on this machine, whatever it is like: what the test changes about it is found. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Finding } from '../src/doctor/findings.ts';

const program = new URL('../bin/roslet', import.meta.url).pathname;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rt-'));
});
afterAll(() => rm(dir, { recursive: true }));

interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

async function doctor(args: string[], env: Record<string, string> = {}): Promise<Answer> {
  const options = {
    env: { ...process.env, ROS_DOMAIN_ID: '86', ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST', ...env },
  };
  return promisify(execFile)(program, ['doctor', ...args], options).then(
    ({ stderr, stdout }) => ({ code: 0, stdout, stderr }),
    (err: Answer) => err,
  );
}

const found = async (args: string[], env?: Record<string, string>): Promise<Finding[]> =>
  JSON.parse((await doctor(['-o', 'json', ...args], env)).stdout) as Finding[];

it('prints each finding with its fix, and fails when one does', async () => {
  const { code, stdout } = await doctor([]);
  const lines = stdout.trimEnd().split('\n');
  for (const line of lines) expect(line).toMatch(/^(OK {2}|WARN|FAIL) \w|^ +fix: \w/);
  const all = await found([]);
  expect(lines.filter((line) => !line.startsWith(' '))).toHaveLength(all.length);
  expect(lines.filter((line) => line.startsWith(' '))).toHaveLength(all.filter(({ fix }) => fix).length);
  expect(all.map(({ area }) => area)).toEqual(
    expect.arrayContaining(['kernel', 'sockets', 'shared memory', 'time', 'cgroups', 'runtimes', 'ROS 2']),
  );
  expect(code).toBe(all.some(({ level }) => level === 'fail') ? 1 : 0);
});

it('says which transport runs, and why another does not', async () => {
  const cyclone = (await found([], { AMENT_PREFIX_PATH: '' })).filter(({ area }) => area === 'ROS 2');
  expect(cyclone.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^the bridge runs on cyclone \(.*\), because no ROS 2 is sourced$/),
  );
  const sourced = { AMENT_PREFIX_PATH: dir, ROS_DISTRO: 'jazzy' };
  const [distro, bridge] = (await found([], sourced)).filter(({ area }) => area === 'ROS 2');
  expect(distro?.message).toBe('jazzy is sourced');
  expect(bridge?.message).toMatch(/runs on cyclone .* because the package rclnodejs is not/);
  await writeFile(
    join(dir, 'config.yaml'),
    'apiVersion: roslet.dev/v1alpha1\nkind: RosletConfiguration\nros: {transport: rclnodejs}\n',
  );
  const asked = await found(['--config', join(dir, 'config.yaml')], { AMENT_PREFIX_PATH: '' });
  expect(asked).toContainEqual(
    expect.objectContaining({
      level: 'fail',
      message: expect.stringMatching(/not on the graph: rclnodejs: no ROS 2 is sourced/),
    }),
  );
  const secured = await found([], { AMENT_PREFIX_PATH: '', ROS_SECURITY_ENABLE: 'true' });
  expect(secured).toContainEqual(
    expect.objectContaining({
      level: 'fail',
      message: expect.stringMatching(/not on the graph: cyclone: ROS_SECURITY_ENABLE is true/),
    }),
  );
  const wrong = await doctor([], { ROS_DOMAIN_ID: '999' });
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain("ROS_DOMAIN_ID is '999'");
  await writeFile(join(dir, 'config.yaml'), 'kind: KubeletConfiguration\nfoo: 1\n');
  expect((await doctor(['--config', join(dir, 'config.yaml')])).stderr).toContain('config.yaml');
});

it('counts shared memory that no process uses any more', async () => {
  // With a /dev/shm of its own, where nobody else's files come and go.
  const lookWith = async (held: string): Promise<string> => {
    const script = `
      mount -t tmpfs none /dev/shm
      echo segment > /dev/shm/fastrtps_0123456789abcdef
      echo lock > /dev/shm/fastrtps_0123456789abcdef_el
      echo semaphore > /dev/shm/sem.fastrtps_port7413_mutex
      echo other > /dev/shm/of_somebody_else
      ${held}
      exec ${program} doctor -o json`;
    const args = ['-m', '--propagation', 'private', 'sh', '-ec', script];
    const env = { ...process.env, ROS_DOMAIN_ID: '86', ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST' };
    const { stdout } = await promisify(execFile)('unshare', args, { env });
    return (JSON.parse(stdout) as Finding[]).find(({ area }) => area === 'shared memory')!.message;
  };
  expect(await lookWith('')).toMatch(/^3 files of DDS/);
  expect(await lookWith('exec 9< /dev/shm/fastrtps_0123456789abcdef')).toMatch(/^1 file of DDS/);
  expect(await lookWith('rm /dev/shm/*fastrtps*')).toBe('no leftovers of DDS in /dev/shm');
});
