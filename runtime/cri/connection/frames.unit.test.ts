/** The connection against servers that send any frames they like. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Connection } from '../connection.ts';
import { flags, frame, frameTypes, settings, settingsPayload, uint32 } from '../grpc/frames.ts';
import { encodeFields } from '../grpc/hpack.ts';
import { call, cleanUp, cleanUps, connectTo, freeEndpoint, hello } from './testing.ts';

afterEach(cleanUp);

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
