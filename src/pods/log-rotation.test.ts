import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../log.ts';
import { type RotatableLog, rotateWhenLarge, runLogRotation } from './log-rotation.ts';

const start = Date.UTC(2026, 10, 22, 10, 0, 0);

describe('log rotation', () => {
  let dir: string;
  let path: string;
  let nowMs: number;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-rotation-'));
    path = join(dir, '0.log');
    nowMs = start;
  });
  afterEach(() => rm(dir, { recursive: true }));

  const options = (more = {}) => ({
    maxSizeBytes: 100,
    maxFiles: 3,
    periodMs: 1,
    logs: async () => [],
    now: () => nowMs,
    log: silentLogger(),
    ...more,
  });
  const rotate = (log: RotatableLog, more = {}) =>
    rotateWhenLarge(log, options(more), new AbortController().signal);
  const files = async () => (await readdir(dir)).sort();

  /** What a runtime does: it holds the file open and goes on writing to it until it is told to open it anew. */
  function runtimeLog() {
    let fd = openSync(path, 'a');
    let lines = 0;
    const reopen = async () => {
      closeSync(fd);
      fd = openSync(path, 'a');
    };
    return {
      log: { containerId: 'c', path, reopen } satisfies RotatableLog,
      write: (count: number) => {
        for (let i = 0; i < count; i += 1) writeSync(fd, `line ${lines++}\n`);
      },
      lines: () => lines,
      close: () => closeSync(fd),
    };
  }
  const everyLine = async () => {
    const texts: string[] = [];
    for (const name of await rotatedFirst()) {
      const content = await readFile(join(dir, name));
      texts.push((name.endsWith('.gz') ? gunzipSync(content) : content).toString());
    }
    return texts.join('').split('\n').filter(Boolean);
  };
  const rotatedFirst = async () => {
    const names = await files();
    return [...names.filter((name) => name !== '0.log'), ...names.filter((name) => name === '0.log')];
  };
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `line ${from + i}`);

  it('leaves a log alone until it is large', async () => {
    await writeFile(path, 'x'.repeat(99));
    await rotate({ containerId: 'c', path, reopen: () => Promise.reject(new Error('not now')) });
    expect(await files()).toEqual(['0.log']);
  });

  it('renames, compresses what was renamed before, and keeps so many files', async () => {
    const writer = runtimeLog();
    for (let i = 0; i < 4; i += 1) {
      writer.write(20);
      await rotate(writer.log);
      nowMs += 10_000;
    }
    writer.close();
    expect(await files()).toEqual(['0.log', '0.log.20261122-100020.gz', '0.log.20261122-100030']);
    expect(await everyLine()).toEqual(numbered(40, 80));
  });

  it('loses no line that is kept, whenever it is written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 30 }), { maxLength: 8 }), async (bursts) => {
        await rm(dir, { recursive: true });
        dir = await mkdtemp(join(tmpdir(), 'roslet-rotation-'));
        path = join(dir, '0.log');
        const writer = runtimeLog();
        // The container writes between the rename and the opening, too.
        const reopen = () => {
          writer.write(3);
          return writer.log.reopen();
        };
        const log = { ...writer.log, reopen };
        for (const burst of bursts) {
          writer.write(burst);
          await rotate(log, { maxFiles: 50 });
          nowMs += 10_000;
        }
        writer.close();
        expect(await everyLine()).toEqual(numbered(0, writer.lines()));
      }),
      { numRuns: 20 },
    );
  });

  it('keeps at least the log itself and the last one', async () => {
    const writer = runtimeLog();
    for (let i = 0; i < 3; i += 1) {
      writer.write(20);
      await rotate(writer.log, { maxFiles: 2 });
      nowMs += 10_000;
    }
    writer.close();
    expect(await files()).toEqual(['0.log', '0.log.20261122-100020']);
  });

  it('keeps the order when the clock is set back or stands still', async () => {
    const writer = runtimeLog();
    for (const stepMs of [0, -3_600_000, 0]) {
      nowMs += stepMs;
      writer.write(20);
      await rotate(writer.log, { maxFiles: 10 });
    }
    writer.close();
    expect(await everyLine()).toEqual(numbered(0, 60));
  });

  it('takes the name back when the runtime does not open the log anew', async () => {
    const writer = runtimeLog();
    writer.write(20);
    await rotate({ ...writer.log, reopen: () => Promise.reject(new Error('the runtime is gone')) });
    expect(await files()).toEqual(['0.log']);
    writer.write(20);
    await rotate(writer.log);
    writer.close();
    expect(await everyLine()).toEqual(numbered(0, 40));
  });

  it('takes the name back when the container ends before it opens the log anew', async () => {
    const writer = runtimeLog();
    writer.write(20);
    let asked = 0;
    const reopen = async () => {
      asked += 1;
      if (asked > 1) throw new Error('the container is not running');
    };
    vi.useFakeTimers({ toFake: ['performance'], now: 0 });
    try {
      const rotating = rotate({ ...writer.log, reopen });
      await vi.waitUntil(() => asked > 0);
      vi.advanceTimersByTime(60_000);
      await rotating;
    } finally {
      vi.useRealTimers();
    }
    writer.close();
    expect(await files()).toEqual(['0.log']);
    expect(await everyLine()).toEqual(numbered(0, 20));
  });

  it('has a log opened anew that was renamed by an agent that then was killed', async () => {
    const writer = runtimeLog();
    writer.write(20);
    await rename(path, `${path}.20261122-095000`);
    await rotate(writer.log);
    writer.write(1);
    writer.close();
    expect(await everyLine()).toEqual(numbered(0, 21));
    expect((await stat(path)).size).toBe('line 20\n'.length);
  });

  it('cleans up after an agent that was killed while compressing, and touches no other file', async () => {
    await writeFile(`${path}.20261122-090000`, 'already compressed\n');
    await writeFile(`${path}.20261122-090000.gz`, gzipSync('already compressed\n'));
    await writeFile(`${path}.20261122-091000`, 'half compressed\n');
    await writeFile(`${path}.20261122-091000.tmp`, 'half');
    await writeFile(`${path}.backup`, 'mine');
    await writeFile(join(dir, '10.log.20261122-090000'), 'another container');
    const writer = runtimeLog();
    writer.write(20);
    await rotate(writer.log, { maxFiles: 10 });
    writer.close();
    expect(await files()).toEqual([
      '0.log',
      '0.log.20261122-090000.gz',
      '0.log.20261122-091000.gz',
      '0.log.20261122-100000',
      '0.log.backup',
      '10.log.20261122-090000',
    ]);
  });

  it('alarms of a log that cannot be rotated, unless its container has ended meanwhile', async () => {
    const log = silentLogger();
    const error = vi.spyOn(log, 'error');
    const gone = { containerId: 'c', path, reopen: () => Promise.reject(new Error('is not running')) };
    await rotate(gone, { log, logs: async () => [] });
    expect(error).not.toHaveBeenCalled();
    await rotate(gone, { log, logs: async () => [gone] });
    expect(error).toHaveBeenCalledOnce();
  });

  it('goes on with the other logs when one cannot be rotated', async () => {
    const writer = runtimeLog();
    writer.write(20);
    const controller = new AbortController();
    const broken: RotatableLog = {
      containerId: 'b',
      path: join(dir, '0.log/nowhere'),
      reopen: async () => undefined,
    };
    const logs = async () => [
      broken,
      { ...writer.log, reopen: () => writer.log.reopen().then(() => controller.abort()) },
    ];
    await runLogRotation(options({ logs }), controller.signal);
    writer.close();
    expect(await files()).toEqual(['0.log', '0.log.20261122-100000']);
  });
});
