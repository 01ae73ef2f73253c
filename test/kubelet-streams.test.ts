/** Exec, attach and port-forward as the API server speaks them to a node: SPDY/3.1 over TLS, on a real agent. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type SpdySession, spdySession } from '../runtime/cri/spdy.ts';
import type { Status } from '../src/api/core.gen.ts';
import { cgroupsBelow, TestAgent, until } from './agent.ts';
import { CertificateAuthority, type Signed } from './peers/certificates.ts';
import { freePort } from './ports.ts';

const program = new URL('../bin/roslet', import.meta.url).pathname;
const port = await freePort();
let dir: string;
let agent: TestAgent;
let admin: Signed;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-pki-'));
  const ca = await CertificateAuthority.create(dir, 'ca');
  admin = await ca.sign('admin', { subject: '/CN=admin', usage: 'clientAuth' });
  agent = await TestAgent.create({
    config: `port: ${port}
authentication: {x509: {clientCAFile: ${ca.certFile}}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
streamingConnectionIdleTimeout: 5s
`,
  });
  await agent.start();
  await agent.apply(
    'a.yaml',
    `apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: none, stdin: true, command: [sh, -c, 'while read line; do echo "got $line"; done; sleep 1000']}
`,
  );
  await agent.ready('shell');
});
afterAll(async () => {
  expect(await agent.remove()).toEqual([]);
  await rm(dir, { recursive: true });
});

interface Refused {
  code: number | undefined;
  message: string;
}

/** A client of a stream reads it from a Status. */
const refusal = (res: IncomingMessage, body: string): Refused => ({
  code: res.statusCode,
  message: (JSON.parse(body) as Status).message ?? '',
});

/** What the API server sends to a node. */
function upgrade(
  path: string,
  protocol = 'v4.channel.k8s.io',
  credential: object = admin,
): Promise<SpdySession> {
  return new Promise((resolve, reject) => {
    const req = httpsRequest({
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      rejectUnauthorized: false,
      agent: false,
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol },
      ...credential,
    });
    req.on('upgrade', (_, socket, head) => resolve(spdySession(socket, head)));
    req.on('response', (res) => text(res).then((body) => reject(refusal(res, body)), reject));
    req.on('error', reject);
    req.end();
  });
}

function* chunksOf(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 100_000) yield data.subarray(at, at + 100_000);
}

/** A WebSocket by hand: the libraries refuse the slash in the name of the subprotocol that Kubernetes uses. */
function tunnel(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
    };
    const req = httpsRequest({ host: '127.0.0.1', port, path, rejectUnauthorized: false, headers, ...admin });
    req.on('upgrade', (res, socket) => {
      if (res.headers['sec-websocket-protocol'] !== 'SPDY/3.1+portforward.k8s.io')
        reject(new Error('no protocol'));
      resolve(binaryMessages(socket));
    });
    req.on('response', (res) => text(res).then((body) => reject(refusal(res, body)), reject));
    req.on('error', reject).end();
  });
}

/** RFC 6455: short frames, masked with zeros on their way to the server. */
function binaryMessages(socket: Duplex): Duplex {
  let received = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _, done) => {
      const head = Buffer.from([0x82, 0xfe, chunk.length >> 8, chunk.length & 0xff, 0, 0, 0, 0]);
      socket.write(Buffer.concat([head, chunk]), done);
    },
    final: (done) => void socket.end(done),
    destroy: (err, done) => {
      socket.destroy();
      done(err);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2) {
      const isLong = (received[1]! & 0x7f) === 126;
      if (isLong && received.length < 4) return;
      const from = isLong ? 4 : 2;
      const end = from + (isLong ? received.readUInt16BE(2) : received[1]! & 0x7f);
      if (received.length < end) return;
      if ((received[0]! & 0x0f) === 2) stream.push(received.subarray(from, end));
      received = received.subarray(end);
    }
  });
  socket.on('close', () => stream.push(null));
  return stream;
}

interface Running {
  stdin?: Duplex;
  stdout: Duplex;
  stderr?: Duplex;
  resize?: Duplex;
  status: Promise<unknown>;
  session: SpdySession;
}

