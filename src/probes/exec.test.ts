import { describe, expect, test } from 'vitest';
import { RuntimeError } from '../../runtime/runtime.ts';
import { type ExecInContainer, probeExec } from './exec.ts';

const options = { timeoutMs: 1500, signal: new AbortController().signal };
const answer = (exitCode: number, stdout = '', stderr = '') => ({
  exitCode,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from(stderr),
});

function run(exec: ExecInContainer, command = ['check']) {
  const env = [
    { name: 'MODE', value: 'fast' },
    { name: 'SECRET', valueFrom: {} },
  ];
  return probeExec({ command }, { container: { name: 'app', env }, exec }, options);
}

describe('an exec probe', () => {
  test.each([
    [0, 'success'],
    [1, 'failure'],
    [137, 'failure'],
  ])('takes exit code %i as %s and keeps what was printed', async (exitCode, result) => {
    expect(await run(async () => answer(exitCode, 'out', 'err'))).toEqual({ result, output: 'outerr' });
  });

  test('keeps 10 KiB of the output', async () => {
    const { output } = await run(async () => answer(1, 'x'.repeat(20_000)));
    expect(output).toHaveLength(10 * 1024);
  });

  test('fails when the command does not end in time', async () => {
    const slow = () => Promise.reject(new RuntimeError('DeadlineExceeded', 'too slow'));
    expect(await run(slow, ['sleep', '10'])).toEqual({
      result: 'failure',
      output: 'command timed out: "sleep 10" timed out after 1.5s',
      timedOut: true,
    });
  });

  test('says nothing when the runtime could not run it', async () => {
    await expect(run(() => Promise.reject(new RuntimeError('Unavailable', 'no answer')))).rejects.toThrow(
      'no answer',
    );
  });

  test('expands variables that the spec gives a value', async () => {
    let seen: readonly string[] = [];
    const exec: ExecInContainer = async (command) => {
      seen = command;
      return answer(0);
    };
    await run(exec, ['sh', '$(MODE)', '$(OTHER)', '$$(MODE)']);
    expect(seen).toEqual(['sh', 'fast', '$(OTHER)', '$(MODE)']);
  });
});
