import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { apiRelease, type HTTPGetAction } from '../api/core.gen.ts';
import { probeHttp } from './http.ts';

const servers: { close(): void; closeAllConnections?(): void }[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function listen(server: Server | import('node:net').Server, host = '127.0.0.1'): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener, host?: string) => listen(createServer(listener), host);

function get(
  action: HTTPGetAction,
  options: { timeoutMs?: number; signal?: AbortSignal; podIp?: string } = {},
) {
  const { timeoutMs = 5000, signal = new AbortController().signal, podIp = '127.0.0.1' } = options;
  const container = { name: 'app', ports: [{ name: 'web', containerPort: Number(action.port) || 1 }] };
  return probeHttp(action, { container, podIp }, { timeoutMs, signal });
}

describe('an httpGet probe', () => {
  test.each([
    [200, { result: 'success', output: 'body' }],
    [204, { result: 'success', output: '' }],
    [304, { result: 'warning', output: 'Probe terminated redirects, Response body: ' }],
    [400, { result: 'failure', output: 'HTTP probe failed with statuscode: 400' }],
    [503, { result: 'failure', output: 'HTTP probe failed with statuscode: 503' }],
  ])('takes status %i as the kubelet does', async (status, outcome) => {
    const port = await serve((_, response) => response.writeHead(status).end('body'));
    expect(await get({ port })).toEqual(outcome);
  });

  test('sends the path as written, with its query, and the default headers', async () => {
    const seen: unknown[] = [];
    const port = await serve(({ method, url, headers }, response) => {
      seen.push({ method, url, headers });
      response.end();
    });
    await get({ port, path: '/a//b/../c%20d é?x=1&y=%2f#part' });
    await get({ port, path: 'rootless' });
    const headers = {
      'user-agent': `kube-probe/${apiRelease}`,
      accept: '*/*',
      connection: 'close',
      host: `127.0.0.1:${port}`,
    };
    expect(seen).toEqual([
      { method: 'GET', url: '/a//b/../c%20d%20%C3%A9?x=1&y=%2f', headers },
      { method: 'GET', url: '/rootless', headers },
    ]);
  });

  test('sends the headers of the user, who may replace or remove the default ones', async () => {
    let raw: string[] = [];
    const port = await serve(({ rawHeaders }, response) => {
      raw = rawHeaders;
      response.end();
    });
    const httpHeaders = [
      { name: 'Host', value: 'robot.local' },
      { name: 'User-Agent', value: 'mine' },
      { name: 'Accept', value: '' },
      { name: 'X-Many', value: 'one' },
      { name: 'X-Many', value: 'two' },
    ];
    await get({ port, httpHeaders });
    const pairs = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${raw[i + 1]}`] : []));
    expect(pairs.sort()).toEqual([
      'connection: close',
      'host: robot.local',
      'user-agent: mine',
      'x-many: one',
      'x-many: two',
    ]);
  });

  test('follows redirects on the same host, also to another port', async () => {
    const target = await serve(({ url }, response) => response.end(url));
    const port = await serve(({ url }, response) => {
      const location = url === '/' ? '/next?a=b' : `http://127.0.0.1:${target}/there`;
      response.writeHead(302, { location }).end();
    });
    expect(await get({ port })).toEqual({ result: 'success', output: '/there' });
  });

  test('warns of a redirect to another host, and does not go there', async () => {
    const port = await serve((_, response) => {
      response.writeHead(301, { location: 'http://localhost:1/' }).end('moved');
    });
    expect(await get({ port })).toEqual({
      result: 'warning',
      output: 'Probe terminated redirects, Response body: moved',
    });
  });

  test('gives up on a redirect that goes in circles', async () => {
    let requests = 0;
    const port = await serve((_, response) => {
      requests += 1;
      response.writeHead(302, { location: '/' }).end();
    });
    const { result, output } = await get({ port });
    expect({ result, requests }).toEqual({ result: 'failure', requests: 10 });
    expect(output).toBe(`Get "http://127.0.0.1:${port}/": stopped after 10 redirects`);
  });

  test('reads no more than 10 KiB of an endless answer', async () => {
    let closed = false;
    const port = await serve((_, response) => {
      const timer = setInterval(() => response.write('x'.repeat(4096)), 1);
      response.on('close', () => {
        clearInterval(timer);
        closed = true;
      });
    });
    const { result, output } = await get({ port });
    expect({ result, length: output.length }).toEqual({ result: 'success', length: 10 * 1024 });
    await expect.poll(() => closed).toBe(true);
  });

  test('fails when nobody listens', async () => {
    const port = await serve(() => undefined);
    servers.splice(0)[0]!.close();
    expect(await get({ port, path: '/x' })).toEqual({
      result: 'failure',
      output: `Get "http://127.0.0.1:${port}/x": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  test.each(['never answers', 'stops in the middle of the body'])(
    'fails in time when the server %s',
    async (how) => {
      const port = await serve((_, response) => {
        if (how !== 'never answers') response.write('some');
      });
      const { result, output } = await get({ port }, { timeoutMs: 100 });
      expect(result).toBe('failure');
      expect(output).toMatch(
        /context deadline exceeded \(Client\.Timeout exceeded while (awaiting headers|reading body)\)$/,
      );
    },
  );

  test('fails when the server hangs up or speaks something else', async () => {
    const hangsUp = await listen(createTcpServer((socket) => socket.destroy()));
    expect((await get({ port: hangsUp })).result).toBe('failure');
    const speaksElse = await listen(
      createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-x\r\n')),
    );
    expect((await get({ port: speaksElse })).result).toBe('failure');
    const cutsShort = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('x');
      response.socket?.destroy();
    });
    expect((await get({ port: cutsShort })).result).toBe('failure');
  });

  test('reaches a host name and an IPv6 address', async () => {
    const port = await serve(({ headers }, response) => response.end(headers.host), '::1');
    expect(await get({ port }, { podIp: '::1' })).toEqual({ result: 'success', output: `[::1]:${port}` });
    const named = await serve(({ headers }, response) => response.end(headers.host));
    expect(await get({ port: named, host: 'localhost' }, { podIp: '' })).toEqual({
      result: 'success',
      output: `localhost:${named}`,
    });
  });

  test('speaks HTTPS to a server whose certificate nobody vouches for', async () => {
    const port = await listen(createHttpsServer(selfSigned(), (_, response) => void response.end('secret')));
    expect(await get({ port, scheme: 'HTTPS' })).toEqual({ result: 'success', output: 'secret' });
    expect((await get({ port, scheme: 'HTTP' })).result).toBe('failure');
  });

  test('cannot be made to a port that is not there, or without an address', async () => {
    await expect(get({ port: 'metrics' })).rejects.toThrow("no port 'metrics': its named ports are web");
    await expect(get({ port: 80 }, { podIp: '' })).rejects.toThrow('the pod has no IP address');
  });

  test('ends at once when it is aborted', async () => {
    const port = await serve(() => undefined);
    const abort = new AbortController();
    const outcome = get({ port }, { signal: abort.signal, timeoutMs: 60_000 });
    abort.abort(new Error('enough'));
    await expect(outcome).rejects.toThrow('enough');
  });
});

function selfSigned(): { key: string; cert: string } {
  const dir = mkdtempSync(join(tmpdir(), 'roslet-tls-'));
  try {
    const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') };
    const subject = [
      '-subj',
      '/CN=probe-test',
      '-days',
      '2',
      '-nodes',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
    ];
    execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', files.key, '-out', files.cert], {
      stdio: 'ignore',
    });
    return { key: readFileSync(files.key, 'utf8'), cert: readFileSync(files.cert, 'utf8') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