async function start(path: string, streams: { stdin?: boolean; tty?: boolean }): Promise<Running> {
  const { stdin = false, tty = false } = streams;
  const query = `output=1&${tty ? 'tty=1' : 'error=1'}${stdin ? '&input=1' : ''}`;
  const session = await upgrade(`${path}${path.includes('?') ? '&' : '?'}${query}`);
  const status = text(session.open({ streamType: 'error' })).then((json) => JSON.parse(json) as unknown);
  // Not every test asks for it.
  status.catch(() => undefined);
  return {
    session,
    status,
    ...(stdin && { stdin: session.open({ streamType: 'stdin' }) }),
    stdout: session.open({ streamType: 'stdout' }),
    ...(tty
      ? { resize: session.open({ streamType: 'resize' }) }
      : { stderr: session.open({ streamType: 'stderr' }) }),
  };
}

const exec = (command: string[], streams: { stdin?: boolean; tty?: boolean } = {}) =>
  start(
    `/exec/default/shell-robot/main?${command.map((word) => `command=${encodeURIComponent(word)}`).join('&')}`,
    streams,
  );

describe('exec', () => {
  it('gives each stream its own, the input to its end and the exit code', async () => {
    const { stdin, stdout, stderr, status } = await exec(['sh', '-c', 'cat; echo oops >&2; exit 7'], {
      stdin: true,
    });
    stdin?.end('input\n');
    expect(await text(stdout)).toBe('input\n');
    expect(await text(stderr!)).toBe('oops\n');
    expect(await status).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    });
  });

  it('succeeds without input', async () => {
    const { stdout, status } = await exec(['echo', 'a b', '&']);
    expect(await text(stdout)).toBe('a b &\n');
    expect(await status).toEqual({ metadata: {}, status: 'Success' });
  });

  it('has a terminal with the size of the client, and its changes', async () => {
    const { stdin, stdout, resize, status } = await exec(
      ['sh', '-c', 'stty size; while read line; do stty size; done'],
      { stdin: true, tty: true },
    );
    let output = '';
    stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    resize?.write('{"Width":80,"Hei');
    resize?.write('ght":24}\n');
    await until('it has the first size', async () => output.includes('24 80'));
    resize?.write('{"Width":81,"Height":25}\n{"Width":100,"Height":40}\n');
    await until('it has the last size', async () => {
      stdin?.write('x\n');
      return output.includes('40 100');
    });
    stdin?.write('\x04');
    expect(await status).toMatchObject({ status: 'Success' });
  });

  it('carries much in both directions unchanged', async () => {
    const { stdin, stdout, status } = await exec(['cat'], { stdin: true });
    const data = Buffer.alloc(20 * 1024 * 1024, 'roslet ');
    Readable.from(chunksOf(data)).pipe(stdin!);
    expect((await buffer(stdout)).equals(data)).toBe(true);
    expect(await status).toMatchObject({ status: 'Success' });
  });

  it('ends the command when the client goes', async () => {
    const { session, stdout } = await exec(['sh', '-c', 'echo $$; exec sleep 987654']);
    const [pid] = (await once(stdout, 'data')) as [Buffer];
    session.abort(new Error('the client goes'));
    await until('the command has ended', async () => {
      try {
        process.kill(Number(pid.toString()), 0);
        return false;
      } catch {
        return true;
      }
    });
  });

  it('ends when nothing is said for the idle time', async () => {
    const { stdout } = await exec(['sleep', '1000']);
    await expect(text(stdout)).rejects.toThrow(/closed/);
  });

  it('goes on for longer than the idle time while something is said', async () => {
    const { stdout, status } = await exec(['sh', '-c', 'for i in 1 2 3 4 5 6 7; do sleep 1; echo $i; done']);
    expect(await text(stdout)).toBe('1\n2\n3\n4\n5\n6\n7\n');
    expect(await status).toMatchObject({ status: 'Success' });
  });

  it.each<[string, string, Refused]>([
    [
      'a pod that is not there',
      '/exec/default/none/main?command=id&output=1',
      { code: 404, message: 'pods "none" not found' },
    ],
    [
      'a container that is not there',
      '/exec/default/shell-robot/x?command=id&output=1',
      { code: 400, message: 'container x is not valid for pod shell-robot: choose one of main' },
    ],
    [
      'no command',
      '/exec/default/shell-robot/main?output=1',
      { code: 400, message: 'you must specify at least 1 command for the container' },
    ],
    [
      'no stream',
      '/exec/default/shell-robot/main?command=id',
      { code: 400, message: 'ask for at least one of stdin, stdout and stderr' },
    ],
    [
      'another pod of the name',
      '/exec/default/shell-robot/some-uid/main?command=id&output=1',
      { code: 404, message: 'pods "shell-robot" not found' },
    ],
  ])('refuses %s before the upgrade', async (_, path, refused) => {
    await expect(upgrade(path)).rejects.toEqual(refused);
  });

  it('refuses a protocol that it does not know', async () => {
    const path = '/exec/default/shell-robot/main?command=id&output=1';
    await expect(upgrade(path, 'channel.k8s.io')).rejects.toMatchObject({ code: 400 });
  });

  it('refuses who has no credential', async () => {
    await expect(
      upgrade('/exec/default/shell-robot/main?command=id&output=1', undefined, {}),
    ).rejects.toEqual({
      code: 401,
      message: 'Unauthorized',
    });
  });

  it('is there for the pod of a uid', async () => {
    const uid = (await agent.pod('shell'))?.metadata?.uid;
    const { stdout } = await start(`/exec/default/shell-robot/${uid}/main?command=echo&command=hi`, {});
    expect(await text(stdout)).toBe('hi\n');
  });
});

