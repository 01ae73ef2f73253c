import { expect, test } from 'vitest';
import type { RuntimeEvent } from '../runtime.ts';
import { eventHub } from './events.ts';

const stopped = (containerId: string): RuntimeEvent => ({ type: 'stopped', podSandboxId: 'p', containerId });

test('every listener gets every event, in order, until it aborts', async () => {
  const hub = eventHub();
  const listen = async (stop: AbortController): Promise<string[]> => {
    const seen: string[] = [];
    for await (const event of hub.listen(stop.signal)) {
      seen.push(event.containerId);
      if (event.containerId === 'c') stop.abort();
    }
    return seen;
  };
  const listeners = [listen(new AbortController()), listen(new AbortController())];
  await Promise.resolve();
  for (const id of ['a', 'b', 'c']) hub.emit(stopped(id));
  expect(await Promise.all(listeners)).toEqual([
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ]);
});

test('a listener that does not keep up is told to list anew', async () => {
  const hub = eventHub();
  const stop = new AbortController();
  const listening = hub.listen(stop.signal)[Symbol.asyncIterator]();
  const first = listening.next();
  for (let index = 0; index < 3000; index++) hub.emit(stopped(String(index)));
  const seen = [await first];
  for (let next = await listening.next(); seen.length < 3; next = await listening.next()) seen.push(next);
  expect(seen.map(({ value }) => value?.type)).toContain('resync');
  stop.abort();
});

test('an abort ends a listener that waits', async () => {
  const stop = new AbortController();
  const next = eventHub().listen(stop.signal)[Symbol.asyncIterator]().next();
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});
