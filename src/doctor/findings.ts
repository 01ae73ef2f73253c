/**
 * What is good and bad about a machine that is to run robots' pods, each with what to do about it. Facts in, findings out:
 * how the facts are had is in facts.ts. Pure.
 */

export interface Finding {
  /** `kernel`, `sockets`, … */
  area: string;
  level: 'ok' | 'warn' | 'fail';
  message: string;
  /** What to do; commands where there are any. */
  fix?: string;
}

/** Undefined: it could not be read, or the machine has none of it. */
export interface MachineFacts {
  isRoot: boolean;
  kernel: {
    release: string;
    /** `uname -v`, or what stands for it: it names the kind of preemption. */
    version: string;
    isRealtime: boolean;
    /** CONFIG_RT_GROUP_SCHED. */
    hasRtGroups?: boolean;
    rtRuntimeUs?: number;
    /** A list of CPUs; empty: none. */
    isolatedCpus?: string;
  };
  /** Of all CPUs, each once; empty: the machine does not scale frequencies. */
  governors: readonly string[];
  network: {
    rmemMaxBytes?: number;
    wmemMaxBytes?: number;
    reassemblyBytes?: number;
    interfaces: readonly { name: string; isUp: boolean; isLoopback: boolean; hasMulticast: boolean }[];
  };
  sharedMemory: {
    /** Files of DDS that no process has open, by vendor; undefined where not all processes can be looked at. */
    leftovers?: { count: number; bytes: number };
    freeBytes?: number;
  };
  time: {
    /** The program that keeps the clock. */
    daemon?: string;
  };
  cgroups: {
    /** Undefined: none are mounted. */
    version?: 1 | 2;
    controllers: readonly string[];
  };
  runtimes: {
    conmonPath?: string;
    /** As configured, and whether its socket is there. */
    criSocket: string;
    hasCri: boolean;
    hasDocker: boolean;
  };
  ros: RosFacts;
}

export interface RosFacts {
  isOff: boolean;
  distro?: string;
  rmw?: string;
  /** Which one would run, and why; undefined: off. */
  transport?: { name: string; why: string };
  /** What it runs on, when it could take part in the graph; else why not. */
  description?: string;
  problem?: string;
  /** Peers are found by multicast. */
  usesMulticast: boolean;
}

export function findings(facts: MachineFacts): Finding[] {
  return [
    ...privileges(facts),
    ...kernel(facts),
    ...frequency(facts),
    ...sockets(facts),
    ...multicast(facts),
    ...sharedMemory(facts),
    ...clock(facts),
    ...cgroups(facts),
    ...runtimes(facts),
    ...ros(facts),
  ];
}

const ok = (area: string, message: string): Finding => ({ area, level: 'ok', message });
const warn = (area: string, message: string, fix: string): Finding => ({ area, level: 'warn', message, fix });
const fail = (area: string, message: string, fix: string): Finding => ({ area, level: 'fail', message, fix });

function privileges({ isRoot }: MachineFacts): Finding[] {
  if (isRoot) return [];
  return [warn('privileges', 'not root: what belongs to others cannot be looked at', 'sudo roslet doctor')];
}

