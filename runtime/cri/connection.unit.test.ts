/** The connection against gRPC servers by others, and against servers that do what they should not. */
import { once } from 'node:events';
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Connection, connect } from './connection.ts';
import { callFields, type Method } from './grpc/call.ts';
import { flags, frame, frameTypes, settings, settingsPayload, uint32 } from './grpc/frames.ts';
import { encodeFields } from './grpc/hpack.ts';

const methodOf = (path: string): Method<Buffer, Buffer> => ({
  path,
  fields: callFields(path),
  encode: (request) => request,
  decode: (bytes) => Buffer.from(bytes),
});
const echo = methodOf('/test.Test/Echo');
const count = methodOf('/test.Test/Count');
const hello = Buffer.from('hello');

const cleanUps: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

let sockets = 0;
function freeEndpoint(): string {
  sockets += 1;
  return join(tmpdir(), `roslet-cri-${process.pid}-${sockets}.sock`);
}

function connectTo(path: string): Connection {
  const connection = connect(`unix://${path}`);
  cleanUps.push(() => connection.close());
  return connection;
}

const call = (connection: Connection, request: Buffer = hello, timeoutMs = 10_000) =>
  connection.call(echo, request, { timeoutMs });

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

describe('against something that speaks HTTP/2', () => {
  async function start(
    answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  ): Promise<[Connection]> {
    const server = createHttp2Server();
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      answer(stream, headers);
    });
    server.on('session', (session) => cleanUps.push(() => session.destroy()));
    const path = freeEndpoint();
    server.listen(path);
    await once(server, 'listening');
    cleanUps.push(() => server.close());
    return [connectTo(path)];
  }

  const head = { ':status': 200, 'content-type': 'application/grpc' };
  const prefixed = (first: number, length: number, bytes = hello) =>
    Buffer.concat([Buffer.from([first]), uint32(length), bytes]);

  /** Answers with these bytes and this status. */
  const answerWith =
    (body: Buffer, trailers: Record<string, string> = { 'grpc-status': '0' }) =>
    (stream: ServerHttp2Stream) => {
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end(body);
    };

  const answerPlainly = (httpStatus: number) => (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': httpStatus });
    stream.end('nope');
  };
  const breakOff = (stream: ServerHttp2Stream) => {
    stream.respond(head);
    stream.session?.destroy();
  };

  test.each([
    ['is compressed', answerWith(prefixed(1, 5)), 'Unknown', /compressed/],
    ['is too large', answerWith(prefixed(0, 2 ** 31)), 'ResourceExhausted', /2147483648 bytes/],
    ['is cut off', answerWith(prefixed(0, 6)), 'Unknown', /0 answers instead of one/],
    ['comes twice', answerWith(Buffer.concat([prefixed(0, 5), prefixed(0, 5)])), 'Unknown', /2 answers/],
    ['is missing', answerWith(Buffer.alloc(0)), 'Unknown', /0 answers/],
    ['has no status', answerWith(prefixed(0, 5), {}), 'Unknown', /no status/],
    [
      'has a status that is none',
      answerWith(prefixed(0, 5), { 'grpc-status': 'x' }),
      'Unknown',
      /Echo failed/,
    ],
    [
      'has words that are not encoded',
      answerWith(prefixed(0, 5), { 'grpc-status': '5', 'grpc-message': '100%' }),
      'NotFound',
      /^100%$/,
    ],
    [
      'is a status alone',
      (stream) => stream.respond({ ...head, 'grpc-status': '12' }, { endStream: true }),
      'Unimplemented',
      /Echo failed/,
    ],
    ['is a page', answerPlainly(404), 'Unimplemented', /HTTP status 404/],
    ['is that of a proxy', answerPlainly(503), 'Unavailable', /HTTP status 503/],
    ['is refused', (stream) => stream.close(7), 'Unavailable', /code 7/],
    ['is given up by the server', (stream) => stream.close(2), 'Unknown', /code 2/],
    ['breaks off with the connection', breakOff, 'Unavailable', /ended/],
  ] satisfies [string, (stream: ServerHttp2Stream) => void, string, RegExp][])(
    'an answer that %s is a failure',
    async (_, answer, code, message) => {
      const [connection] = await start(answer);
      await expect(call(connection)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    },
  );

  test('an answer that cannot be decoded is a failure, and the next call is not', async () => {
    const [connection] = await start(answerWith(prefixed(0, 5)));
    const broken: Method<Buffer, Buffer> = {
      ...echo,
      decode: () => {
        throw new Error('broken');
      },
    };
    await expect(connection.call(broken, hello, { timeoutMs: 5000 })).rejects.toThrow('broken');
    expect(await call(connection)).toEqual(hello);
  });

  test('an answer in the smallest pieces is put together', async () => {
    const [connection] = await start((stream) => {
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      const bytes = [...prefixed(0, 5)];
      const next = () => {
        const byte = bytes.shift();
        if (byte === undefined) stream.end();
        else stream.write(Buffer.from([byte]), next);
      };
      next();
    });
    expect(await call(connection)).toEqual(hello);
  });

  test.each([
    [50, '50m'],
    [0.5, '1m'],
    [120_000, '120000m'],
    [2 * 24 * 3600 * 1000, '172800S'],
    [1e15, '99999999S'],
    [undefined, undefined],
  ])('a time limit of %s ms is told as %s', async (timeoutMs, text) => {
    const told = Promise.withResolvers<unknown>();
    const [connection] = await start((stream, headers) => {
      told.resolve(headers['grpc-timeout']);
      answerWith(prefixed(0, 5))(stream);
    });
    const answer = connection.call(echo, hello, { timeoutMs });
    // What lasts less than a millisecond may be over.
    await answer.catch((error) => expect(error.code).toBe('DeadlineExceeded'));
    expect(await told.promise).toBe(text);
  });
});

