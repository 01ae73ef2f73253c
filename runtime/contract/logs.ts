/** Container logs: the kubelet's format, both streams, long and partial lines, rotation. */
import { readFile, rename } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type Bench, parseLog, textOf } from './harness.ts';

export function logCases(bench: Bench): void {
  test('both streams are in the log, in the order of writing within each', async () => {
    const script = 'for i in 1 2 3; do echo out $i; echo err $i >&2; done';
    const { stdout, stderr } = await bench.runToEnd(await bench.pod(), 'main', script);
    expect(stdout).toBe('out 1\nout 2\nout 3\n');
    expect(stderr).toBe('err 1\nerr 2\nerr 3\n');
  });

  test('the log is where the status says, in the directory of the sandbox', async () => {
    const pod = await bench.pod();
    const { status } = await bench.runToEnd(pod, 'main', 'echo x');
    expect(status.logPath).toBe(`${pod.config.logDirectory}/main.log`);
  });

  test('a line without an end is partial', async () => {
    const { status } = await bench.runToEnd(await bench.pod(), 'main', 'printf "one\ntwo"');
    const lines = await bench.log(status.id);
    expect(lines.map(({ text, partial }) => [text, partial])).toEqual([
      ['one', false],
      ['two', true],
    ]);
  });

  test('a very long line comes in parts that make it up', async () => {
    const script =
      'i=0; while [ $i -lt 2000 ]; do printf "0123456789abcdefghij%05d" $i; i=$((i+1)); done; echo';
    const { status, stdout } = await bench.runToEnd(await bench.pod(), 'main', script);
    expect(stdout).toHaveLength(50_001);
    expect(stdout).toMatch(/^0123456789abcdefghij00000.*0123456789abcdefghij01999\n$/);
    const lines = await bench.log(status.id);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.at(-1)?.partial).toBe(false);
  });

  test('bytes that are not text and empty lines pass unchanged', async () => {
    const { status } = await bench.runToEnd(await bench.pod(), 'main', 'printf "\\n\\377\\001 x \\n"');
    const content = await readFile(status.logPath, 'latin1');
    expect(content).toMatch(/ stdout F \n/);
    expect(content.endsWith(' stdout F \u00ff\u0001 x \n')).toBe(true);
  });

  test('after a rotation the log goes on in the new file, and nothing is lost', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    const script = 'i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.005; done';
    const id = await bench.start(pod, 'main', script);
    await bench.logged(id, /line 20$/m);
    const { logPath } = await runtime.containerStatus(id);
    await rename(logPath, `${logPath}.1`);
    await runtime.reopenContainerLog(id);
    await bench.exited(id);
    const before = textOf(parseLog(await readFile(`${logPath}.1`, 'utf8')), 'stdout');
    const after = textOf(await bench.log(id), 'stdout');
    const expected = Array.from({ length: 400 }, (_, index) => `line ${index}\n`).join('');
    expect(after.length).toBeGreaterThan(0);
    expect(before + after).toBe(expected);
  });

  test('the log of a container that does not run cannot be reopened', async () => {
    const { status } = await bench.runToEnd(await bench.pod(), 'main', 'true');
    await expect(bench.runtime.reopenContainerLog(status.id)).rejects.toThrow();
    await expect(bench.runtime.reopenContainerLog('0123456789abcdef')).rejects.toMatchObject({
      code: 'NotFound',
    });
  });
}
