/** Pods whose nodes are on Fast DDS, as ROS 2 is unless told otherwise: they hear each other and the machine's nodes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { nodeName, TestAgent, until } from '../agent.ts';
import { installPlainJazzy } from '../peers/ros/peer.ts';

const domainId = 42;
/** Fast DDS finds others by multicast, in a network where nobody else is. */
const ownNetwork = [
  'unshare',
  '--net',
  'sh',
  '-c',
  'ip link set lo up; ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo; exec "$@"',
  'sh',
];
let agent: TestAgent;
let jazzy: string;
let outside: ChildProcess | undefined;

beforeAll(async () => {
  jazzy = await installPlainJazzy();
  agent = await TestAgent.create({
    through: ownNetwork,
    ros: `{transport: cyclone, domainId: ${domainId}, discoveryRange: localhost, robotName: r2-d2}`,
  });
  await agent.start();
}, 900_000);
afterAll(async () => {
  if (outside !== undefined) {
    const ended = once(outside, 'exit');
    outside.kill('SIGKILL');
    await ended;
  }
  await agent?.remove();
});

const environment = (): Record<string, string> => ({
  PATH: '/usr/bin:/bin',
  AMENT_PREFIX_PATH: jazzy,
  LD_LIBRARY_PATH: join(jazzy, 'lib'),
  RMW_IMPLEMENTATION: 'rmw_fastrtps_cpp',
  ROS_DOMAIN_ID: `${domainId}`,
  ROS_LOG_DIR: '/tmp',
  PYTHONDONTWRITEBYTECODE: '1',
});

/** Of a node that runs `body`. */
const commandLine = (name: string, body: string): string[] => [
  join(jazzy, 'bin', 'python'),
  '-u',
  '-c',
  `
import rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node('${name}')
${body}
rclpy.spin(node)`,
];

/** On the host's network. */
const manifest = (name: string, body: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      runtimeClassName: 'host-process',
      hostNetwork: true,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: 'none',
          command: commandLine(name, body),
          env: Object.entries(environment()).map(([name, value]) => ({ name, value })),
        },
      ],
    },
  });

it('hear each other, and the nodes of the machine hear them, although none shares memory with another', async () => {
  const listen = `node.create_subscription(String, '/said', lambda m: print('heard', m.data), 10)`;
  let heardOutside = '';
  const args = ['--net', `--target=${agent.pid}`, ...commandLine('outside', listen)];
  outside = spawn('nsenter', args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  outside.stdout!.on('data', (text: Buffer) => {
    heardOutside += text;
  });
  const talk = `said = node.create_publisher(String, '/said', 10)
node.create_timer(0.1, lambda: said.publish(String(data='hello')))`;
  await agent.apply('listener.yaml', manifest('listener', listen));
  await agent.apply('talker.yaml', manifest('talker', talk));
  await until(
    'a pod hears',
    async () => (await agent.tryCli('logs', `listener-${nodeName}`)).output.includes('heard hello'),
    60_000,
  );
  await until('a node of the machine hears', async () => heardOutside.includes('heard hello'), 60_000);
});
