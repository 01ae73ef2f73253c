/**
 * A network namespace whose only way to this machine leads through a router, in a namespace of its own. The router can
 * lose every packet without a word, as a robot out of radio range sees it: no reset, no carrier lost, nothing unreachable.
 * All goes with the processes that hold the namespaces, which end with the test.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { until } from '../agent.ts';

export interface LossyWay {
  /** Of this machine, as seen from both ends. */
  readonly ip: string;
  /** What runs a program behind the router, and becomes it. */
  readonly through: string[];
  /** From now on every packet is lost. */
  cut(): void;
  mend(): void;
  remove(): Promise<void>;
}

export async function lossyWay(): Promise<LossyWay> {
  await using stack = new AsyncDisposableStack();
  const hold = async (): Promise<string[]> => {
    // Ends with its input, and so with this process.
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
    stack.defer(() => end(holder));
    const namespaceOf = (pid: number | 'self') => readlinkSync(`/proc/${pid}/ns/net`);
    await until('the namespace is there', () => namespaceOf(holder.pid!) !== namespaceOf('self'));
    return ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  };
  const [router, robot] = [await hold(), await hold()];
  const run = (where: readonly string[], ...command: string[]): void => {
    const [program, ...args] = [...where, ...command];
    execFileSync(program!, args);
  };
  const pid = (where: readonly string[]) => /\d+/.exec(where[1]!)![0];
  const net = freeNet();
  const up = (where: readonly string[], link: string, address: string) => {
    run(where, 'ip', 'address', 'add', `${net}.${address}/30`, 'dev', link);
    run(where, 'ip', 'link', 'set', link, 'up');
  };
  const forward = (onOff: 0 | 1) => run(router, 'sh', '-c', `echo ${onOff} >/proc/sys/net/ipv4/ip_forward`);

  const here = `rtway-${process.pid.toString(36)}`;
  run([], 'ip', 'link', 'add', here, 'type', 'veth', 'peer', 'name', 'machine', 'netns', pid(router));
  // At once: a namespace takes its time to go.
  stack.defer(() => run([], 'ip', 'link', 'delete', here));
  run(router, 'ip', 'link', 'add', 'robot', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid(robot));
  run(robot, 'ip', 'link', 'set', 'lo', 'up');
  up([], here, '1');
  up(router, 'machine', '2');
  up(router, 'robot', '5');
  up(robot, 'eth0', '6');
  run([], 'ip', 'route', 'add', `${net}.4/30`, 'via', `${net}.2`);
  run(robot, 'ip', 'route', 'add', 'default', 'via', `${net}.5`);
  forward(1);
  const held = stack.move();
  return {
    ip: `${net}.1`,
    through: robot,
    // A host that does not forward drops what is not for it, and answers nothing.
    cut: () => forward(0),
    mend: () => forward(1),
    remove: () => held.disposeAsync(),
  };
}

async function end(holder: ChildProcess): Promise<void> {
  const ended = once(holder, 'exit');
  holder.stdin?.end();
  await ended;
}

/** The first three bytes of 10.86.0.0/24 … 10.86.255.0/24. */
function freeNet(): string {
  const used = Object.values(networkInterfaces())
    .flat()
    .map((address) => address?.address ?? '');
  for (;;) {
    const net = `10.86.${Math.floor(Math.random() * 256)}`;
    if (!used.some((address) => address.startsWith(`${net}.`))) return net;
  }
}
