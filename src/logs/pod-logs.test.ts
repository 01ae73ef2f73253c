import { appendFile, mkdtemp, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ContainerStatus } from '../../runtime/runtime.ts';
import { silentLogger } from '../log.ts';
import { testContainer, testPod } from '../pods/testing.ts';
import { type FollowedWorker, type PodLogs, podLogs } from './pod-logs.ts';

const uid = 'uid-1';
/** As a clock would write it that was set back by half a century. */
const line = (text: string): string => `1970-01-01T00:00:00.000000000Z stdout F ${text}\n`;

let directory: string;
let containers: ContainerStatus[];
let adopted: Set<string>;
let isWanted: boolean;
let changed: () => void;
let logs: PodLogs;
let ending: AbortController;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'roslet-pod-logs-'));
  [containers, adopted, isWanted, ending] = [[], new Set(), true, new AbortController()];
  const worker = (): FollowedWorker => ({
    uid,
    pod: testPod(),
    actual: { uid, sandboxes: [], containers },
    adopted,
  });
  logs = podLogs({
    workers: () => [worker()],
    worker: () => worker(),
    onPodChange(listener) {
      changed = () => listener(uid);
      return () => undefined;
    },
    isWanted: () => isWanted,
    log: silentLogger(),
    signal: ending.signal,
  });
});
afterEach(async () => {
  ending.abort();
  await rm(directory, { recursive: true });
});

/** An instance that has written the lines. */
async function instance(attempt: number, ...lines: string[]): Promise<string> {
  const logPath = join(directory, `${attempt}.log`);
  await writeFile(logPath, lines.map(line).join(''));
  containers = [...containers, testContainer('main', 'running', { attempt, logPath })];
  return logPath;
}

function listen(): { heard: string[]; until(text: string): Promise<void>; end(): void } {
  const heard: string[] = [];
  const end = logs.listen((_uid, _container, { text }) => heard.push(text));
  return { heard, end, until: (text) => expect.poll(() => heard, { timeout: 5000 }).toContain(text) };
}

const openFiles = async (): Promise<string[]> => {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((path) => path.startsWith(directory));
};

it('tells an instance from its first line, but one that was adopted only from now on, whatever the time', async () => {
  const before = await instance(0, 'told by an earlier life');
  adopted.add('main0');
  const { heard, until } = listen();
  await instance(1, 'first');
  changed();
  await until('first');
  const heardMore = async () => {
    await appendFile(before, line('goes on'));
    return heard;
  };
  await expect.poll(heardMore, { timeout: 5000 }).toContain('goes on');
  expect(new Set(heard)).toEqual(new Set(['first', 'goes on']));
});

it('tells the next listener what was written while nobody listened, each line once and over a rotation', async () => {
  const path = await instance(0, 'a');
  const first = listen();
  await first.until('a');
  first.end();
  await appendFile(path, line('b') + line('c'));
  await sleep(50);
  await rename(path, `${path}.20260101-000000`);
  await writeFile(path, line('d'));
  await instance(1, 'e');
  changed();
  await sleep(50);
  expect(first.heard).toEqual(['a']);
  const second = listen();
  await second.until('d');
  await second.until('e');
  await appendFile(path, line('f'));
  await second.until('f');
  expect(second.heard.filter((text) => text !== 'e')).toEqual(['b', 'c', 'd', 'f']);
});

it('has any number of containers wait for a listener without a warning', async () => {
  const warned = vi.fn();
  process.on('warning', warned);
  const paths = await Promise.all(Array.from({ length: 12 }, (_, i) => instance(i, `begins ${i}`)));
  const first = listen();
  for (const i of paths.keys()) await first.until(`begins ${i}`);
  first.end();
  for (const path of paths) await appendFile(path, line('waits'));
  await sleep(100);
  const second = listen();
  await expect.poll(() => second.heard.length).toBe(12);
  process.off('warning', warned);
  expect(warned).not.toHaveBeenCalled();
});

it('lets go of an instance that is forgotten while nobody listens', async () => {
  const path = await instance(0, 'a');
  const first = listen();
  await first.until('a');
  first.end();
  await appendFile(path, line('b'));
  await sleep(50);
  containers = [];
  changed();
  await expect.poll(openFiles).toEqual([]);
});

it('tells nothing again of a pod that was not to be told for a while', async () => {
  const path = await instance(0, 'a');
  const { heard, until } = listen();
  await until('a');
  isWanted = false;
  changed();
  await expect.poll(openFiles).toEqual([]);
  isWanted = true;
  changed();
  await instance(1, 'b');
  changed();
  await until('b');
  const heardMore = async () => {
    await appendFile(path, line('goes on'));
    return heard;
  };
  await expect.poll(heardMore).toContain('goes on');
  expect(heard.filter((text) => text === 'a')).toEqual(['a']);
});
