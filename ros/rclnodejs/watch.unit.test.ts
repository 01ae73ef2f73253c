import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { SampleInfo, WatchOptions } from '../transport.ts';
import type { RclGraph } from './graph.ts';
import type { RclRosNode } from './node.ts';
import { RclWatch } from './watch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const [own, other] = ['0110ca00db6a492b45bbc48000000803', '010f8e49c0f6a6c597aa10e900002103'];
const numberOfCyclone = 'f857dc689ea6e9690000000000000000';

/** Of samples that tell a number in the place of their writer, as those of rmw_cyclonedds do. */
function watchOf(writers: string[], options: WatchOptions) {
  let onSample: (cdr: Uint8Array, info: SampleInfo) => void = () => undefined;
  const endpoints = () =>
    writers.map((gid) => ({ kind: 'publisher', gid, type: 'std_msgs/msg/Empty', qos: {} }));
  const subscribe = (_topic: string, _type: string, _qos: unknown, listener: typeof onSample) => {
    onSample = listener;
    return { close: () => undefined };
  };
  const watch = new RclWatch({
    topic: '/beat',
    options,
    onEvent: () => undefined,
    node: { subscribe } as unknown as RclRosNode,
    graph: { endpoints, onChange: () => () => undefined } as unknown as RclGraph,
    onClose: () => undefined,
  });
  const beat = (): void =>
    onSample(new Uint8Array(), { writer: numberOfCyclone, receivedMs: performance.now(), sourceTimeMs: 0 });
  return { watch, beat };
}

it('counts samples of which nobody can tell whose they are where all writers are accepted', () => {
  const { beat, watch } = watchOf([own, other], { maxSilenceMs: 1000 });
  watch.accept(new Set([own, other]));
  beat();
  expect(watch.stats()).toMatchObject({ samples: 1 });
  expect(watch.stats().problem).toBeUndefined();
});

it('counts none of them where one is not, and says so while they come', () => {
  const { beat, watch } = watchOf([own, other], { maxSilenceMs: 1000 });
  watch.accept(new Set([own]));
  expect(watch.stats().problem).toBeUndefined();
  beat();
  expect(watch.stats()).toMatchObject({
    samples: 0,
    problem: expect.stringContaining('does not tell whose'),
  });
  // Where none comes at all, the own writer is silent, too.
  vi.advanceTimersByTime(1001);
  expect(watch.stats().problem).toBeUndefined();
});

it('needs no telling where no writer is accepted', () => {
  const { beat, watch } = watchOf([other], { maxSilenceMs: 1000 });
  watch.accept(new Set());
  beat();
  expect(watch.stats()).toMatchObject({ samples: 0 });
  expect(watch.stats().problem).toBeUndefined();
});
