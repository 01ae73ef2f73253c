import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { Runtime } from '../runtime/runtime.ts';
import { silentLogger } from './log.ts';
import { runtimeHealth } from './runtime-health.ts';

const status = (conditions: object[]) => ({
  conditions,
  runtimeHandlers: [],
  supplementalGroupsPolicy: false,
});

/** @param version what asking for it comes to */
const runtime = (version: (signal: AbortSignal) => Promise<unknown>, conditions: object[] = []) =>
  ({ name: 'engine', version, status: async () => status(conditions) }) as unknown as Runtime;

const drivenBy = (cgroupDriver: string) =>
  ({
    name: 'engine',
    version: known,
    status: async () => ({ ...status([]), cgroupDriver }),
  }) as unknown as Runtime;

const silent = () => ({ name: 'engine', version: known, status: hang }) as unknown as Runtime;

const known = async () => ({ runtimeVersion: '1' });
const hang = async (signal: AbortSignal) => {
  await once(signal, 'abort');
  throw new Error('cancelled');
};
const refuse = () => Promise.reject(new Error('no socket'));
const networkDown = { type: 'NetworkReady', status: false, reason: 'NoCni', message: 'no network' };
const hour = 3_600_000;

async function problemsOf(
  asked: Runtime,
  silentMs: number,
  signal = new AbortController().signal,
): Promise<(string | undefined)[]> {
  const problems: (string | undefined)[] = [];
  const health = runtimeHealth({
    runtimes: [asked],
    default: asked,
    cgroupDriver: 'cgroupfs',
    periodMs: hour,
    silentMs,
    log: silentLogger(),
    onProblem: (_, message) => void problems.push(message),
  });
  await health.check(signal);
  return problems;
}

test.each([
  ['is fine', runtime(known), hour, [undefined]],
  [
    'is not ready',
    runtime(known, [networkDown]),
    hour,
    [expect.stringMatching(/not ready: NetworkReady=false/)],
  ],
  ['has our cgroup driver', drivenBy('cgroupfs'), hour, [undefined]],
  [
    'has the other cgroup driver',
    drivenBy('systemd'),
    hour,
    [expect.stringMatching(/systemd.*cgroupDriver: cgroupfs/)],
  ],
  ['is not there', runtime(refuse), hour, ['container runtime is down: no socket']],
  ['does not tell its status', silent(), 10, ['container runtime is down: it does not answer']],
  ['does not tell its version in time', runtime(hang), 10, []],
])('a runtime that %s is told of so', async (_, asked, silentMs, expected) => {
  expect(await problemsOf(asked, silentMs)).toEqual(expected);
});

test('an agent that ends tells of no runtime', async () => {
  const ending = new AbortController();
  const telling = problemsOf(silent(), hour, ending.signal);
  ending.abort();
  expect(await telling).toEqual([]);
});

test('a runtime that has said nothing is a problem until it does', async () => {
  const answer = Promise.withResolvers<unknown>();
  const [slow, quick, gone] = [runtime(() => answer.promise), runtime(known), runtime(refuse)];
  const problems = new Map<Runtime, string | undefined>();
  const health = runtimeHealth({
    runtimes: [slow, quick, gone],
    default: slow,
    cgroupDriver: 'cgroupfs',
    periodMs: hour,
    silentMs: hour,
    log: silentLogger(),
    onProblem: (of, message) => problems.set(of, message),
  });
  const checked = health.check(new AbortController().signal);
  await expect.poll(() => problems.size).toBe(2);
  health.noteSilent();
  expect([slow, quick, gone].map((each) => problems.get(each))).toEqual([
    'container runtime is down: it has not answered yet',
    undefined,
    'container runtime is down: no socket',
  ]);
  answer.resolve({ runtimeVersion: '1' });
  await checked;
  expect(problems.get(slow)).toBeUndefined();
});
