/** `roslet ros …` as a user of a machine without ROS 2 types it, on a domain of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../agent.ts';

const roslet = join(import.meta.dirname, '..', '..', 'bin', 'roslet');
const env = { ...process.env, ROS_DOMAIN_ID: '96', ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST' };

const running: ChildProcess[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
  }
});

function start(...args: string[]): { output: () => string } {
  const child = spawn(roslet, ['ros', ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { output: () => text };
}

const run = async (...args: string[]) =>
  (await promisify(execFile)(roslet, ['ros', ...args], { env })).stdout;

const failure = (...args: string[]): Promise<string> =>
  promisify(execFile)(roslet, ['ros', ...args], { env }).then(
    () => 'it did not fail',
    (err: { stderr: string }) => err.stderr.trim(),
  );

describe('roslet ros', () => {
  it('publishes, shows what is on the graph, and prints what is published', async () => {
    start('pub', '/chatter', '--data', '{data: hello}', '--rate', '20', '--node', 'talker');
    start('pub', '/camera/heartbeat', '--type', 'std_msgs/msg/Empty', '--rate', '20');
    const { output } = start('echo', '/chatter');
    await until('it is heard', async () => output().startsWith('data: hello\n---\n'));
    expect(await run('echo', 'camera/heartbeat', '--once')).toBe('{}\n---\n');
    const topics = await run('topics');
    expect(topics).toMatch(/^\/camera\/heartbeat +std_msgs\/msg\/Empty +1 +0$/m);
    expect(topics).toMatch(/^\/chatter +std_msgs\/msg\/String +1 +1$/m);
    const nodes = (await run('nodes')).split('\n');
    expect(nodes).toContain('/talker');
    expect(nodes.some((node) => node.startsWith('/_roslet_cli'))).toBe(false);
    expect(await run('services')).toMatch(/^SERVICE +TYPE +SERVERS/);
  });

  it('publishes as often as it is told to, and ends', async () => {
    const { output } = start('echo', '/three');
    start('pub', '/three', '--rate', '10', '--times', '1000', '--data', '{data: x}');
    await until('some came', async () => output().split('---').length > 3);
    expect(await run('pub', '/alone', '--times', '3', '--rate', '100')).toBe('');
  });

  it.each([
    [
      ['pub', '/x', '--data', '{dta: 1}'],
      'roslet: --data: std_msgs/msg/String has no field dta; it has data',
    ],
    [['pub', '/x', '--data', '[1]'], 'roslet: --data must be a mapping of fields, such as {data: hello}'],
    [['pub', '/x', '--data', '{data: [}'], /^roslet: --data is no YAML: /],
    [['pub', '/x', '--data', '{data: 3}'], /^roslet: --data is no std_msgs\/msg\/String: /],
    [['pub', '/x', '--type', 'foo_msgs/msg/Bar'], /There is no definition of foo_msgs\/msg\/Bar/],
    [['pub', '/x', '--rate', '0'], /It must be a number above 0\./],
  ])('refuses %j with one sentence', async (args, expected) => {
    const said = await failure(...args);
    if (typeof expected === 'string') expect(said).toBe(expected);
    else expect(said).toMatch(expected);
  });

  it.each([
    ['ROS_DOMAIN_ID', 'zero', "is 'zero'; it must be a number from 0 to 232"],
    [
      'ROS_SECURITY_ENABLE',
      'true',
      'is true, and the embedded transport has no SROS2 and does not speak in the clear instead: use ros2, or unset that variable to look at what is said without it',
    ],
    [
      'RMW_IMPLEMENTATION',
      'rmw_zenoh_cpp',
      'is rmw_zenoh_cpp, and the embedded transport speaks DDS alone: use ros2, or unset that variable to look at what is said without it',
    ],
  ])('says what is wrong with the environment: %s=%s', async (variable, value, problem) => {
    const { stderr } = await promisify(execFile)(roslet, ['ros', 'topics'], {
      env: { ...env, [variable]: value },
    }).catch((err: { stderr: string }) => err);
    expect(stderr).toBe(`roslet: ${variable} ${problem}\n`);
  });
});
