/** The connection against a gRPC server by others. */
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Connection } from '../connection.ts';
import { uint32 } from '../grpc/frames.ts';
import { call, cleanUp, cleanUps, connectTo, count, echo, freeEndpoint, hello, methodOf } from './testing.ts';

afterEach(cleanUp);

describe('against grpc-js', () => {
  interface Started {
    server: GrpcServer;
    path: string;
    connection: Connection;
  }

  async function start(
    answer: handleUnaryCall<Buffer, Buffer> = ({ request }, reply) => reply(null, request),
    options: Record<string, number> = {},
    path = freeEndpoint(),
  ): Promise<Started> {
    const server = new GrpcServer({ 'grpc.max_receive_message_length': -1, ...options });
    const codec = {
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    server.addService(
      {
        Echo: { path: echo.path, requestStream: false, responseStream: false, ...codec },
        Count: { path: count.path, requestStream: false, responseStream: true, ...codec },
      },
      {
        Echo: answer,
        Count: (call: {
          request: Buffer;
          write(bytes: Buffer): void;
          end(): void;
          on(event: 'cancelled', listener: () => void): void;
        }) => {
          const until = call.request.readUInt32BE();
          for (let i = 0; i < until; i++) call.write(uint32(i));
          if (until !== goesOn) call.end();
        },
      },
    );
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    cleanUps.push(() => server.forceShutdown());
    return { server, path, connection: connectTo(path) };
  }

  /** A stream that does not end. */
  const goesOn = 3;

  test.each([0, 1, 16_384, 70_000, 20_000_000])(
    'a message of %i bytes comes back as it was',
    async (bytes) => {
      const { connection } = await start(undefined, { 'grpc.max_send_message_length': -1 });
      const request = Buffer.alloc(bytes, 'abcdefg');
      expect((await call(connection, request, 60_000)).equals(request)).toBe(true);
    },
  );

  test('more calls than the server takes at once are all answered', async () => {
    let open = 0;
    let most = 0;
    const { connection } = await start(
      ({ request }, reply) => {
        open += 1;
        most = Math.max(most, open);
        setTimeout(() => {
          open -= 1;
          reply(null, request);
        }, 5);
      },
      { 'grpc.max_concurrent_streams': 4 },
    );
    // The first tells of the limit.
    await call(connection);
    const requests = Array.from({ length: 50 }, (_, i) => uint32(i));
    expect(await Promise.all(requests.map((request) => call(connection, request)))).toEqual(requests);
    expect(most).toBeLessThanOrEqual(4);
  });

  test.each([
    [status.NOT_FOUND, 'NotFound', 'no "x" – 100%'],
    [status.INVALID_ARGUMENT, 'InvalidArgument', 'a\nb'],
    [status.ALREADY_EXISTS, 'AlreadyExists', 'there'],
    [status.RESOURCE_EXHAUSTED, 'ResourceExhausted', 'full'],
    [status.FAILED_PRECONDITION, 'FailedPrecondition', 'not now'],
    [status.PERMISSION_DENIED, 'Unknown', 'no'],
    [status.DEADLINE_EXCEEDED, 'DeadlineExceeded', 'a limit of the server'],
  ])('status %i is %s with the words of the server', async (code, name, details) => {
    const { connection } = await start((_, reply) => reply({ code, details }));
    await expect(call(connection)).rejects.toMatchObject({ code: name, message: details });
  });

  test('a method that is not there is Unimplemented', async () => {
    const { connection } = await start();
    const unknown = connection.call(methodOf('/test.Test/Unknown'), hello, { timeoutMs: 5000 });
    await expect(unknown).rejects.toMatchObject({ code: 'Unimplemented' });
  });

  test('a call that is not answered ends in time, and the server is told', async () => {
    const cancelled = Promise.withResolvers<void>();
    const { connection, path } = await start((call) => call.on('cancelled', () => cancelled.resolve()));
    await expect(call(connection, hello, 50)).rejects.toMatchObject({
      code: 'DeadlineExceeded',
      message: `The container runtime at unix://${path} did not answer Echo in time`,
    });
    await cancelled.promise;
  });

  test('a call that its caller takes back ends at once, and the server is told', async () => {
    const begun = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const { connection } = await start((call) => {
      call.on('cancelled', () => cancelled.resolve());
      begun.resolve();
    });
    const abort = new AbortController();
    const answer = connection.call(echo, hello, { timeoutMs: undefined, signal: abort.signal });
    const lost = expect(answer).rejects.toMatchObject({ code: 'Cancelled', message: 'Echo was cancelled' });
    await begun.promise;
    abort.abort(new Error('enough'));
    await lost;
    await cancelled.promise;
    const late = connection.call(echo, hello, { timeoutMs: undefined, signal: abort.signal });
    await expect(late).rejects.toMatchObject({ code: 'Cancelled' });
  });

  test('a stream tells every message in order, and ends when the server ends it', async () => {
    const { connection } = await start();
    const messages: number[] = [];
    await connection.stream(count, uint32(1000), new AbortController().signal, (message) =>
      messages.push(message.readUInt32BE()),
    );
    expect(messages).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });

  test('a stream ends with its signal, or with the server', async () => {
    const { connection, server } = await start();
    const abort = new AbortController();
    const isOpen = Promise.withResolvers<void>();
    const first = connection.stream(count, uint32(goesOn), abort.signal, () => isOpen.resolve());
    await isOpen.promise;
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: 'Cancelled' });

    const isOpenAgain = Promise.withResolvers<void>();
    const signal = new AbortController().signal;
    const second = connection.stream(count, uint32(goesOn), signal, () => isOpenAgain.resolve());
    await isOpenAgain.promise;
    server.forceShutdown();
    await expect(second).rejects.toMatchObject({ code: expect.stringMatching('Unavailable|Cancelled') });
  });

  test('calls fail while nobody listens, and work when somebody does', async () => {
    const path = freeEndpoint();
    const connection = connectTo(path);
    await expect(call(connection)).rejects.toMatchObject({
      code: 'Unavailable',
      message: `The container runtime at unix://${path} does not answer Echo: connect ENOENT ${path}`,
    });
    const { server } = await start(undefined, {}, path);
    expect(await call(connection)).toEqual(hello);
    server.forceShutdown();
    await expect.poll(() => call(connection).catch((error) => error.code)).toBe('Unavailable');
    await start(undefined, {}, path);
    expect(await call(connection)).toEqual(hello);
  });

  test('what is under way when the server says that it ends is answered', async () => {
    const begun = Promise.withResolvers<() => void>();
    const { connection, server } = await start(({ request }, reply) => {
      begun.resolve(() => reply(null, request));
    });
    const answer = call(connection);
    const reply = await begun.promise;
    const down = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    reply();
    expect(await answer).toEqual(hello);
    await down;
  });

  test('what is under way when the connection is closed is answered, and nothing else', async () => {
    const begun = Promise.withResolvers<() => void>();
    const { connection } = await start(({ request }, reply) => begun.resolve(() => reply(null, request)));
    const answer = call(connection);
    const reply = await begun.promise;
    connection.close();
    reply();
    expect(await answer).toEqual(hello);
    await expect(call(connection)).rejects.toMatchObject({ code: 'Cancelled' });
  });
});

test('a request that cannot be written fails, and nothing happens when its time is over', async () => {
  const uncaught = vi.fn();
  process.on('uncaughtException', uncaught);
  const encode = () => {
    throw new RangeError('no number');
  };
  const failing = connectTo(freeEndpoint()).call({ ...echo, encode }, hello, { timeoutMs: 20 });
  await expect(failing).rejects.toThrow('no number');
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.off('uncaughtException', uncaught);
  expect(uncaught).not.toHaveBeenCalled();
});
