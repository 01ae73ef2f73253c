/** What goes through the node's own API: logs, exec, attach, cp, port-forward, debug. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { until } from '../agent.ts';
import { busyboxImage } from '../peers/images.ts';
import { type Bench, main, mainOf, untilTerm } from './harness.ts';

export function logCases(bench: Bench): void {
  it('reads logs, and parts of them', async () => {
    await bench.run('logs', {
      containers: [
        main(`echo first; echo second; ${untilTerm}`),
        main(`echo other; ${untilTerm}`, { name: 'other' }),
      ],
    });
    await bench.ready('logs');
    const logs = (...flags: string[]) => bench.kubectl('logs', 'logs', '-c', 'main', ...flags);
    expect(await logs()).toBe('first\nsecond\n');
    expect(await logs('--tail=1')).toBe('second\n');
    expect(await logs('--limit-bytes=3')).toBe('fir');
    expect(await logs('--since=1h')).toBe('first\nsecond\n');
    expect(await logs('--since-time=2100-01-01T00:00:00Z')).toBe('');
    expect(await logs('--timestamps', '--tail=1')).toMatch(/^\d{4}-\d\d-\d\dT\S+ second\n$/);
    const all = await bench.kubectl('logs', 'logs', '--all-containers', '--prefix');
    expect(all.trim().split('\n').sort()).toEqual([
      '[pod/logs/main] first',
      '[pod/logs/main] second',
      '[pod/logs/other] other',
    ]);
    expect((await bench.try(['logs', 'logs', '-c', 'main', '--previous'])).stderr).toMatch(
      /previous terminated container "main" in pod "logs" not found/,
    );
  });

  it('follows a log to its end', async () => {
    await bench.run('followed', { restartPolicy: 'Never', containers: [main('echo a; sleep 3; echo b')] });
    // Of a pod that no scheduler has bound yet the API server says that its log is empty, and that it ended.
    await bench.podUntil('followed', 'has started', (pod) => {
      const { running, terminated } = mainOf(pod)?.state ?? {};
      return (running ?? terminated) !== undefined;
    });
    expect((await bench.try(['logs', '-f', 'followed'])).stdout).toBe('a\nb\n');
  });

  it('says why there is no log', async () => {
    await bench.run('mute', { containers: [{ name: 'main', image: '127.0.0.1:1/none:1' }] });
    await bench.podUntil('mute', 'waits', ({ status }) =>
      /Image/.test(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''),
    );
    expect((await bench.try(['logs', 'mute'])).stderr).toMatch(
      /^Error from server \(BadRequest\): container "main" in pod "mute" is waiting to start: (trying and failing to pull image|image can't be pulled)\n$/,
    );
  });
}

export function execCases(bench: Bench): void {
  it('runs commands with their input, output and exit code', async () => {
    await bench.run('shell', untilTerm);
    await bench.ready('shell');
    expect(
      await bench.try(['exec', '-i', 'shell', '--', 'sh', '-c', 'cat; echo oops >&2; exit 7'], 'input\n'),
    ).toEqual({
      code: 7,
      stdout: 'input\n',
      stderr: 'oops\ncommand terminated with exit code 7\n',
    });
    const missing = await bench.try(['exec', 'shell', '--', 'nothing-such']);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('exec: "nothing-such": executable file not found in $PATH');
    expect((await bench.try(['exec', 'shell', '-c', 'other', '--', 'true'])).stderr).toContain(
      'container other is not valid for pod shell',
    );
  });

  it('says that there is nothing to run a command in, or to reach', async () => {
    await bench.run('nothing-runs', { containers: [{ name: 'main', image: '127.0.0.1:1/none:1' }] });
    await bench.podUntil('nothing-runs', 'waits', ({ status }) =>
      /Image/.test(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''),
    );
    const ended = await bench.try(['exec', 'nothing-runs', '--', 'true']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /container not found|container main of pod nothing-runs does not run: \w*Image/,
    );
  });

  it('copies files in and out', async () => {
    await bench.run('copied', untilTerm);
    await bench.ready('copied');
    const file = (name: string) => join(bench.dir, `${bench.kind}-${name}`);
    const data = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 251));
    await writeFile(file('here'), data);
    await bench.kubectl('cp', file('here'), 'copied:/tmp/there');
    await bench.kubectl('cp', 'copied:/tmp/there', file('back'));
    expect((await readFile(file('back'))).equals(data)).toBe(true);
  });

  it('attaches to the main process', async () => {
    await bench.run('listener', {
      containers: [main('while read line; do echo "got $line"; done; sleep 1000', { stdin: true })],
    });
    await bench.ready('listener');
    const attached = bench.start('attach', '-i', 'listener');
    await until('it answers', () => {
      attached.process.stdin.write('hello\n');
      return attached.text().includes('got hello');
    });
    await attached.stop();
  });

  it('forwards ports', async () => {
    await bench.run('server', {
      containers: [main('while true; do echo from the pod | nc -l -p 7000; done')],
    });
    await bench.ready('server');
    const forward = bench.start('port-forward', 'server', ':7000');
    const port = await until('it listens', () => /127\.0\.0\.1:(\d+)/.exec(forward.text())?.[1]);
    const answer = await until(
      'it answers',
      async () => (await text(connect(Number(port), '127.0.0.1').end())) || undefined,
    );
    expect(answer).toBe('from the pod\n');
    await forward.stop();
  });

  it('adds a container to look into a pod', async () => {
    await bench.run('observed', untilTerm);
    await bench.ready('observed');
    await bench.kubectl(
      ...[
        'debug',
        'observed',
        `--image=${busyboxImage}`,
        '--container=look',
        '--target=main',
        '--profile=general',
      ],
      ...['--', 'sh', '-c', 'echo looking; cat /proc/1/cmdline | tr "\\0" " "; exit 3'],
    );
    const pod = await bench.podUntil(
      'observed',
      'was looked into',
      ({ status }) => status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined,
    );
    expect(pod.status?.ephemeralContainerStatuses).toMatchObject([
      { name: 'look', state: { terminated: { exitCode: 3, reason: 'Error' } } },
    ]);
    expect(pod.status?.phase).toBe('Running');
    expect(await bench.kubectl('logs', 'observed', '-c', 'look')).toBe(`looking\nsh -c ${untilTerm} `);
  });

  it('debugs the node itself', async () => {
    const out = await bench.try([
      'debug',
      `node/${bench.node.name}`,
      `--image=${busyboxImage}`,
      '--profile=general',
      '-i',
      '--',
      'sh',
      '-c',
      'test -d /host/etc && echo the host is here',
    ]);
    expect(out.stdout + out.stderr).toMatch(
      /Creating debugging pod node-debugger-\S+ with container debugger on node/,
    );
    const [name] = /node-debugger-\S+/.exec(out.stdout + out.stderr) ?? [];
    await bench.ended(name!);
    expect(await bench.kubectl('logs', name!)).toBe('the host is here\n');
    await bench.kubectl('delete', 'pod', name!, '--timeout=30s');
  });
}