it('attach joins the main process', async () => {
  const { stdin, stdout, session } = await start('/attach/default/shell-robot/main', { stdin: true });
  stdin?.write('hello\n');
  const [answer] = (await once(stdout, 'data')) as [Buffer];
  expect(answer.toString()).toBe('got hello\n');
  session.close();
});

const post = (path: string): Promise<{ code: number | undefined; body: string }> =>
  new Promise((resolve, reject) => {
    httpsRequest(
      { host: '127.0.0.1', port, path, method: 'POST', rejectUnauthorized: false, ...admin },
      (res) => {
        text(res).then((body) => resolve({ code: res.statusCode, body }), reject);
      },
    )
      .on('error', reject)
      .end();
  });

it('run answers with what the command wrote', async () => {
  const run = (cmd: string) => post(`/run/default/shell-robot/main?cmd=${encodeURIComponent(cmd)}`);
  expect(await run('echo a  b')).toEqual({ code: 200, body: 'a b\n' });
  expect(await run('ls /none')).toMatchObject({
    code: 500,
    body: expect.stringContaining("'ls /none' exited with 2"),
  });
});

it('a checkpoint is refused by a runtime that cannot make one', async () => {
  expect(await post('/checkpoint/default/shell-robot/main')).toEqual({
    code: 500,
    body: 'checkpointing of default/shell-robot/main failed (host processes cannot be checkpointed)',
  });
  expect((await post('/checkpoint/default/shell-robot/none')).code).toBe(400);
  expect((await post('/checkpoint/default/none/main')).code).toBe(404);
});

