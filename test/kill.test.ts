/**
 * The agent is killed at random instants while pods come and go. No pod may be restarted, run twice, or be left
 * behind. Every container tells of its own start in a file, so that nothing that the agent says has to be believed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cgroupsBelow, isReady, pidsOf, TestAgent, until } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';
import { containerdLines } from './peers/containerd-binaries.ts';
import { slowness } from './slowness.ts';

const podCount = Number(process.env.ROSLET_KILL_PODS ?? 20);
const killCount = Number(process.env.ROSLET_KILLS ?? 200);
const seed = Number(process.env.ROSLET_SEED ?? Date.now() % 1_000_000);
/** The oldest cleans up the least after itself. */
const line = containerdLines.find((known) => known === process.env.ROSLET_CONTAINERD) ?? '1.6';

/** What a test that failed left running. */
let running: TestAgent | undefined;
afterEach(async () => {
  await running?.remove();
  running = undefined;
});

describe.each([
  {
    name: 'host processes',
    runtimeClass: 'runtimeClassName: host-process',
    // No CNI is configured for them.
    hostNetwork: true,
    withContainerd: false,
  },
  {
    name: `containerd ${line}`,
    runtimeClass: '',
    hostNetwork: false,
    withContainerd: true,
  },
])(`an agent that is killed ${killCount} times under churn, with $name`, (setup) => {
  let containerd: TestContainerd | undefined;
  beforeAll(async () => {
    if (setup.withContainerd) containerd = await startContainerd(line);
  });
  afterAll(async () => {
    await containerd?.stop();
  });

  it(`restarts, doubles and leaves nothing (ROSLET_SEED=${seed})`, {
    timeout: 900_000 * slowness,
  }, async () => {
    const random = generator(seed);
    const criEndpoint = containerd?.endpoint;
    const agent = await TestAgent.create(criEndpoint === undefined ? {} : { criEndpoint });
    running = agent;
    const starts = join(agent.dir, 'starts');
    await mkdir(starts);
    const manifest = (name: string) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${setup.runtimeClass}
  hostNetwork: ${setup.hostNetwork}
  terminationGracePeriodSeconds: 1
  volumes: [{name: starts, hostPath: {path: ${starts}}}, {name: work, emptyDir: {}}]
  containers:
  - name: main
    image: docker.io/library/busybox:local
    command: [sh, -c, 'echo started >> /starts/${name}; trap "exit 0" TERM; while sleep 0.2; do :; done']
    volumeMounts: [{name: starts, mountPath: /starts}, {name: work, mountPath: /work}]
    readinessProbe: {exec: {command: ['true']}, periodSeconds: 5}
`;
    const slots: (string | undefined)[] = Array.from({ length: podCount }, () => undefined);
    const asked: string[] = [];
    let generation = 0;
    const churn = async (slot: number) => {
      const old = slots[slot];
      if (old !== undefined) await agent.unapply(`${old}.yaml`);
      const name = `p${slot}-g${generation++}`;
      slots[slot] = old !== undefined && random() < 0.3 ? undefined : name;
      if (slots[slot] !== undefined) {
        asked.push(name);
        await agent.apply(`${name}.yaml`, manifest(name));
      }
    };
    for (let slot = 0; slot < podCount; slot++) await churn(slot);

    for (let kill = 0; kill < killCount; kill++) {
      // While it comes up, while it takes up what is there and starts what is missing, or when all is done.
      const phase = random();
      if (phase < 0.25) agent.spawn();
      else await agent.start();
      await sleep(random() * (phase < 0.85 ? 700 : 2500) * slowness);
      if (random() < 0.6) await churn(Math.floor(random() * podCount));
      await agent.stop('SIGKILL');
    }

    await agent.start();
    const wanted = slots.filter((name) => name !== undefined);
    await until(
      'all wanted pods are ready and no others are there',
      async () => {
        const pods = await agent.pods();
        return pods.length === wanted.length && pods.every(isReady);
      },
      120_000,
    );
    const pods = await agent.pods();
    expect(pods.map((p) => p.metadata?.name).sort()).toEqual(wanted.map((n) => `${n}-robot`).sort());
    const restarted = pods.filter((p) => p.status?.containerStatuses?.[0]?.restartCount !== 0);
    const why = restarted.map((p) => [p.metadata?.name, p.status?.containerStatuses?.[0]?.lastState]);
    expect(why).toEqual([]);

    // A container is ready before its first command has run.
    await until('all wanted pods have told of their start', async () =>
      wanted.every((name) => existsSync(join(starts, name))),
    );
    // Every container tells of its starts: each that ran was started once.
    const told = Object.fromEntries(
      readdirSync(starts).map((name) => [name, readFileSync(join(starts, name), 'utf8')]),
    );
    expect(Object.entries(told).filter(([, text]) => text !== 'started\n')).toEqual([]);
    for (const name of wanted) expect(told[name], name).toBeDefined();
    expect(Object.keys(told).filter((name) => !asked.includes(name))).toEqual([]);
    expect(mainProcesses(agent).sort()).toEqual([...wanted].sort());

    running = undefined;
    expect(await agent.remove()).toEqual([]);
    const left = () => [...(containerd?.leftovers() ?? []), ...(containerd?.relays() ?? [])];
    await until('nothing is left in the runtime', async () => left().length === 0).catch(() =>
      expect(left()).toEqual([]),
    );
    expect(existsSync(agent.dir)).toBe(false);
  });
});

/** Names of the pods whose main process lives, one entry a process. */
function mainProcesses(agent: TestAgent): string[] {
  const found = new Map<number, { name: string; parent: number }>();
  for (const pid of new Set(cgroupsBelow(agent.cgroup).flatMap(pidsOf))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const name = /\/starts\/(\S+);/.exec(command[2] ?? '')?.[1];
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      if (command[0] === 'sh' && name !== undefined) found.set(pid, { name, parent });
    } catch {
      // It ended meanwhile.
    }
  }
  // A shell that has forked but not yet become its command looks like its parent.
  return [...found.values()].filter(({ parent }) => !found.has(parent)).map(({ name }) => name);
}

/** A small generator of known quality (mulberry32), so that a failure can be run again. */
function generator(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
