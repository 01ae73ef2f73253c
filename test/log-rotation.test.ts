/** Rotation of the logs of real containers that write without a pause: every line is kept, in its order. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { containerdsUnderTest } from '../runtime/contract/containerd.ts';
import { parseLog, type RuntimeUnderTest, textOf, useBench } from '../runtime/contract/harness.ts';
import { processUnderTest } from '../runtime/contract/process.ts';
import { silentLogger } from '../src/log.ts';
import { rotateWhenLarge } from '../src/pods/log-rotation.ts';

const runtimes: RuntimeUnderTest[] = [processUnderTest, ...containerdsUnderTest.slice(0, 1)];
const rotations = 10;
const script = 'i=0; while :; do echo line $i; i=$((i+1)); done';

describe.each(runtimes)('rotation on $name', (subject) => {
  const bench = useBench(subject);

  it('loses no line of a container that never stops writing', async () => {
    const id = await bench.start(await bench.pod(), 'main', script);
    const { logPath } = await bench.runtime.containerStatus(id);
    const log = {
      containerId: id,
      path: logPath,
      reopen: (signal: AbortSignal) => bench.runtime.reopenContainerLog(id, signal),
    };
    const options = {
      // Not less: containerd 1.6 goes on for an instant with the file before, which is compressed with the next rotation.
      maxSizeBytes: 100_000,
      maxFiles: 1000,
      periodMs: 1,
      logs: async () => [log],
      now: Date.now,
      log: silentLogger(),
    };
    const signal = new AbortController().signal;
    while ((await rotatedFiles(logPath)).length < rotations) await rotateWhenLarge(log, options, signal);
    await bench.runtime.stopContainer(id, 0);

    const contents = await Promise.all([...(await rotatedFiles(logPath)), logPath].map(textIn));
    // The last line may have been cut by the kill.
    const written = contents.map((content) => textOf(parseLog(content), 'stdout')).join('');
    const lines = written.split('\n').slice(0, -1);
    expect(lines.findIndex((line, index) => line !== `line ${index}`)).toBe(-1);
    expect(contents.every((content) => content.includes('line '))).toBe(true);
  });
});

/** Oldest first. */
async function rotatedFiles(path: string): Promise<string[]> {
  const names = await readdir(dirname(path));
  const rotated = names.filter((name) => name.startsWith(`${basename(path)}.`)).sort();
  return rotated.map((name) => join(dirname(path), name));
}

async function textIn(path: string): Promise<string> {
  const content = await readFile(path);
  return (path.endsWith('.gz') ? gunzipSync(content) : content).toString();
}
