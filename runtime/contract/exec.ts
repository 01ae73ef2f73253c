/** Commands in a running container: at once (execSync) and streamed (exec), with and without a terminal. */
import { PassThrough, Readable, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { ExecOptions } from '../runtime.ts';
import { type Bench, eventually, type Pod } from './harness.ts';

export function execCases(bench: Bench): void {
  const idle = async (): Promise<{ pod: Pod; id: string }> => {
    const pod = await bench.pod();
    return { pod, id: await bench.start(pod, 'main', 'trap "exit 0" TERM; while :; do sleep 0.1; done') };
  };

  test('execSync gives both streams and the exit code', async () => {
    const { id } = await idle();
    const result = await bench.runtime.execSync(id, ['sh', '-c', 'echo out; echo err >&2; exit 9'], 10_000);
    expect({ ...result, stdout: String(result.stdout), stderr: String(result.stderr) }).toEqual({
      exitCode: 9,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('execSync gives large output whole', async () => {
    const { id } = await idle();
    const { stdout } = await bench.runtime.execSync(id, ['head', '-c', '3000000', '/dev/zero'], 20_000);
    expect(stdout.length).toBe(3_000_000);
    expect(stdout.every((byte) => byte === 0)).toBe(true);
  });

  test('a command that does not end in time is killed', async () => {
    const { id } = await idle();
    const background = bench.traits.endsWholeCommand ? '(while :; do sleep 0.4242; done) &' : '';
    const script = `${background} while :; do sleep 0.4242; done`;
    await expect(bench.runtime.execSync(id, ['sh', '-c', script], 500)).rejects.toMatchObject({
      code: 'DeadlineExceeded',
    });
    await eventually(async () => {
      const { stdout } = await bench.runtime.execSync(id, ['ps', '-o', 'args'], 10_000);
      expect(String(stdout)).not.toContain('0.4242');
    });
  });

  test('a command that cannot be run is an error or ends with the code that says so', async () => {
    const { id } = await idle();
    const outcome = await bench.runtime.execSync(id, ['no-such-program'], 10_000).then(
      ({ exitCode }) => String(exitCode),
      (error: Error) => error.message,
    );
    expect(outcome).toMatch(/^12[67]$|no-such-program/);
  });

  test('nothing is executed in a container that has ended or never was', async () => {
    const { status } = await bench.runToEnd(await bench.pod(), 'main', 'true');
    await expect(bench.runtime.execSync(status.id, ['true'], 10_000)).rejects.toThrow();
    await expect(bench.runtime.execSync('0123456789abcdef', ['true'], 10_000)).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  test('a command has the environment, user, directory and namespaces of the container', async () => {
    const pod = await bench.pod();
    const id = await bench.start(
      pod,
      'main',
      'echo $$; readlink /proc/self/ns/mnt; while :; do sleep 0.1; done',
      {
        envs: [{ key: 'GREETING', value: 'hello you' }],
        workingDir: '/usr',
        securityContext: { runAsUser: 1234, runAsGroup: 4321, supplementalGroups: [777] },
      },
    );
    await bench.logged(id, /mnt:/);
    const script = 'echo $GREETING; pwd; id -u; id -g; id -G; readlink /proc/self/ns/mnt';
    const { stdout } = await bench.runtime.execSync(id, ['sh', '-c', script], 10_000);
    const [greeting, directory, uid, gid, groups, namespace] = String(stdout).split('\n');
    expect([greeting, directory, uid, gid]).toEqual(['hello you', '/usr', '1234', '4321']);
    expect(groups?.split(' ').sort()).toEqual(['4321', '777']);
    expect((await bench.log(id)).map(({ text }) => text)).toContain(namespace);
  });

  test('streams are relayed both ways, and the end of input is passed on', async () => {
    const { id } = await idle();
    const stdin = new PassThrough();
    const [stdout, stderr] = [collect(), collect()];
    const session = await bench.runtime.exec(id, {
      command: ['sh', '-c', 'cat; echo done >&2; exit 6'],
      tty: false,
      stdin,
      stdout: stdout.stream,
      stderr: stderr.stream,
    });
    stdin.write('one\n');
    await eventually(async () => expect(stdout.text()).toBe('one\n'));
    stdin.end('two\n');
    expect(await session.exitCode).toBe(6);
    expect([stdout.text(), stderr.text()]).toEqual(['one\ntwo\n', 'done\n']);
  });

  test('a command without input sees its end at once', async () => {
    const { id } = await idle();
    expect(await runExec(id, { command: ['cat'], tty: false })).toEqual({ exitCode: 0, output: '' });
  });

  test('a megabyte sent through comes back whole', async () => {
    const { id } = await idle();
    const sent = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => (index * 7) & 0xff));
    const chunks: Buffer[] = [];
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk);
        done();
      },
    });
    const options = { command: ['cat'], tty: false, stdin: Readable.from([sent]), stdout };
    const session = await bench.runtime.exec(id, options);
    expect(await session.exitCode).toBe(0);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
  });

  test('a command can open its standard streams by name', async () => {
    const { id } = await idle();
    const options = { command: ['sh', '-c', 'echo named > /dev/stdout'], tty: false };
    expect(await runExec(id, options)).toEqual({ exitCode: 0, output: 'named\n' });
  });

  test('with a terminal the command has one, of the size that is asked for', async () => {
    const { id } = await idle();
    const options = {
      // The size may come a moment after the start; until then there is none.
      command: ['sh', '-c', 'tty; until stty size 2>/dev/null | grep [1-9]; do sleep 0.02; done'],
      tty: true,
      initialSize: { columns: 91, rows: 17 },
    };
    const { exitCode, output } = await runExec(id, options);
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^\/dev\/pts\/\d+\r\n17 91\r\n$/);
  });

  test('a terminal is resized and takes input; its end of file ends the command', async () => {
    const { id } = await idle();
    const stdin = new PassThrough();
    const stdout = collect();
    // No trap of WINCH: shells differ in what a signal does to `read`.
    const command = ['sh', '-c', 'echo ready; while read line; do stty size; echo got $line; done; exit 4'];
    const session = await bench.runtime.exec(id, { command, tty: true, stdin, stdout: stdout.stream });
    await eventually(async () => expect(stdout.text()).toContain('ready'));
    session.resize({ columns: 120, rows: 50 });
    await eventually(async () => {
      stdin.write('a word\n');
      expect(stdout.text()).toContain('50 120');
    });
    await eventually(async () => expect(stdout.text()).toContain('got a word'));
    stdin.write('\x04');
    expect(await session.exitCode).toBe(4);
  });

  if (bench.traits.endsCancelledCommand)
    test('cancelling ends the command', async () => {
      const { id } = await idle();
      const abort = new AbortController();
      const command = ['sh', '-c', 'while :; do sleep 0.4343; done'];
      const session = await bench.runtime.exec(id, { command, tty: false }, abort.signal);
      const ended = expect(session.exitCode).rejects.toThrow();
      abort.abort();
      await ended;
      await eventually(async () => {
        const { stdout } = await bench.runtime.execSync(id, ['ps', '-o', 'args'], 10_000);
        expect(String(stdout)).not.toContain('0.4343');
      });
    });

  test('a command ends with its container', async () => {
    const { id } = await idle();
    const stdout = collect();
    const command = ['sh', '-c', 'echo up; exec sleep 100'];
    const session = await bench.runtime.exec(id, { command, tty: false, stdout: stdout.stream });
    await eventually(async () => expect(stdout.text()).toBe('up\n'));
    await bench.runtime.stopContainer(id, 0);
    expect(await session.exitCode).toBe(137);
  });

  test('ten commands run at once', async () => {
    const { id } = await idle();
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        bench.runtime.execSync(id, ['sh', '-c', `echo ${index}`], 20_000),
      ),
    );
    expect(results.map(({ stdout }) => Number(String(stdout)))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  async function runExec(id: string, options: ExecOptions): Promise<{ exitCode: number; output: string }> {
    const stdout = collect();
    const session = await bench.runtime.exec(id, { ...options, stdout: stdout.stream });
    return { exitCode: await session.exitCode, output: stdout.text() };
  }
}

export function collect(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}