describe('against frames of any kind', () => {
  /** Sends this once the first request is there. */
  async function speak(...frames: Buffer[]): Promise<[Connection, received: () => Buffer]> {
    const path = freeEndpoint();
    const chunks: Buffer[] = [];
    const server = createServer((socket: Socket) => {
      cleanUps.push(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        if (chunks.length === 0) socket.write(Buffer.concat(frames));
        chunks.push(chunk);
      });
    });
    server.listen(path);
    await once(server, 'listening');
    cleanUps.push(() => server.close());
    return [connectTo(path), () => Buffer.concat(chunks)];
  }

  const ours = (values: [number, number][] = []) =>
    Buffer.concat(frame(frameTypes.settings, 0, 0, settingsPayload(values)));
  const one = (type: number, frameFlags: number, streamId: number, payload: Buffer) =>
    Buffer.concat(frame(type, frameFlags, streamId, payload));
  const head = encodeFields([
    [':status', '200'],
    ['content-type', 'application/grpc'],
  ]);
  const ok = encodeFields([['grpc-status', '0']]);
  const body = Buffer.concat([Buffer.from([0]), uint32(5), hello]);
  const last = flags.endHeaders | flags.endStream;
  const padded = (payload: Buffer, padding: number) =>
    Buffer.concat([Buffer.from([padding]), payload, Buffer.alloc(padding)]);

  test.each<[string, Buffer[]]>([
    ['as it should', [one(1, flags.endHeaders, 1, head), one(0, 0, 1, body), one(1, last, 1, ok)]],
    [
      'with padding and priorities',
      [
        one(
          1,
          flags.endHeaders | flags.padded | flags.priority,
          1,
          Buffer.concat([Buffer.from([3]), Buffer.alloc(5), head, Buffer.alloc(3)]),
        ),
        one(0, flags.padded, 1, padded(body, 200)),
        one(1, last | flags.padded, 1, padded(ok, 0)),
      ],
    ],
    [
      'with fields in several frames',
      [
        one(1, 0, 1, head.subarray(0, 5)),
        one(9, 0, 1, Buffer.alloc(0)),
        one(9, flags.endHeaders, 1, head.subarray(5)),
        one(0, 0, 1, body),
        one(1, flags.endStream, 1, Buffer.alloc(0)),
        one(9, flags.endHeaders, 1, ok),
      ],
    ],
    [
      'among frames that mean nothing to us',
      [
        one(1, flags.endHeaders, 1, head),
        one(0x42, 0xff, 7, Buffer.alloc(100)),
        one(2, 0, 1, Buffer.alloc(5)),
        one(frameTypes.ping, flags.ack, 0, Buffer.alloc(8)),
        one(frameTypes.settings, flags.ack, 0, Buffer.alloc(0)),
        one(0, 0, 1, body),
        one(1, last, 1, ok),
      ],
    ],
    [
      'with a reset after the end',
      [one(1, flags.endHeaders, 1, head), one(0, 0, 1, body), one(1, last, 1, ok), one(3, 0, 1, uint32(0))],
    ],
  ])('an answer %s is understood', async (_, frames) => {
    const [connection] = await speak(ours(), ...frames);
    expect(await call(connection)).toEqual(hello);
  });

  test('a ping is answered', async () => {
    const [connection, received] = await speak(ours(), one(frameTypes.ping, 0, 0, Buffer.from('12345678')));
    const answer = call(connection, hello, 60_000).catch((error) => error.code);
    await expect
      .poll(() => received().includes(one(frameTypes.ping, flags.ack, 0, Buffer.from('12345678'))))
      .toBe(true);
    connection.close();
    for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
    expect(await answer).toBe('Unavailable');
  });

  test('no more is sent than the peer takes', async () => {
    const [connection, received] = await speak(
      ours([[settings.initialWindowSize, 10]]),
      one(frameTypes.windowUpdate, 0, 1, uint32(20)),
    );
    const answer = call(connection, Buffer.alloc(100_000, 'x'), 60_000).catch((error) => error.code);
    // It sent the most that the protocol allows before it knew better, so 65535 bytes less are allowed now.
    const sent = () => received().toString('latin1').split('x').length - 1;
    await expect.poll(sent).toBe(65_535 - 5);
    for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
    expect(await answer).toBe('Unavailable');
  });

  test('a call that the peer has not begun when it ends the connection fails as Unavailable', async () => {
    const goAway = one(frameTypes.goAway, 0, 0, Buffer.concat([uint32(0), uint32(0), Buffer.from('bye')]));
    const [connection] = await speak(ours(), goAway);
    await expect(call(connection)).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining('(bye)'),
    });
  });

  test.each<[string, Buffer]>([
    ['garbage', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a frame that is too long', one(0, 0, 1, Buffer.alloc(16_385))],
    ['data of a stream that there is not', one(0, 0, 3, hello)],
    ['a stream of its own', one(1, last, 2, head)],
    ['a push', one(5, flags.endHeaders, 1, Buffer.concat([uint32(2), head]))],
    ['fields that are not continued', Buffer.concat([one(1, 0, 1, head), one(0, 0, 1, body)])],
    ['a continuation of nothing', one(9, flags.endHeaders, 1, head)],
    [
      'fields without end',
      Buffer.concat([
        one(1, 0, 1, head),
        ...Array.from({ length: 5 }, () => one(9, 0, 1, Buffer.alloc(16_384))),
      ]),
    ],
    ['fields that cannot be read', one(1, last, 1, Buffer.from([0xbe]))],
    ['padding that is longer than its frame', one(0, flags.padded, 1, Buffer.from([9, 1, 2]))],
    ['settings that are cut off', one(4, 0, 0, Buffer.alloc(5))],
    ['a window that is too large', ours([[settings.initialWindowSize, 2 ** 31]])],
    ['frames that may not be long enough', ours([[settings.maxFrameSize, 0]])],
    ['a reset that is cut off', one(3, 0, 1, Buffer.alloc(2))],
  ])('%s ends the connection, and the call fails as Unavailable', async (_, bytes) => {
    const [connection] = await speak(bytes);
    await expect(call(connection)).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/does not speak HTTP\/2 as it should/),
    });
  });

  test('a peer that hangs up fails the call, one that says nothing does in time', async () => {
    const path = freeEndpoint();
    const server = createServer((socket) => socket.destroy());
    server.listen(path);
    await once(server, 'listening');
    cleanUps.push(() => server.close());
    await expect(call(connectTo(path))).rejects.toMatchObject({ code: 'Unavailable' });
    const [silent] = await speak();
    await expect(call(silent, hello, 50)).rejects.toMatchObject({ code: 'DeadlineExceeded' });
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
