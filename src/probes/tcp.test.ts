import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { probeTcp } from './tcp.ts';

let server: Server | undefined;

afterEach(() => {
  server?.close();
});

async function listen(onConnection: Parameters<typeof createServer>[1], host = '127.0.0.1'): Promise<number> {
  server = createServer({ allowHalfOpen: true }, onConnection!);
  await new Promise<void>((resolve) => server!.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

const deafServer = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    process.stdout.write(String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

const container = { name: 'app', ports: [{ name: 'db', containerPort: 5432 }] };
const options = (timeoutMs = 5000) => ({ timeoutMs, signal: new AbortController().signal });

describe('a tcpSocket probe', () => {
  test('succeeds when the connection opens, and says goodbye', async () => {
    const ended = Promise.withResolvers<void>();
    const port = await listen((socket) => {
      socket.on('end', () => {
        ended.resolve();
        socket.end();
      });
      socket.resume();
    });
    expect(await probeTcp({ port }, { container, podIp: '127.0.0.1' }, options())).toEqual({
      result: 'success',
      output: '',
    });
    await ended.promise;
  });

  test('leaves no connection behind when the server keeps its side open', async () => {
    const closed = Promise.withResolvers<string>();
    const port = await listen((socket) => {
      const timer = setInterval(() => socket.write('still here'), 50);
      socket.on('error', (error: NodeJS.ErrnoException) => {
        clearInterval(timer);
        closed.resolve(error.code!);
      });
      socket.resume();
    });
    await probeTcp({ port }, { container, podIp: '127.0.0.1' }, options());
    expect(await closed.promise).toMatch(/ECONNRESET|EPIPE/);
  });

  test('fails when nobody listens', async () => {
    const port = await listen(() => undefined);
    server!.close();
    expect(await probeTcp({ port, host: '127.0.0.1' }, { container, podIp: '' }, options())).toEqual({
      result: 'failure',
      output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  test('fails in time when nothing answers', async () => {
    // A server that accepts nothing: once its queue is full it is as silent as a host that is down.
    const deaf = spawn(process.execPath, ['-e', deafServer], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(deaf.stdout, 'data')) as [Buffer];
      const port = Number(line.toString());
      const outputs: string[] = [];
      while (outputs.length < 10 && !outputs.at(-1)) {
        const { output } = await probeTcp({ port }, { container, podIp: '127.0.0.1' }, options(200));
        outputs.push(output);
      }
      expect(outputs.at(-1)).toBe(`dial tcp 127.0.0.1:${port}: i/o timeout`);
    } finally {
      deaf.kill('SIGKILL');
    }
  });

  test('cannot be made to a port that is not there', async () => {
    await expect(probeTcp({ port: 'web' }, { container, podIp: '127.0.0.1' }, options())).rejects.toThrow(
      "no port 'web': its named ports are db",
    );
  });

  test('ends at once when it is aborted', async () => {
    const port = await listen(() => undefined);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(
      probeTcp({ port }, { container, podIp: '127.0.0.1' }, { timeoutMs: 1000, signal }),
    ).rejects.toThrow('enough');
  });
});
