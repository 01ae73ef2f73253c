import { describe, expect, test } from 'vitest';
import type { ObjectReference } from '../events.ts';
import { createEventLog } from './recorder.ts';

const pod = (name = 'web'): ObjectReference => ({
  kind: 'Pod',
  namespace: 'default',
  name,
  uid: `uid-${name}`,
});
const startMs = Date.parse('2026-01-31T12:00:00Z');

function eventLog() {
  let elapsedMs = 0;
  const log = createEventLog({
    component: 'roslet',
    nodeName: 'robot',
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
  });
  return { log, pass: (ms: number) => (elapsedMs += ms) };
}

describe('the event log', () => {
  test('tells an event as a core/v1 Event', () => {
    const { log } = eventLog();
    log.event(
      { ...pod(), fieldPath: 'spec.containers{nginx}' },
      'Normal',
      'Started',
      'Started container nginx',
    );
    expect(log.list()).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: {
          name: expect.stringMatching(/^web\.[0-9a-f]+$/),
          namespace: 'default',
          uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          creationTimestamp: '2026-01-31T12:00:00Z',
        },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Pod',
          namespace: 'default',
          name: 'web',
          uid: 'uid-web',
          fieldPath: 'spec.containers{nginx}',
        },
        reason: 'Started',
        message: 'Started container nginx',
        source: { component: 'roslet', host: 'robot' },
        firstTimestamp: '2026-01-31T12:00:00Z',
        lastTimestamp: '2026-01-31T12:00:00Z',
        count: 1,
        type: 'Normal',
        reportingComponent: 'roslet',
        reportingInstance: 'robot',
      },
    ]);
  });

  test('counts equal events under one name, with the first and the last time', () => {
    const { log, pass } = eventLog();
    log.event(pod(), 'Warning', 'BackOff', 'again');
    const [first] = log.list();
    pass(5000);
    log.event(pod(), 'Warning', 'BackOff', 'again');
    expect(log.list()).toEqual([{ ...first, count: 2, lastTimestamp: '2026-01-31T12:00:05Z' }]);
  });

  test.each<[string, Parameters<ReturnType<typeof eventLog>['log']['event']>]>([
    ['another object', [pod('db'), 'Normal', 'Pulled', 'm']],
    ['another container', [{ ...pod(), fieldPath: 'spec.containers{b}' }, 'Normal', 'Pulled', 'm']],
    ['another type', [pod(), 'Warning', 'Pulled', 'm']],
    ['another reason', [pod(), 'Normal', 'Pulling', 'm']],
    ['another message', [pod(), 'Normal', 'Pulled', 'n']],
  ])('does not mix up events of %s', (_, other) => {
    const { log } = eventLog();
    log.event(pod(), 'Normal', 'Pulled', 'm');
    log.event(...other);
    expect(log.list().map(({ count }) => count)).toEqual([1, 1]);
  });

  test('combines similar events from the tenth message within ten minutes on', () => {
    const { log, pass } = eventLog();
    for (let i = 1; i <= 12; i += 1) {
      pass(1000);
      log.event(pod(), 'Warning', 'Failed', `attempt ${i}`);
    }
    const events = log.list();
    expect(events).toHaveLength(10);
    expect(events.at(-1)).toMatchObject({ count: 3, message: '(combined from similar events): attempt 12' });
    pass(11 * 60_000);
    log.event(pod(), 'Warning', 'Failed', 'attempt 13');
    expect(log.list().at(-1)).toMatchObject({ count: 1, message: 'attempt 13' });
  });

  test('slows an object that emits without end, and counts on', () => {
    const { log, pass } = eventLog();
    let told = 0;
    log.watch(() => (told += 1));
    for (let i = 0; i < 100; i += 1) log.event(pod(), 'Warning', 'Unhealthy', 'down');
    expect(told).toBe(25);
    expect(log.list()).toMatchObject([{ count: 100 }]);
    log.event(pod('db'), 'Warning', 'Unhealthy', 'down');
    expect(told).toBe(26);
    log.event(pod(), 'Warning', 'Killing', 'new while slowed');
    expect(log.list()).toHaveLength(2);
    pass(5 * 60_000);
    log.event(pod(), 'Warning', 'Unhealthy', 'down');
    expect(told).toBe(27);
  });

  test('tells what goes wrong with an object that goes on telling what goes well', () => {
    const { log } = eventLog();
    for (let i = 0; i < 100; i += 1) log.event(pod(), 'Normal', 'Started', 'once more');
    log.event(pod(), 'Warning', 'BackOff', 'crashes');
    expect(log.list()).toMatchObject([{ reason: 'Started' }, { reason: 'BackOff' }]);
  });

  test('stays bounded for one object and in all, and forgets what was repeated longest ago', () => {
    const { log, pass } = eventLog();
    const emit = (name: string, reason: string) => {
      pass(5 * 60_000);
      log.event(pod(name), 'Normal', reason, 'm');
    };
    emit('noisy', 'first');
    emit('noisy', 'second');
    emit('noisy', 'first');
    for (let i = 0; i < 99; i += 1) emit('noisy', `r${i}`);
    const reasons = log.list({ name: 'noisy' }).map(({ reason }) => reason);
    expect(reasons).toHaveLength(100);
    expect(reasons[0]).toBe('first');
    for (let i = 0; i < 3000; i += 1) emit(`pod${i}`, 'r');
    expect(log.list()).toHaveLength(2000);
    expect(log.list({ name: 'noisy' })).toEqual([]);
    for (let i = 0; i < 100; i += 1) emit('noisy', `again${i}`);
    expect(log.list({ name: 'noisy' })).toHaveLength(100);
  });

  test('lists what is asked for', () => {
    const { log } = eventLog();
    log.event(pod('a'), 'Normal', 'r', 'm');
    log.event(pod('b'), 'Normal', 'r', 'm');
    log.event({ kind: 'Node', namespace: '', name: 'robot', uid: 'robot' }, 'Normal', 'Starting', 'm');
    const names = (filter: Parameters<typeof log.list>[0]) =>
      log.list(filter).map((event) => event.involvedObject.name);
    expect(names({ kind: 'Pod' })).toEqual(['a', 'b']);
    expect(names({ uid: 'uid-b' })).toEqual(['b']);
    expect(names({ namespace: 'default', name: 'a' })).toEqual(['a']);
    expect(log.list({ kind: 'Node' })[0]?.metadata.namespace).toBe('default');
  });

  test('tells watchers until they have had enough, and never changes what it told', () => {
    const { log } = eventLog();
    const seen: unknown[] = [];
    const stop = log.watch((event) => seen.push(event));
    log.event(pod(), 'Normal', 'r', 'm');
    const [first] = log.list();
    log.event(pod(), 'Normal', 'r', 'm');
    stop();
    log.event(pod(), 'Normal', 'r', 'm');
    expect(seen).toMatchObject([{ count: 1 }, { count: 2 }]);
    expect(first?.count).toBe(1);
  });

  test('goes on to count what an earlier life told, without telling it anew', () => {
    const before = eventLog();
    before.log.event({ ...pod(), fieldPath: 'spec.containers{a}' }, 'Warning', 'BackOff', 'again');
    for (let i = 1; i <= 11; i += 1) before.log.event(pod('db'), 'Warning', 'Failed', `attempt ${i}`);
    const remembered = before.log.list();
    const log = createEventLog({
      component: 'roslet',
      nodeName: 'robot',
      nowMs: () => startMs,
      monotonicMs: () => 0,
      remembered,
    });
    const seen: number[] = [];
    log.watch(({ count = 0 }) => seen.push(count));
    expect(log.list()).toEqual(remembered);
    log.event({ ...pod(), fieldPath: 'spec.containers{a}' }, 'Warning', 'BackOff', 'again');
    expect(seen).toEqual([2]);
    expect(log.list()).toHaveLength(remembered.length);
  });
});