function kernel({ cgroups: { version: cgroupVersion }, kernel }: MachineFacts): Finding[] {
  const { hasRtGroups, isolatedCpus, isRealtime, release, rtRuntimeUs, version } = kernel;
  const area = 'kernel';
  const found: Finding[] = [];
  if (isRealtime) found.push(ok(area, `${release} is a real-time kernel (PREEMPT_RT)`));
  else if (/\bPREEMPT_DYNAMIC\b/.test(version)) {
    const message = `${release} preempts as it was told at boot (PREEMPT_DYNAMIC)`;
    found.push(
      ok(area, `${message}: preempt=full on its command line for control loops of a few milliseconds`),
    );
  } else if (/\bPREEMPT\b/.test(version)) found.push(ok(area, `${release} is preemptible (PREEMPT)`));
  else {
    found.push(
      warn(
        area,
        `${release} does not preempt itself: control loops will now and then be late by tens of milliseconds`,
        'install a kernel with PREEMPT_DYNAMIC or PREEMPT_RT (Debian: linux-image-rt-amd64)',
      ),
    );
  }
  if (hasRtGroups === true && cgroupVersion === 2) {
    found.push(
      warn(
        'real time',
        'the kernel has RT_GROUP_SCHED, with which nothing in a cgroup v2 may use SCHED_FIFO or SCHED_RR',
        'boot with rt_group_sched=0 (6.15 and newer), or a kernel without RT_GROUP_SCHED',
      ),
    );
  } else if (hasRtGroups === true) {
    found.push(
      ok(
        'real time',
        'RT_GROUP_SCHED: SCHED_FIFO and SCHED_RR need a budget in each cgroup (cpu.rt_runtime_us)',
      ),
    );
  } else if (hasRtGroups === false) {
    found.push(
      ok('real time', 'SCHED_FIFO and SCHED_RR need CAP_SYS_NICE or an rtprio limit, and no budget'),
    );
  }
  if (rtRuntimeUs !== undefined && rtRuntimeUs < 0) {
    found.push(
      warn(
        'real time',
        'real-time tasks may take all of a CPU: one that runs wild takes the machine with it',
        'sysctl -w kernel.sched_rt_runtime_us=950000',
      ),
    );
  }
  if (isolatedCpus !== undefined)
    found.push(
      ok(
        'cpus',
        isolatedCpus === '' ? 'none are kept free of other work (isolcpus)' : `isolated: ${isolatedCpus}`,
      ),
    );
  return found;
}

function frequency({ governors }: MachineFacts): Finding[] {
  const slow = governors.filter((governor) => governor !== 'performance');
  if (governors.length === 0) return [ok('cpus', 'their frequency is not scaled')];
  if (slow.length === 0) return [ok('cpus', 'run at full frequency (governor performance)')];
  return [
    warn(
      'cpus',
      `the frequency governor is ${slow.join(', ')}: after a pause work starts at a low frequency`,
      'cpupower frequency-set -g performance',
    ),
  ];
}

/** An image of a megabyte is hundreds of packets at once. */
const socketBytes = 2 * 1024 * 1024;
/** ROS 2's own advice is 128 MiB; Linux' default is 4. */
const reassemblyBytes = 32 * 1024 * 1024;
const mib = (bytes: number): string => `${Math.round((bytes / 1024 / 1024) * 10) / 10} MiB`;

function sockets({ network }: MachineFacts): Finding[] {
  const area = 'sockets';
  const buffers = [
    ['net.core.rmem_max', network.rmemMaxBytes, 'received'],
    ['net.core.wmem_max', network.wmemMaxBytes, 'sent'],
  ] as const;
  const found = buffers.flatMap(([name, bytes, done]): Finding[] => {
    if (bytes === undefined) return [];
    if (bytes >= socketBytes) return [ok(area, `${name} is ${mib(bytes)}`)];
    return [
      warn(
        area,
        `${name} is ${mib(bytes)}: large messages lose packets when they are ${done}`,
        `sysctl -w ${name}=8388608, and in /etc/sysctl.d to keep it`,
      ),
    ];
  });
  if (network.reassemblyBytes !== undefined && network.reassemblyBytes < reassemblyBytes) {
    found.push(
      warn(
        area,
        `net.ipv4.ipfrag_high_thresh is ${mib(network.reassemblyBytes)}: where packets get lost, as on Wi-Fi, large messages block each other`,
        'sysctl -w net.ipv4.ipfrag_high_thresh=134217728 net.ipv4.ipfrag_time=3',
      ),
    );
  }
  return found;
}

function multicast({ network, ros }: MachineFacts): Finding[] {
  if (ros.isOff || !ros.usesMulticast) return [];
  const up = network.interfaces.filter(({ isLoopback, isUp }) => isUp && !isLoopback);
  const able = up.filter(({ hasMulticast }) => hasMulticast).map(({ name }) => name);
  if (able.length > 0) return [ok('multicast', `other machines are found over ${able.join(', ')}`)];
  if (up.length === 0)
    return [warn('multicast', 'no network is up: only this machine is on the graph', 'bring the network up')];
  const { name } = up[0]!;
  return [
    warn(
      'multicast',
      `no interface has multicast (${up.map((each) => each.name).join(', ')}): other machines are not found`,
      `ip link set ${name} multicast on, or name them by ROS_STATIC_PEERS (ros.staticPeers)`,
    ),
  ];
}

/** What a few participants need. */
const sharedMemoryBytes = 64 * 1024 * 1024;

