import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiagnosticArray } from '../messages/gen/diagnostic_msgs.ts';
import { TransitionEvent } from '../messages/gen/lifecycle_msgs.ts';
import { Log } from '../messages/gen/rcl_interfaces.ts';
import { Event, NodeStatus, PodStatusArray } from '../messages/gen/roslet_msgs.ts';
import { TransportError } from '../transport.ts';
import { loadRclnodejs } from './load.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-rcl-'));
});
afterAll(() => rm(dir, { recursive: true }));

/** A package that is found but ends as `source` says. */
async function packageOf(name: string, source: string): Promise<string> {
  const root = join(dir, name, 'node_modules', 'rclnodejs');
  await mkdir(join(root, 'dist'), { recursive: true });
  await writeFile(
    join(root, 'package.json'),
    JSON.stringify({
      name: 'rclnodejs',
      version: '2.2.0',
      type: 'module',
      exports: { '.': './dist/index.js', './package.json': './package.json' },
    }),
  );
  await writeFile(join(root, 'dist', 'index.js'), source);
  return join(dir, name);
}

/** What a distribution has installed, each type with the hash that it is given. */
async function prefixOf(name: string, hashes: Record<string, string>): Promise<string> {
  const prefix = join(dir, name);
  for (const [type, hash] of Object.entries(hashes)) {
    const [pkg = '', kind = '', message = ''] = type.split('/');
    await mkdir(join(prefix, 'share', pkg, kind), { recursive: true });
    const described = { type_hashes: [{ type_name: type, hash_string: hash }] };
    await writeFile(join(prefix, 'share', pkg, kind, `${message}.json`), JSON.stringify(described));
  }
  return prefix;
}

const ours = Object.fromEntries(
  [PodStatusArray, NodeStatus, Event, DiagnosticArray, TransitionEvent, Log].map(({ name, typeHash }) => [
    name,
    typeHash,
  ]),
);

async function failure(options: Parameters<typeof loadRclnodejs>[0]): Promise<string> {
  const err: unknown = await loadRclnodejs(options).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(err).toBeInstanceOf(TransportError);
  expect((err as TransportError).isTransient).toBe(false);
  return (err as TransportError).message;
}

describe('what keeps rclnodejs from being used is said in a sentence', () => {
  it('no ROS 2', async () => {
    expect(await failure({ env: {}, path: dir })).toMatch(/^no ROS 2 is sourced/);
  });

  it('no package', async () => {
    const message = await failure({ env: { AMENT_PREFIX_PATH: '/none' }, path: join(dir, 'empty') });
    expect(message).toContain(`is not in ${join(dir, 'empty', 'node_modules')}`);
    expect(message).toContain('ros.rclnodejsPath');
  });

  it('no messages of ours, or others', async () => {
    const path = await packageOf('a', '');
    const none = await prefixOf('none', { ...ours, [PodStatusArray.name]: '' });
    await rm(join(none, 'share', 'roslet_msgs'), { recursive: true });
    expect(await failure({ env: { AMENT_PREFIX_PATH: none }, path })).toMatch(
      /^roslet_msgs\/msg\/PodStatusArray is not installed/,
    );
    const other = await prefixOf('other', { ...ours, [NodeStatus.name]: 'RIHS01_0' });
    expect(await failure({ env: { AMENT_PREFIX_PATH: `/nothing:${other}` }, path })).toMatch(
      /^roslet_msgs\/msg\/NodeStatus is another version/,
    );
  });

  it('an addon that does not load, in a process that is not ours', async () => {
    const AMENT_PREFIX_PATH = await prefixOf('good', ours);
    const broken = await packageOf('b', "throw new Error('librcl.so: cannot open shared object file')");
    expect(await failure({ env: { AMENT_PREFIX_PATH }, path: broken })).toContain(
      'cannot be loaded: librcl.so: cannot open shared object file',
    );
    const crashing = await packageOf('c', 'process.abort()');
    expect(await failure({ env: { AMENT_PREFIX_PATH }, path: crashing })).toContain('cannot be loaded');
  });
});
