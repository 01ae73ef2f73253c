import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Container, Pod } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import type { TrackedContainer } from './container-probes.ts';
import { createProbeManager, type ProbeManager } from './manager.ts';
import type { ProbeKind } from './results.ts';

const containerId = 'c1';
const startMs = Date.parse('2026-01-31T12:00:00Z');
const pod: Pod = {
  metadata: { name: 'web', namespace: 'default', uid: 'u1' },
  spec: { containers: [{ name: 'app' }] },
};

/** Probes whose command's exit code is said by the test, kind by kind, at virtual time. */
function setUp(
  container: Partial<Container>,
  options: Pick<TrackedContainer, 'restored'> & {
    ranForMs?: number;
    interruption?: () => string | undefined;
  } = {},
) {
  const exitCodes: Partial<Record<ProbeKind, number>> = {};
  const attempts: { kind: string; atMs: number }[] = [];
  const events: string[] = [];
  const results: string[] = [];
  const manager: ProbeManager = createProbeManager({
    log: silentLogger(),
    events: {
      event: (about, type, reason, message) => events.push(`${about.fieldPath} ${type} ${reason} ${message}`),
    },
    ros: {
      watch: () => {
        throw new Error('no ROS probe in this test');
      },
    },
    interruptions: { recent: () => options.interruption?.() },
    onResult: (uid) => results.push(uid),
  });
  const target: TrackedContainer = {
    pod,
    container: { name: 'app', ...container },
    containerId,
    podIp: '',
    ros: { addresses: [], pids: async () => [] },
    startedAtMs: Date.now() - (options.ranForMs ?? 0),
    restored: options.restored,
    exec: async ([kind]) => {
      attempts.push({ kind: kind!, atMs: Date.now() - startMs });
      const exitCode = exitCodes[kind as ProbeKind] ?? 0;
      return { exitCode, stdout: Buffer.from(`says ${exitCode}`), stderr: Buffer.alloc(0) };
    },
  };
  manager.track(target);
  return {
    manager,
    target,
    exitCodes,
    attempts,
    events,
    results,
    get: (kind: ProbeKind) => manager.get(containerId, kind),
  };
}

