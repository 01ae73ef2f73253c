import { expect, it } from 'vitest';
import type { Pod, ResourceRequirements } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import type { PodRecord } from './pod-record.ts';
import { RecordKeeper } from './record-keeper.ts';
import { appliedResources, podInForce, resizeOf, resourcesText, withApplied } from './resize.ts';
import type { Resize } from './resizer.ts';
import { Resizing } from './resizing.ts';
import { testActual, testContainer, testNowMs, testPod, testSandbox } from './testing.ts';

const of = (cpu: string): ResourceRequirements => ({ requests: { cpu }, limits: { cpu } });
const podOf = (resources: ResourceRequirements): Pod =>
  testPod({ containers: ['a', 'b'].map((name) => ({ name, image: 'i', resources })) });
/** Of an agent that noted nothing of their resources. */
const adopted = testActual([testSandbox()], [testContainer('a', 'running'), testContainer('b', 'running')]);
const signal = new AbortController().signal;

function resizingOf(resize: (resize: Resize) => Promise<void>) {
  const record: PodRecord = {
    pod: podOf(of('1')),
    firstSeenMs: testNowMs,
    ended: false,
    removing: false,
    runtime: 'process',
  };
  const saved: PodRecord[] = [];
  const clock = { now: () => testNowMs, monotonicMs: () => 0 };
  const save = async (each: PodRecord) => void saved.push(structuredClone(each));
  const keeper = new RecordKeeper(record, { isSaved: true, save, ...clock, log: silentLogger() });
  const completed: Pod[] = [];
  const effects = { resize, reportResized: (pod: Pod) => void completed.push(pod) };
  const resizing = new Resizing({ keeper, effects, ...clock, onResized: () => undefined });
  const allocate = (pod: Pod) => {
    resizing.begin(2);
    record.pod = pod;
  };
  return { resizing, record, saved, completed, allocate };
}

const applyTo = async ({ pod, onApplied }: Resize, ...names: string[]) => {
  for (const name of names) {
    const container = pod.spec?.containers.find((each) => each.name === name);
    await onApplied(`${name}0`, resourcesText(container ?? {}));
  }
};

it('updates containers that do not tell what they were made with, and is done when they have it', async () => {
  const { resizing, record, completed, allocate } = resizingOf((resize) => applyTo(resize, ...resize.names));
  allocate(podOf(of('2')));
  const before = withApplied(adopted, record);
  const needs = record.pod.spec?.containers.map((each, index) => resizeOf(each, before.containers[index]!));
  expect(needs).toEqual(['update', 'update']);
  expect(podInForce(record.pod, before)).toEqual(podOf(of('1')));
  await resizing.run(['a'], before, signal);
  expect(completed).toEqual([]);
  await resizing.run(['b'], withApplied(adopted, record), signal);
  expect(completed).toEqual([record.pod]);
  expect(record.resize).toEqual({});
});

it('keeps what was applied before it was cut short', async () => {
  const ending = new AbortController();
  const { resizing, record, saved, allocate } = resizingOf(async (resize) => {
    await applyTo(resize, 'a');
    ending.abort();
    ending.signal.throwIfAborted();
  });
  allocate(podOf(of('2')));
  const before = withApplied(adopted, record);
  await expect(resizing.run(['a', 'b'], before, ending.signal)).rejects.toThrow();
  const [a, b] = withApplied(adopted, saved.at(-1) ?? {}).containers.map(appliedResources);
  expect([a, b]).toEqual([of('2'), of('1')]);
});
