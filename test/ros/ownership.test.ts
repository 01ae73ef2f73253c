/** Whose a DDS participant is, told by real sockets of real processes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { RosProbeTarget } from '../../ros/prober.ts';
import { otherDomain } from '../../ros/probes/domains.ts';
import { judge, machineAddresses, type Ownership, udpSocketReader } from '../../ros/probes/ownership.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
});

/** A process with a UDP socket; tells its port. */
async function bound(address = '127.0.0.1'): Promise<{ pid: number; port: number }> {
  const script = `const s = require('node:dgram').createSocket(${address.includes(':') ? "'udp6'" : "'udp4'"});
    s.bind(0, ${JSON.stringify(address)}, () => console.log(s.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return { pid: child.pid!, port: Number(line) };
}

const target = (pids: number[], addresses: string[] = []) => ({ addresses, pids: async () => pids });
const reachedAt = (address: string, port: number) => ({ prefix: 'p', locators: [{ address, port }] });
const udpSockets = udpSocketReader();
const isOfThisMachine = machineAddresses();
const machine = { udpSockets, isOfThisMachine };
const ownership = async (
  participant: ReturnType<typeof reachedAt>,
  of: RosProbeTarget,
): Promise<Ownership | undefined> => (await judge([participant], of, machine)).owners.get('p');

describe("a participant on the host's network", () => {
  it.each(['127.0.0.1', '::1', '0.0.0.0'])(
    'is of the pod whose process holds its port on %s',
    async (bind) => {
      const mine = await bound(bind);
      const other = await bound(bind);
      const at = bind === '0.0.0.0' ? '127.0.0.1' : bind;
      expect(await ownership(reachedAt(at, mine.port), target([other.pid, mine.pid]))).toBe('own');
      expect(await ownership(reachedAt(at, other.port), target([mine.pid]))).toBe('other');
      expect(await ownership(reachedAt(at, mine.port), target([]))).toBe('other');
    },
  );

  it('is not of the pod when it is reached on another machine', async () => {
    const mine = await bound();
    expect(await ownership(reachedAt('192.0.2.7', mine.port), target([mine.pid]))).toBe('other');
  });

  it('is not of the pod when nobody holds its port here', async () => {
    const gone = await bound();
    const child = children.pop()!;
    const ended = once(child, 'exit');
    process.kill(gone.pid, 'SIGKILL');
    await ended;
    expect(await ownership(reachedAt('127.0.0.1', gone.port), target([gone.pid]))).toBe('other');
  });

  it('is of nobody knows whom when it tells no address, or the processes of the pod cannot be looked at', async () => {
    const mine = await bound();
    expect(await ownership({ prefix: 'p', locators: [] }, target([mine.pid]))).toBe('unknown');
    const problem = new Error('EMFILE: too many open files');
    const blind = { addresses: [], pids: () => Promise.reject(problem) };
    const judgement = await judge([reachedAt('127.0.0.1', mine.port)], blind, machine);
    expect(judgement).toEqual({ owners: new Map([['p', 'unknown']]), problem });
  });

  it('is of the pod also while the link of its address is down, as out of range of the radio', async () => {
    const module = join(import.meta.dirname, '..', '..', 'ros', 'probes', 'ownership.ts');
    const script = `import { createSocket } from 'node:dgram';
      import { networkInterfaces } from 'node:os';
      import { judge, machineAddresses, udpSocketReader } from ${JSON.stringify(module)};
      const socket = createSocket('udp4');
      socket.bind(0, '0.0.0.0', async () => {
        const at = (prefix, address) => ({ prefix, locators: [{ address, port: socket.address().port }] });
        const target = { addresses: [], pids: async () => [process.pid] };
        const { owners } = await judge([at('mine', '10.99.0.7'), at('other', '10.99.0.8')], target, {
          udpSockets: udpSocketReader(),
          isOfThisMachine: machineAddresses(),
        });
        console.log(JSON.stringify({ owners: Object.fromEntries(owners), listed: Object.keys(networkInterfaces()) }));
        socket.close();
      });`;
    const network =
      'ip link add name radio type veth peer name far && ip addr add 10.99.0.7/24 dev radio && ip link set radio up && exec "$@"';
    const node = [process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('unshare', ['-n', 'sh', '-c', network, 'sh', ...node]);
    expect(JSON.parse(stdout)).toEqual({
      owners: { mine: 'own', other: 'other' },
      listed: [],
    });
  });

  it('is of the pod also when the machine got another address since its process began', async () => {
    const module = join(import.meta.dirname, '..', '..', 'ros', 'probes', 'ownership.ts');
    const script = `import { execFileSync } from 'node:child_process';
      import { machineAddresses } from ${JSON.stringify(module)};
      const has = machineAddresses();
      const before = [await has('10.99.0.7'), await has('10.99.0.8')];
      execFileSync('ip', ['address', 'del', '10.99.0.7/24', 'dev', 'radio']);
      execFileSync('ip', ['address', 'add', '10.99.0.8/24', 'dev', 'radio']);
      const anew = machineAddresses();
      const after = [await has('10.99.0.7'), await has('10.99.0.8'), await anew('10.99.0.7')];
      console.log(JSON.stringify({ before, after }));`;
    const network =
      'ip link add name radio type veth peer name far && ip addr add 10.99.0.7/24 dev radio && ip link set radio up && exec "$@"';
    const node = [process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('unshare', ['-n', 'sh', '-c', network, 'sh', ...node]);
    expect(JSON.parse(stdout)).toEqual({ before: [true, false], after: [true, true, false] });
  });

  it('is judged together with others by one look at the sockets', async () => {
    const [mine, other] = [await bound(), await bound()];
    let looks = 0;
    const counting = () => {
      looks += 1;
      return udpSockets();
    };
    const both = [mine, other].map(({ port }, i) => ({ ...reachedAt('127.0.0.1', port), prefix: `${i}` }));
    const { owners } = await judge(both, target([mine.pid]), { udpSockets: counting, isOfThisMachine });
    expect([...owners]).toEqual([
      ['0', 'own'],
      ['1', 'other'],
    ]);
    expect(looks).toBe(1);
  });
});

it('who asks for sockets gets those that there are at that time, also while they are being read', async () => {
  const reader = udpSocketReader();
  const [first, second] = [reader(), reader()];
  expect(second).toBe(first);
  await Promise.resolve();
  // The first reading has begun.
  const third = reader();
  expect(third).not.toBe(first);
  const { port } = await bound();
  expect((await reader()).has(port)).toBe(true);
  await Promise.all([first, third]);
});

describe('the ROS domain of a pod', () => {
  it.each([
    [
      'the port of its discovery by multicast',
      [7400 + 250 * 7],
      'the processes of the pod are on ROS domain 7, and',
    ],
    [
      'the two ports of its second participant',
      [9162, 9163],
      'the processes of the pod are on ROS domain 7, and',
    ],
    ["the same of the agent's, too", [9162, 9163, 8150], undefined],
    ['a port that may be so by chance', [9162], undefined],
    ['nothing', [], undefined],
  ])('is told in its own network by %s', async (_what, ports, told) => {
    const script = `const bind = (port) => new Promise((done) => require('node:dgram').createSocket('udp4').bind(port, '0.0.0.0', done));
      Promise.all(${JSON.stringify(ports)}.map(bind)).then(() => console.log('bound'));
      setInterval(() => {}, 1000);`;
    const child = spawn('unshare', ['-n', process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(child.stdout!, 'data');
    const why = await otherDomain(target([child.pid!], ['10.88.0.7']), 3, udpSockets);
    if (told === undefined) expect(why).toBeUndefined();
    else expect(why).toContain(told);
  });
});

describe('a participant of a pod with a network of its own', () => {
  it('is known by its address', async () => {
    expect(await ownership(reachedAt('10.88.0.7', 7410), target([], ['10.88.0.7']))).toBe('own');
    expect(await ownership(reachedAt('10.88.0.8', 7410), target([], ['10.88.0.7']))).toBe('other');
    expect(await ownership(reachedAt('127.0.0.1', 7410), target([], ['10.88.0.7']))).toBe('other');
  });
});