const probe = (kind: ProbeKind, timing: object = {}) => ({
  exec: { command: [kind] },
  periodSeconds: 10,
  failureThreshold: 3,
  ...timing,
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('readiness', () => {
  test('of a new container is false until a probe succeeds, then follows the thresholds', async () => {
    const { manager, exitCodes, get, results } = setUp({
      readinessProbe: probe('readiness', { successThreshold: 2, failureThreshold: 2, periodSeconds: 1 }),
    });
    expect(get('readiness')).toBe('failure');
    await pass(0);
    expect(get('readiness')).toBe('failure');
    await pass(1000);
    expect(get('readiness')).toBe('success');
    exitCodes.readiness = 1;
    await pass(1000);
    expect(get('readiness')).toBe('success');
    await pass(1000);
    expect(get('readiness')).toBe('failure');
    expect(manager.message(containerId, 'readiness')).toBe('says 1');
    expect(results).toEqual(['u1', 'u1']);
    manager.untrack(containerId);
  });

  test('needs its failures in a row', async () => {
    const { manager, exitCodes, get } = setUp({
      readinessProbe: probe('readiness', { failureThreshold: 2, periodSeconds: 1 }),
    });
    await pass(0);
    for (const exitCode of [1, 0, 1, 0, 1, 0]) {
      exitCodes.readiness = exitCode;
      await pass(1000);
    }
    expect(get('readiness')).toBe('success');
    manager.untrack(containerId);
  });

  test.each([
    [{ ready: true }, 'success'],
    [{ ready: false }, 'failure'],
    [{}, 'unknown'],
  ] as const)(
    'of a container that outlived the agent (%j) is %s until a probe says otherwise',
    async (restored, expected) => {
      const { manager, exitCodes, get } = setUp(
        { readinessProbe: probe('readiness', { failureThreshold: 2, periodSeconds: 2 }) },
        { restored, ranForMs: 60_000 },
      );
      exitCodes.readiness = 1;
      expect(get('readiness')).toBe(expected);
      await pass(2999);
      expect(get('readiness')).toBe(expected);
      await pass(1);
      expect(get('readiness')).toBe('failure');
      manager.untrack(containerId);
    },
  );
});

describe('liveness', () => {
  test('is told to have failed once and then rests', async () => {
    const { manager, exitCodes, attempts, get, results, events } = setUp({
      livenessProbe: probe('liveness'),
    });
    exitCodes.liveness = 7;
    expect(get('liveness')).toBe('unknown');
    await pass(20_000);
    expect(get('liveness')).toBe('failure');
    expect(attempts).toHaveLength(3);
    expect(events).toEqual(
      Array(3).fill('spec.containers{app} Warning Unhealthy Liveness probe failed: says 7'),
    );
    await pass(100_000);
    expect(attempts).toHaveLength(3);
    expect(results).toEqual(['u1']);
    manager.untrack(containerId);
  });

  test('begins anew with the next container', async () => {
    const { manager, target, exitCodes, get } = setUp({
      livenessProbe: probe('liveness', { failureThreshold: 1 }),
    });
    exitCodes.liveness = 1;
    await pass(0);
    expect(get('liveness')).toBe('failure');
    manager.untrack(containerId);
    expect(get('liveness')).toBeUndefined();
    exitCodes.liveness = 0;
    manager.track({ ...target, containerId: 'c2' });
    await pass(0);
    expect(manager.get('c2', 'liveness')).toBe('success');
    manager.untrackPod('u1');
    expect(manager.get('c2', 'liveness')).toBeUndefined();
  });

  test('ends with the pod that is to end; readiness goes on', async () => {
    const { manager, exitCodes, attempts, get } = setUp({
      livenessProbe: probe('liveness'),
      readinessProbe: probe('readiness'),
    });
    await pass(0);
    manager.stopLivenessAndStartup('u1');
    exitCodes.liveness = 1;
    exitCodes.readiness = 1;
    await pass(60_000);
    expect(get('liveness')).toBe('success');
    expect(get('readiness')).toBe('failure');
    expect(attempts.filter(({ kind }) => kind === 'liveness')).toHaveLength(1);
    manager.untrack(containerId);
  });
});

describe('startup', () => {
  const all = {
    startupProbe: probe('startup', { failureThreshold: 5, periodSeconds: 2 }),
    livenessProbe: probe('liveness'),
    readinessProbe: probe('readiness'),
  };

  test('keeps the other probes waiting until it has succeeded, and then ends', async () => {
    const { manager, exitCodes, attempts, get } = setUp(all);
    exitCodes.startup = 1;
    await pass(7000);
    expect(attempts.map(({ kind }) => kind)).toEqual(['startup', 'startup', 'startup', 'startup']);
    expect(get('startup')).toBe('unknown');
    exitCodes.startup = 0;
    await pass(1001);
    expect(get('startup')).toBe('success');
    expect(get('readiness')).toBe('success');
    attempts.length = 0;
    await pass(10_000);
    expect(attempts.map(({ kind }) => kind)).toEqual(['liveness', 'readiness']);
    manager.untrack(containerId);
  });

  test('that fails is told once; no other probe ever runs', async () => {
    const { manager, exitCodes, attempts, get, results } = setUp(all);
    exitCodes.startup = 1;
    await pass(120_000);
    expect(get('startup')).toBe('failure');
    expect(attempts).toHaveLength(5);
    expect(results).toEqual(['u1']);
    manager.untrack(containerId);
  });

  test('is not tried again on a container that had started before the agent did', async () => {
    const { manager, attempts, get } = setUp(all, {
      restored: { ready: true, started: true },
      ranForMs: 60_000,
    });
    expect(get('startup')).toBe('success');
    await pass(10_000);
    expect(attempts.map(({ kind }) => kind)).toEqual(['liveness', 'readiness']);
    manager.untrack(containerId);
  });
});

describe('timing', () => {
  test('counts initialDelaySeconds from the start of the container', async () => {
    vi.mocked(Math.random).mockReturnValue(0);
    const { manager, attempts } = setUp(
      { livenessProbe: probe('liveness', { initialDelaySeconds: 30 }) },
      { ranForMs: 12_000 },
    );
    await pass(30_000);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([18_000, 28_000]);
    manager.untrack(containerId);
  });

  test('waits for initialDelaySeconds also when no timer is as long', async () => {
    const { manager, attempts } = setUp({
      livenessProbe: probe('liveness', { initialDelaySeconds: 2_147_483_647 }),
    });
    await pass(60_000);
    expect(attempts).toEqual([]);
    manager.untrack(containerId);
  });

  test('is not disturbed by a step of the wall clock', async () => {
    const { manager, attempts } = setUp({ livenessProbe: probe('liveness', { initialDelaySeconds: 5 }) });
    vi.setSystemTime(startMs - 3_600_000);
    await pass(5000);
    expect(attempts).toHaveLength(1);
    vi.setSystemTime(startMs + 3_600_000);
    await pass(9999);
    expect(attempts).toHaveLength(1);
    await pass(1);
    expect(attempts).toHaveLength(2);
    manager.untrack(containerId);
  });

  test('spreads the first attempts on containers that outlived the agent over their period', async () => {
    const { manager, attempts } = setUp(
      { livenessProbe: probe('liveness') },
      { restored: {}, ranForMs: 60_000 },
    );
    await pass(20_000);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([5000, 15_000]);
    manager.untrack(containerId);
  });

  test('tracking a container again changes nothing', async () => {
    const { manager, target, attempts } = setUp({ livenessProbe: probe('liveness') });
    await pass(5000);
    manager.track(target);
    await pass(4999);
    expect(attempts).toHaveLength(1);
    manager.untrack(containerId);
  });

  test('a slow attempt neither overlaps with the next nor holds up another probe', async () => {
    const { manager, target } = setUp({});
    const running: string[] = [];
    let liveness = 0;
    manager.track({
      ...target,
      containerId: 'slow',
      container: {
        name: 'app',
        livenessProbe: probe('liveness', { periodSeconds: 1 }),
        readinessProbe: probe('readiness', { periodSeconds: 1 }),
      },
      exec: async ([kind]) => {
        expect(running).not.toContain(kind);
        running.push(kind!);
        if (kind === 'liveness') liveness += 1;
        else await new Promise((resolve) => setTimeout(resolve, 3500));
        running.splice(running.indexOf(kind!), 1);
        return { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
      },
    });
    await pass(3400);
    expect(liveness).toBe(4);
    expect(manager.get('slow', 'readiness')).toBe('failure');
    await pass(200);
    expect(manager.get('slow', 'readiness')).toBe('success');
    expect(manager.latencies('slow', 'readiness')).toMatchObject({ count: 1, maxMs: 3500 });
    await pass(3400);
    manager.untrack('slow');
    await pass(10_000);
  });
});

test('an attempt that could not be made changes nothing and is told', async () => {
  const { manager, target, events } = setUp({});
  manager.track({
    ...target,
    containerId: 'gone',
    container: { name: 'app', readinessProbe: probe('readiness', { failureThreshold: 1 }) },
    restored: { ready: true },
    exec: () => Promise.reject(new Error('the runtime does not answer')),
  });
  await pass(30_000);
  expect(manager.get('gone', 'readiness')).toBe('success');
  expect(manager.latencies('gone', 'readiness')?.count).toBe(0);
  expect(events[0]).toBe(
    'spec.containers{app} Warning Unhealthy Readiness probe errored and resulted in unknown state: the runtime does not answer',
  );
  manager[Symbol.dispose]();
});

describe('a failure right after an interruption of the machine', () => {
  test('is told but not counted, and counts when the machine has recovered', async () => {
    let interruption: string | undefined = 'the machine was suspended for 35 s';
    const { manager, exitCodes, get, events } = setUp(
      { livenessProbe: probe('liveness', { failureThreshold: 2, periodSeconds: 1 }) },
      { interruption: () => interruption },
    );
    exitCodes.liveness = 1;
    await pass(1500);
    expect(events).toEqual(
      Array.from(
        { length: 2 },
        () =>
          'spec.containers{app} Warning ProbeExcused Liveness probe failed, which is not counted as the machine was suspended for 35 s: says 1',
      ),
    );
    interruption = undefined;
    await pass(1000);
    expect(get('liveness')).toBe('unknown');
    await pass(1000);
    expect(get('liveness')).toBe('failure');
    manager[Symbol.dispose]();
  });
});

describe('a timeout', () => {
  const answering =
    (ms: number): TrackedContainer['exec'] =>
    async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
    };

  test.each([
    [300, []],
    [
      700,
      [
        expect.stringMatching(
          /^spec\.containers\{app\} Warning ProbeMisconfigured Readiness probe: timeoutSeconds 1 is too tight, as healthy answers take up to 7\d\dms \(99th percentile of 30\): a busy moment would fail a healthy container\. Set it to 2s or more$/,
        ),
      ],
    ],
  ])('of 1 s for answers that take %i ms', async (ms, expected) => {
    const { manager, target, events } = setUp({});
    manager.track({
      ...target,
      containerId: 'c2',
      container: { name: 'app', readinessProbe: probe('readiness', { periodSeconds: 1, timeoutSeconds: 1 }) },
      exec: answering(ms),
    });
    await pass(15_000);
    manager.review();
    expect(events).toEqual([]);
    await pass(14_900);
    manager.review();
    manager.review();
    expect(events).toEqual(expected);
    manager[Symbol.dispose]();
  });
});

test('a container without probes has no results', () => {
  const { manager, get } = setUp({});
  expect(get('startup')).toBeUndefined();
  expect(manager.message(containerId, 'liveness')).toBe('');
  expect(manager.latencies(containerId, 'readiness')).toBeUndefined();
});

test('what every probe has come to is summed up', async () => {
  const { manager, target, exitCodes } = setUp({});
  const attempts = [0, 1, 0, 1, 1];
  manager.track({
    ...target,
    containerId: 'c2',
    container: {
      name: 'app',
      startupProbe: probe('startup'),
      readinessProbe: probe('readiness', { periodSeconds: 1 }),
    },
    exec: async (command, ...rest) => {
      if (command[0] === 'startup') return target.exec(command, ...rest);
      exitCodes.readiness = attempts.shift();
      if (exitCodes.readiness === undefined) throw new Error('no answer');
      return target.exec(command, ...rest);
    },
  });
  await pass(6500);
  expect(manager.summaries().map(({ latencyCounts }) => latencyCounts?.([]).count)).toEqual([1, 2]);
  expect(manager.summaries()).toEqual([
    {
      pod,
      container: 'app',
      containerId: 'c2',
      kind: 'startup',
      attempts: { successful: 1, failed: 0, unknown: 0 },
      latencies: expect.objectContaining({ count: 1 }),
      latencyCounts: expect.any(Function),
      probe: expect.objectContaining({ exec: { command: ['startup'] } }),
      result: 'success',
      tally: { last: 'success', inARow: 1, lastSuccessMs: expect.any(Number) },
      message: '',
    },
    {
      pod,
      container: 'app',
      containerId: 'c2',
      kind: 'readiness',
      attempts: { successful: 2, failed: 3, unknown: 2 },
      latencies: expect.objectContaining({ count: 5 }),
      latencyCounts: expect.any(Function),
      probe: expect.objectContaining({ exec: { command: ['readiness'] } }),
      result: 'success',
      tally: {
        last: 'failure',
        inARow: 2,
        lastSuccessMs: expect.any(Number),
        lastFailureMs: expect.any(Number),
      },
      message: expect.any(String),
    },
  ]);
  manager.untrack('c2');
  expect(manager.summaries()).toEqual([]);
});

test('what ends aborts the attempt under way, whose outcome counts no more', async () => {
  const { manager, target, results } = setUp({});
  const signals: AbortSignal[] = [];
  manager.track({
    ...target,
    containerId: 'hangs',
    container: { name: 'app', livenessProbe: probe('liveness', { failureThreshold: 1 }) },
    exec: (_command, _timeoutMs, signal) =>
      new Promise((_, reject) => {
        signals.push(signal);
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  });
  await pass(0);
  manager[Symbol.dispose]();
  expect(signals[0]?.aborted).toBe(true);
  await pass(60_000);
  expect(signals).toHaveLength(1);
  expect(results).toEqual([]);
});
