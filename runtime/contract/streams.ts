/** Attaching to the main process, and connections into a sandbox's network. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { collect } from './exec.ts';
import { type Bench, eventually } from './harness.ts';
import { mountOf } from './lifecycle.ts';

export function streamCases(bench: Bench): void {
  test('attaching shows what the main process writes from then on, and ends with it', async () => {
    const pod = await bench.pod();
    // It waits before it ends: containerd may drop what is left of one stream when the other one ends.
    const script = 'read line; echo "out $line"; echo "err $line" >&2; read line';
    const id = await bench.start(pod, 'main', script, { stdin: true });
    const stdin = new PassThrough();
    const [stdout, stderr] = [collect(), collect()];
    const streams = { stdin, stdout: stdout.stream, stderr: stderr.stream };
    const session = await bench.runtime.attach(id, { tty: false, ...streams });
    stdin.write('hello\n');
    await eventually(async () => expect(stdout.text()).toBe('out hello\n'));
    await eventually(async () => expect(stderr.text()).toBe('err hello\n'));
    stdin.write('\n');
    expect(await session.exitCode).toBe(0);
    expect((await bench.exited(id)).exitCode).toBe(0);
  });

  test('with stdinOnce the end of the first input is passed on', async () => {
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'cat; echo eof', { stdin: true, stdinOnce: true });
    const stdin = new PassThrough();
    const session = await bench.runtime.attach(id, { tty: false, stdin });
    stdin.end('all\n');
    await bench.logged(id, /^all\neof$/);
    await session.exitCode;
  });

  test('without stdinOnce input stays open for the next who attaches', async () => {
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'while read line; do echo "got $line"; done', { stdin: true });
    for (const word of ['first', 'second']) {
      const stdin = new PassThrough();
      const abort = new AbortController();
      const session = await bench.runtime.attach(id, { tty: false, stdin }, abort.signal);
      stdin.write(`${word}\n`);
      await bench.logged(id, new RegExp(`got ${word}`));
      abort.abort();
      await session.exitCode.catch(() => undefined);
    }
    expect((await bench.runtime.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
  });

  test('a terminal of the main process is attached to and resized', async () => {
    const pod = await bench.pod();
    const script = 'trap "stty size" WINCH; tty; while :; do read line && echo "got $line"; done';
    const id = await bench.start(pod, 'main', script, { stdin: true, tty: true });
    await bench.logged(id, /\/dev\/pts\//);
    const stdin = new PassThrough();
    const stdout = collect();
    const abort = new AbortController();
    const options = { tty: true, stdin, stdout: stdout.stream };
    const session = await bench.runtime.attach(id, options, abort.signal);
    stdin.write('a\n');
    await eventually(async () => expect(stdout.text()).toContain('got a'));
    session.resize({ columns: 77, rows: 33 });
    stdin.write('b\n');
    await eventually(async () => expect(stdout.text()).toContain('33 77'));
    abort.abort();
    await session.exitCode.catch(() => undefined);
  });

  test('nothing is attached to what does not run', async () => {
    const { status } = await bench.runToEnd(await bench.pod(), 'main', 'true');
    await expect(bench.runtime.attach(status.id, { tty: false })).rejects.toThrow();
  });

  test('a port of the sandbox is reached', async () => {
    const pod = await bench.pod();
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const folder = await bench.directory();
    await writeFile(join(folder, 'page'), 'x'.repeat(200_000));
    await bench.start(pod, 'main', `exec busybox httpd -f -p 127.0.0.1:${port} -h /shared`, {
      mounts: [mountOf(folder)],
    });
    const answer = await eventually(async () => {
      const { stream } = await bench.runtime.portForward(pod.id, port);
      stream.end('GET /page HTTP/1.0\r\n\r\n');
      const text = await readAll(stream);
      expect(text).toMatch(/^HTTP/);
      return text;
    });
    expect(answer.split('\r\n\r\n')[1]).toBe('x'.repeat(200_000));
  });

  test('a port that nobody listens on fails or ends at once', async () => {
    const pod = await bench.pod();
    const received = bench.runtime.portForward(pod.id, 1).then(({ stream }) => readAll(stream));
    expect(await received.catch(() => '')).toBe('');
  });
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
