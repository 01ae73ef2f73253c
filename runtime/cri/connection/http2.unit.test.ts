/** The connection against servers that speak HTTP/2 and not gRPC as they should. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeSync } from 'node:fs';
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import type { Connection } from '../connection.ts';
import type { Method } from '../grpc/call.ts';
import { uint32 } from '../grpc/frames.ts';
import { call, cleanUp, cleanUps, connectTo, count, echo, freeEndpoint, hello } from './testing.ts';

afterEach(cleanUp);

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

test('what came from a server that was killed is read, also when something is said to it before', async () => {
  const path = freeEndpoint();
  const server = spawn(process.execPath, ['--eval', killedServer, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  cleanUps.push(() => {
    server.kill('SIGKILL');
    rmSync(path, { force: true });
  });
  await once(server.stdout, 'data');
  const connection = connectTo(path);
  const messages: string[] = [];
  const subscribed = Promise.withResolvers<void>();
  const stream = connection.stream(count, hello, new AbortController().signal, (message) => {
    messages.push(message.toString());
    subscribed.resolve();
  });
  const ended = expect(stream).rejects.toMatchObject({ code: 'Unavailable' });
  await subscribed.promise;
  writeSync((server.stdin as unknown as { _handle: { fd: number } })._handle.fd, 'end');
  // A busy agent: the server has spoken and is gone when it comes to look.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  await expect(call(connection)).rejects.toMatchObject({ code: 'Unavailable' });
  await ended;
  expect(messages).toEqual(['first', 'last']);
});

/** Sends a message on each stream, and another one just before it is killed. */
const killedServer = `
  const { createServer } = require('node:http2');
  const message = (text) => Buffer.concat([Buffer.from([0, 0, 0, 0, text.length]), Buffer.from(text)]);
  const server = createServer();
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.write(message('first'));
    process.stdin.once('data', () =>
      stream.write(message('last'), () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50)));
  });
  server.listen(process.argv[1], () => console.log('listening'));
`;