describe('port-forward', () => {
  const forwarded = async (session: SpdySession, to: number): Promise<string> => {
    const headers = { port: String(to), requestID: '0' };
    const error = session.open({ ...headers, streamType: 'error' });
    error.end();
    const data = session.open({ ...headers, streamType: 'data' });
    data.end('ping');
    const [answer, failure] = await Promise.all([text(data), text(error)]);
    session.close();
    return failure || answer;
  };
  const echoServer = async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      text(socket).then(
        (said) => socket.end(`${said} pong`),
        () => socket.destroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, port: (server.address() as AddressInfo).port };
  };

  it('reaches a port of the pod', async () => {
    const echo = await echoServer();
    const session = await upgrade('/portForward/default/shell-robot', 'portforward.k8s.io');
    expect(await forwarded(session, echo.port)).toBe('ping pong');
    echo.server.close();
  });

  it('does so through a WebSocket, as newer clients tunnel it', async () => {
    const echo = await echoServer();
    const session = spdySession(await tunnel('/portForward/default/shell-robot'), Buffer.alloc(0));
    expect(await forwarded(session, echo.port)).toBe('ping pong');
    echo.server.close();
  });

  /** What comes over each channel until the node closes the connection; `send` goes to the first. */
  const overChannels = async (query: string, send = ''): Promise<Buffer[]> => {
    const url = `wss://127.0.0.1:${port}/portForward/default/shell-robot${query}`;
    const socket = new WebSocket(url, ['v4.channel.k8s.io'], { rejectUnauthorized: false, ...admin });
    const channels: Buffer[] = [];
    socket.on('message', (message: Buffer) => {
      const number = message[0] ?? 0;
      channels[number] = Buffer.concat([channels[number] ?? Buffer.alloc(0), message.subarray(1)]);
    });
    await once(socket, 'open');
    if (send !== '') socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(send)]));
    await once(socket, 'close');
    return channels;
  };

  it('reaches ports over the channels of a WebSocket, and says which it does not', async () => {
    // Who uses these channels cannot say that it has said all.
    const server = createServer((socket) => {
      socket.once('data', (said) => socket.end(`${said} pong`));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const there = (server.address() as AddressInfo).port;
    const none = await freePort();
    const [data, error, noData, why] = await overChannels(`?port=${there},${none}`, 'ping');
    const prefix = (of: number) => Buffer.from([of & 0xff, of >> 8]).toString('latin1');
    expect(data?.toString('latin1')).toBe(`${prefix(there)}ping pong`);
    expect(error?.toString('latin1')).toBe(prefix(there));
    expect(noData?.toString('latin1')).toBe(prefix(none));
    expect(why?.subarray(2).toString()).toMatch(/refused/i);
    server.close();
  });

  it.each([
    ['', 'query parameter "port" is required'],
    ['?port=0', 'unable to parse "0" as a port'],
  ])('refuses channels for no port (%s)', async (query, message) => {
    const url = `wss://127.0.0.1:${port}/portForward/default/shell-robot${query}`;
    const socket = new WebSocket(url, ['v4.channel.k8s.io'], { rejectUnauthorized: false, ...admin });
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(refusal(response, await text(response))).toEqual({
      code: 400,
      message: expect.stringContaining(message),
    });
  });

  it('says why it does not', async () => {
    const session = await upgrade('/portForward/default/shell-robot', 'portforward.k8s.io');
    expect(await forwarded(session, await freePort())).toMatch(/refused/i);
  });
});

it('SPDY is spoken on the socket too, for older clients of the API', async () => {
  const session = await new Promise<SpdySession>((resolve, reject) => {
    const req = httpRequest({
      socketPath: join(agent.root, 'roslet.sock'),
      path: '/api/v1/namespaces/default/pods/shell-robot/exec?command=echo&command=hi&stdout=true',
      method: 'POST',
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'SPDY/3.1',
        'X-Stream-Protocol-Version': 'v4.channel.k8s.io',
      },
    });
    req.on('upgrade', (_, socket, head) => resolve(spdySession(socket, head)));
    req.on('response', (res) => reject(new Error(String(res.statusCode))));
    req.on('error', reject).end();
  });
  const error = session.open({ streamType: 'error' });
  const stdout = session.open({ streamType: 'stdout' });
  expect(await text(stdout)).toBe('hi\n');
  expect(JSON.parse(await text(error))).toMatchObject({ status: 'Success' });
});

it.each([
  [
    'a port that is in use',
    [],
    /^roslet: cannot listen on 127\.0\.0\.1:\d+: it is in use by another process: .*\n$/,
  ],
  ['a certificate that is not there', ['--client-ca-file=/none'], /^roslet: cannot read \/none: ENOENT.*\n$/],
])('%s is told in one line', async (_, flags, line) => {
  const config = join(agent.dir, 'config.yaml');
  const [root, cgroup] = [join(dir, 'other'), `/roslet-test-${process.pid}`];
  const args = ['run', `--config=${config}`, `--root-dir=${root}`, `--cgroup-root=${cgroup}`, ...flags];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  for (const path of cgroupsBelow(cgroup)) rmdirSync(path);
  const said = output.split('\n').filter((each) => !each.startsWith('{'));
  expect({ code, said: said.join('\n') }).toEqual({ code: 1, said: expect.stringMatching(line) });
});

it('a port that is kept forwarded keeps no agent from ending', async () => {
  const session = await upgrade('/portForward/default/shell-robot', 'portforward.k8s.io');
  const stream = session.open({ port: '1', requestID: '0', streamType: 'error' });
  stream.on('error', () => undefined);
  // It is never idle.
  const busy = setInterval(() => stream.write('x'), 500);
  try {
    expect(await agent.stop()).toBe(0);
  } finally {
    clearInterval(busy);
  }
  await agent.start();
});
