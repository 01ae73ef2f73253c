/** What the next life of the agent knows of the events of this one, on a real directory. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Event } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import { openStore } from '../store/store.ts';
import { EventMemory } from './event-memory.ts';

let dir: string;
let clockMs: number;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-events-'));
  clockMs = Date.parse('2026-01-31T12:00:00Z');
});
afterEach(() => rm(dir, { recursive: true }));

async function memory(): Promise<EventMemory> {
  const log = silentLogger();
  const store = await openStore(dir, log);
  return new EventMemory({ store, nowMs: () => clockMs, monotonicMs: () => clockMs, log });
}

const event = (uid: string, over: Partial<Event> = {}): Event => ({
  metadata: { name: uid, namespace: 'default', uid },
  involvedObject: { kind: 'Pod', name: 'p' },
  reason: 'Started',
  count: 1,
  lastTimestamp: new Date(clockMs).toISOString(),
  ...over,
});

const told = async () => (await (await memory()).load()).map(({ metadata, count }) => [metadata.uid, count]);

test('events are known to the next life in the order in which they were repeated', async () => {
  const first = await memory();
  for (const uid of ['a', 'b']) first.note(event(uid));
  await first.flush();
  first.note(event('a', { count: 2 }));
  await first.flush();
  expect(await told()).toEqual([
    ['b', 1],
    ['a', 2],
  ]);
});

test('those that are older than an hour are not', async () => {
  const first = await memory();
  first.note(event('old'));
  clockMs += 30 * 60_000;
  first.note(event('young'));
  await first.flush();
  clockMs += 31 * 60_000;
  expect(await told()).toEqual([['young', 1]]);
});

test('only so many records and events are kept, the newest', async () => {
  let life = await memory();
  for (let round = 0; round < 200; round += 1) {
    if (round % 50 === 49) {
      life = await memory();
      await life.load();
    }
    for (let i = 0; i < 5; i += 1) life.note(event(`${round}-${i}`));
    await life.flush();
    expect((await readdir(join(dir, 'events'))).length).toBeLessThanOrEqual(33);
  }
  const kept = await told();
  expect(kept).toHaveLength(500);
  expect(kept.at(-1)).toEqual(['199-4', 1]);
});

test('a record that is damaged takes only itself away', async () => {
  const first = await memory();
  first.note(event('a'));
  await first.flush();
  const [name = ''] = await readdir(join(dir, 'events'));
  first.note(event('b'));
  await first.flush();
  await writeFile(join(dir, 'events', name), 'half of');
  expect(await told()).toEqual([['b', 1]]);
});

test.each([[{}], [[null]], [[{ reason: 'Started' }]], ['text']])(
  'a record that is whole but holds no events (%j) is set aside',
  async (value) => {
    const store = await openStore(dir, silentLogger());
    await store.put('events', '1', value);
    const first = await memory();
    expect(await first.load()).toEqual([]);
    expect(await readdir(join(dir, 'events'))).toEqual([]);
    first.note(event('a'));
    await first.flush();
    expect(await told()).toEqual([['a', 1]]);
  },
);

test('what could not be written is written later', async () => {
  const first = await memory();
  await writeFile(join(dir, 'events'), 'in the way');
  first.note(event('a'));
  await first.flush();
  await rm(join(dir, 'events'));
  await first.flush();
  expect(await told()).toEqual([['a', 1]]);
});
