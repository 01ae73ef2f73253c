import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { probeGrpc } from './grpc.ts';

interface HealthCheckRequest {
  service: string;
}

const cleanUps: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A real gRPC server with the health service; the handler says the serving status by the service's name. */
async function startGrpc(check?: handleUnaryCall<HealthCheckRequest, number>): Promise<number> {
  const server = new GrpcServer();
  if (check) {
    const method = {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: ({ service }: HealthCheckRequest) => Buffer.from(service),
      // Tag and length before the text; a length of 128 and more takes two bytes.
      requestDeserialize: (bytes: Buffer) => ({
        service: bytes.subarray(bytes.length < 130 ? 2 : 3).toString(),
      }),
      responseSerialize: (value: number) => Buffer.from(value === 0 ? [] : [0x08, value]),
      responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
    } as const;
    server.addService({ check: method }, { check });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  cleanUps.push(() => server.forceShutdown());
  return port;
}

async function listen(server: import('node:net').Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const probe = (port: number, service?: string, timeoutMs = 5000) =>
  probeGrpc({ port, service }, { podIp: '127.0.0.1' }, { timeoutMs, signal: new AbortController().signal });

describe('a grpc probe', () => {
  test.each([
    [0, 'failure', 'service unhealthy (responded with "UNKNOWN")'],
    [1, 'success', 'service healthy'],
    [2, 'failure', 'service unhealthy (responded with "NOT_SERVING")'],
    [3, 'failure', 'service unhealthy (responded with "SERVICE_UNKNOWN")'],
  ])('takes serving status %i as the protocol says', async (serving, result, output) => {
    const port = await startGrpc((_, reply) => reply(null, serving));
    expect(await probe(port)).toEqual({ result, output });
  });

  test.each(['', 'camera', 'x'.repeat(200)])('asks for the service %j', async (service) => {
    const seen: unknown[] = [];
    const port = await startGrpc((call, reply) => {
      seen.push(call.request.service, String(call.metadata.get('user-agent')));
      reply(null, 1);
    });
    expect((await probe(port, service)).result).toBe('success');
    expect(seen).toEqual([service, expect.stringMatching(/^kube-probe\/1\.\d+$/)]);
  });

  test('fails where the health service is missing', async () => {
    const { result, output } = await probe(await startGrpc());
    expect(result).toBe('failure');
    expect(output).toMatch(
      /^error: this server does not implement the grpc health protocol \(grpc\.health\.v1\.Health\): /,
    );
  });

  test('fails with what the server says', async () => {
    const port = await startGrpc((_, reply) => reply({ code: status.NOT_FOUND, details: 'no "x" – 100%' }));
    expect(await probe(port)).toEqual({
      result: 'failure',
      output: 'error: health rpc probe failed: rpc error: code = 5 desc = no "x" – 100%',
    });
  });

  test('fails when nobody listens', async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    expect(await probe(port)).toEqual({
      result: 'failure',
      output: `error: failed to connect service at "127.0.0.1:${port}": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  test('fails in time when the health check hangs', async () => {
    const port = await startGrpc(() => undefined);
    expect(await probe(port, '', 1500)).toEqual({
      result: 'failure',
      output: 'timeout: health rpc did not complete within 1.5s',
      timedOut: true,
    });
  });

  test('fails in time when what listens says nothing', async () => {
    const port = await listen(createServer());
    expect(await probe(port, '', 100)).toEqual({
      result: 'failure',
      output: `timeout: failed to connect service "127.0.0.1:${port}" within 0.1s: context deadline exceeded`,
      timedOut: true,
    });
  });

  test('fails where something else listens', async () => {
    const http1 = await listen(createHttpServer((_, response) => response.end('hello')));
    expect((await probe(http1)).result).toBe('failure');
    const http2 = await listen(createHttp2Server((_, response) => response.writeHead(404).end('nope')));
    expect(await probe(http2)).toEqual({
      result: 'failure',
      output:
        'error: health rpc probe failed: rpc error: code = 2 desc = unexpected HTTP status code received from server: 404',
    });
    const hangsUp = await listen(createServer((socket) => socket.destroy()));
    expect((await probe(hangsUp)).result).toBe('failure');
  });

  test('ends at once when it is aborted', async () => {
    const port = await startGrpc(() => undefined);
    const abort = new AbortController();
    const outcome = probeGrpc({ port }, { podIp: '127.0.0.1' }, { timeoutMs: 60_000, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(outcome).rejects.toThrow('enough');
  });
});