function sharedMemory({ sharedMemory: { freeBytes, leftovers } }: MachineFacts): Finding[] {
  const area = 'shared memory';
  const found: Finding[] = [];
  if (leftovers !== undefined && leftovers.count > 0) {
    found.push(
      warn(
        area,
        `${leftovers.count} ${leftovers.count === 1 ? 'file' : 'files'} of DDS in /dev/shm (${mib(leftovers.bytes)}) in use by nobody: left by processes that were killed`,
        'fastdds shm clean; without it, remove /dev/shm/*fastrtps_* and fast_datasharing* while no node runs',
      ),
    );
  } else if (leftovers !== undefined) found.push(ok(area, 'no leftovers of DDS in /dev/shm'));
  if (freeBytes !== undefined && freeBytes < sharedMemoryBytes) {
    found.push(
      warn(
        area,
        `only ${mib(freeBytes)} of /dev/shm are free: transports over shared memory will not start`,
        'mount -o remount,size=1G /dev/shm, and remove what is left over',
      ),
    );
  }
  return found;
}

function clock({ time: { daemon } }: MachineFacts): Finding[] {
  if (daemon !== undefined) return [ok('time', `${daemon} keeps the clock`)];
  return [
    warn(
      'time',
      'nothing keeps the clock: stamps of different machines cannot be compared, certificates may not be valid yet',
      'apt-get install chrony, or linuxptp where machines have to agree on less than a millisecond',
    ),
  ];
}

const neededControllers = ['cpu', 'memory', 'pids'];

function cgroups({ cgroups: { controllers, version } }: MachineFacts): Finding[] {
  const area = 'cgroups';
  if (version === undefined)
    return [
      fail(
        area,
        'no cgroups are mounted: pods cannot be limited or ended',
        'mount -t cgroup2 none /sys/fs/cgroup',
      ),
    ];
  const missing = neededControllers.filter((name) => !controllers.includes(name));
  if (missing.length > 0) {
    return [
      fail(
        area,
        `v${version} without ${missing.join(', ')}: limits and eviction need them`,
        missing.includes('memory')
          ? 'boot with cgroup_enable=memory (Raspberry Pi: cmdline.txt)'
          : `use a kernel with the controllers ${missing.join(', ')}`,
      ),
    ];
  }
  const noCpuset = controllers.includes('cpuset') ? '' : '; no cpuset: CPUs cannot be given to pods alone';
  return [ok(area, `v${version} with ${neededControllers.join(', ')}${noCpuset}`)];
}

function runtimes({ runtimes: { conmonPath, criSocket, hasCri, hasDocker } }: MachineFacts): Finding[] {
  const area = 'runtimes';
  const install = 'apt-get install conmon';
  const found: Finding[] = [];
  if (conmonPath !== undefined) found.push(ok(area, `host processes: ${conmonPath}`));
  else if (hasCri) found.push(warn(area, 'host processes cannot be run: conmon is missing', install));
  else
    found.push(fail(area, 'nothing here runs pods: there is neither conmon nor a container engine', install));
  if (hasCri) found.push(ok(area, `containers: ${criSocket}`));
  else if (hasDocker) {
    found.push(
      warn(
        area,
        'Docker is here, which roslet does not speak with',
        "enable the CRI of Docker's own containerd: remove it from disabled_plugins in /etc/containerd/config.toml",
      ),
    );
  } else found.push(ok(area, `no container engine at ${criSocket}: pods run as host processes alone`));
  return found;
}

function ros({ ros }: MachineFacts): Finding[] {
  const area = 'ROS 2';
  if (ros.isOff) return [ok(area, 'the bridge is off (ros.transport)')];
  const sourced =
    ros.distro === undefined
      ? 'none is sourced'
      : `${ros.distro} is sourced${ros.rmw ? ` (${ros.rmw})` : ''}`;
  const found = [ok(area, sourced)];
  if (ros.problem !== undefined) {
    const which = ros.transport === undefined ? '' : `${ros.transport.name}: `;
    found.push(
      fail(
        area,
        `pods and node are not on the graph: ${which}${ros.problem}`,
        'see docs/ros.md; ros: {transport: "off"} where ROS 2 is not wanted',
      ),
    );
  } else if (ros.transport !== undefined) {
    const what = ros.description ?? ros.transport.name;
    found.push(ok(area, `the bridge runs on ${what}, because ${ros.transport.why}`));
  }
  return found;
}
