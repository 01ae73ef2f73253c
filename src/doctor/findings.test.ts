import { expect, it } from 'vitest';
import { type Finding, findings, type MachineFacts } from './findings.ts';

const good: MachineFacts = {
  isRoot: true,
  kernel: {
    release: '6.1.0-rt',
    version: '#1 SMP PREEMPT_RT',
    isRealtime: true,
    hasRtGroups: false,
    rtRuntimeUs: 950_000,
    isolatedCpus: '2-3',
  },
  governors: ['performance'],
  network: {
    rmemMaxBytes: 8 << 20,
    wmemMaxBytes: 8 << 20,
    reassemblyBytes: 128 << 20,
    interfaces: [
      { name: 'lo', isUp: true, isLoopback: true, hasMulticast: false },
      { name: 'eth0', isUp: true, isLoopback: false, hasMulticast: true },
    ],
  },
  sharedMemory: { leftovers: { count: 0, bytes: 0 }, freeBytes: 1 << 30 },
  time: { daemon: 'chrony' },
  cgroups: { version: 2, controllers: ['cpu', 'cpuset', 'memory', 'pids'] },
  runtimes: { conmonPath: '/usr/bin/conmon', criSocket: '/run/c.sock', hasCri: true, hasDocker: true },
  ros: {
    isOff: false,
    transport: { name: 'cyclone', why: 'no ROS 2 is sourced' },
    description: 'cyclone (Cyclone DDS 0.10.5)',
    usesMulticast: true,
  },
};

const troubles = (facts: MachineFacts): Finding[] => findings(facts).filter(({ level }) => level !== 'ok');

it('has nothing to say against a machine that is as it should be', () => {
  expect(troubles(good)).toEqual([]);
  expect(findings(good).map(({ message }) => message)).toContain(
    'the bridge runs on cyclone (Cyclone DDS 0.10.5), because no ROS 2 is sourced',
  );
});

const eth = (hasMulticast: boolean, isUp = true) => ({ name: 'eth0', isUp, isLoopback: false, hasMulticast });

it.each<[string, Partial<MachineFacts>, Finding['level'], RegExp, RegExp]>([
  ['not root', { isRoot: false }, 'warn', /not root/, /sudo/],
  [
    'a kernel that does not preempt',
    { kernel: { release: '6.1', version: '#1 SMP', isRealtime: false } },
    'warn',
    /does not preempt/,
    /PREEMPT_RT/,
  ],
  [
    'RT groups on cgroup v2',
    { kernel: { ...good.kernel, hasRtGroups: true } },
    'warn',
    /RT_GROUP_SCHED/,
    /rt_group_sched=0/,
  ],
  [
    'real-time tasks without bounds',
    { kernel: { ...good.kernel, rtRuntimeUs: -1 } },
    'warn',
    /all of a CPU/,
    /sched_rt_runtime_us/,
  ],
  ['a slow governor', { governors: ['performance', 'powersave'] }, 'warn', /powersave/, /cpupower/],
  [
    'small buffers to receive',
    { network: { ...good.network, rmemMaxBytes: 212_992 } },
    'warn',
    /rmem_max is 0.2 MiB/,
    /sysctl -w net.core.rmem_max/,
  ],
  [
    'small buffers to send',
    { network: { ...good.network, wmemMaxBytes: 212_992 } },
    'warn',
    /wmem_max/,
    /sysctl -w net.core.wmem_max/,
  ],
  [
    'little room to put packets together',
    { network: { ...good.network, reassemblyBytes: 4 << 20 } },
    'warn',
    /ipfrag_high_thresh is 4 MiB/,
    /ipfrag_time/,
  ],
  [
    'no multicast',
    { network: { ...good.network, interfaces: [eth(false)] } },
    'warn',
    /eth0/,
    /ip link set eth0 multicast on/,
  ],
  [
    'no network',
    { network: { ...good.network, interfaces: [eth(true, false)] } },
    'warn',
    /no network/,
    /up/,
  ],
  [
    'leftovers',
    { sharedMemory: { leftovers: { count: 3, bytes: 3 << 20 } } },
    'warn',
    /3 files of DDS .*3 MiB/,
    /fastdds shm clean/,
  ],
  ['no shared memory', { sharedMemory: { freeBytes: 1 << 20 } }, 'warn', /only 1 MiB/, /remount/],
  ['no clock', { time: {} }, 'warn', /nothing keeps the clock/, /chrony/],
  ['no cgroups', { cgroups: { controllers: [] } }, 'fail', /no cgroups/, /mount/],
  [
    'no memory controller',
    { cgroups: { version: 2, controllers: ['cpu', 'pids'] } },
    'fail',
    /without memory/,
    /cgroup_enable=memory/,
  ],
  [
    'no conmon beside an engine',
    { runtimes: { criSocket: '/run/c.sock', hasCri: true, hasDocker: false } },
    'warn',
    /conmon is missing/,
    /conmon/,
  ],
  [
    'nothing that runs pods',
    { runtimes: { criSocket: '/run/c.sock', hasCri: false, hasDocker: false } },
    'fail',
    /neither conmon nor/,
    /conmon/,
  ],
  [
    'Docker alone',
    { runtimes: { conmonPath: '/bin/conmon', criSocket: '/run/c.sock', hasCri: false, hasDocker: true } },
    'warn',
    /Docker/,
    /disabled_plugins/,
  ],
  [
    'no way onto the graph',
    { ros: { ...good.ros, problem: 'no free index' } },
    'fail',
    /cyclone: no free index/,
    /off/,
  ],
])('%s', (_what, over, level, message, fix) => {
  const found = troubles({ ...good, ...over });
  expect(found).toEqual([
    {
      area: expect.any(String),
      level,
      message: expect.stringMatching(message),
      fix: expect.stringMatching(fix),
    },
  ]);
});

it('asks for no multicast where nobody is looked for by it', () => {
  const network = { ...good.network, interfaces: [eth(false)] };
  for (const ros of [
    { ...good.ros, usesMulticast: false },
    { isOff: true, usesMulticast: true },
  ])
    expect(troubles({ ...good, network, ros })).toEqual([]);
});

it('tells budgets of real time on cgroup v1 as they are', () => {
  const kernel = { ...good.kernel, hasRtGroups: true };
  const facts = { ...good, kernel, cgroups: { ...good.cgroups, version: 1 as const } };
  expect(troubles(facts)).toEqual([]);
  expect(
    findings(facts)
      .map(({ message }) => message)
      .join(),
  ).toContain('need a budget');
});
