import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spdySession } from './spdy.ts';

/** One end for the session; what it sends is kept, and `receive` plays the server. */
function wire() {
  const sent: Buffer[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      done();
    },
  });
  return { socket, sent: () => Buffer.concat(sent), receive: (bytes: Buffer) => socket.push(bytes) };
}

function dataFrame(id: number, content: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(id, 0);
  header.writeUInt8(flags, 4);
  header.writeUIntBE(content.length, 5, 3);
  return Buffer.concat([header, content]);
}

function controlFrame(type: number, ...words: number[]): Buffer {
  const frame = Buffer.alloc(8 + 4 * words.length);
  frame.writeUInt16BE(0x8003, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUIntBE(4 * words.length, 5, 3);
  words.forEach((word, index) => {
    frame.writeUInt32BE(word, 8 + 4 * index);
  });
  return frame;
}

const fin = 1;
const [rst, ping, goaway] = [3, 6, 7];
const [protocolError, cancel] = [1, 5];

test('frames arrive whole however the connection cuts them', async () => {
  const chunks = fc.array(fc.tuple(fc.constantFrom(1, 3), fc.uint8Array({ minLength: 1, maxLength: 40 })));
  await fc.assert(
    fc.asyncProperty(chunks, fc.array(fc.integer({ min: 1, max: 30 })), async (content, cuts) => {
      const { socket, receive } = wire();
      const session = spdySession(socket, Buffer.alloc(0));
      const streams = { 1: session.open({}), 3: session.open({}) };
      const ends = [dataFrame(1, Buffer.alloc(0), fin), dataFrame(3, Buffer.alloc(0), fin)];
      let bytes = Buffer.concat([...content.map(([id, data]) => dataFrame(id, Buffer.from(data))), ...ends]);
      for (const cut of cuts) {
        receive(bytes.subarray(0, cut));
        bytes = bytes.subarray(cut);
        if (bytes.length === 0) break;
      }
      if (bytes.length > 0) receive(bytes);
      const expected = (wanted: number) =>
        Buffer.concat(content.filter(([id]) => id === wanted).map(([, data]) => Buffer.from(data)));
      expect(await buffer(streams[1])).toEqual(expected(1));
      expect(await buffer(streams[3])).toEqual(expected(3));
    }),
    { numRuns: 50 },
  );
});

test('what came with the upgrade is read first', async () => {
  const { socket, receive } = wire();
  const early = dataFrame(1, Buffer.from('early '));
  const session = spdySession(socket, early.subarray(0, 10));
  const stream = session.open({});
  receive(Buffer.concat([early.subarray(10), dataFrame(1, Buffer.from('late'), fin)]));
  expect(await text(stream)).toBe('early late');
});

test('the end of writing is passed on, and reading goes on', async () => {
  const { socket, sent, receive } = wire();
  const stream = spdySession(socket, Buffer.alloc(0)).open({});
  const before = sent().length;
  stream.end('abc');
  await once(stream, 'finish');
  expect(sent().subarray(before)).toEqual(
    Buffer.concat([dataFrame(1, Buffer.from('abc')), dataFrame(1, Buffer.alloc(0), fin)]),
  );
  receive(dataFrame(1, Buffer.from('answer'), fin));
  expect(await text(stream)).toBe('answer');
});

test('a stream cancelled by the server has ended; another reset is an error', async () => {
  const { socket, receive } = wire();
  const session = spdySession(socket, Buffer.alloc(0));
  const [ended, broken] = [session.open({}), session.open({})];
  receive(dataFrame(1, Buffer.from('all')));
  receive(controlFrame(rst, 1, cancel));
  receive(controlFrame(rst, 3, protocolError));
  expect(await text(ended)).toBe('all');
  await expect(text(broken)).rejects.toThrow('reset (code 1)');
});

test('writing to a stream that the server has ended is no error', async () => {
  const { socket, sent, receive } = wire();
  const stream = spdySession(socket, Buffer.alloc(0)).open({});
  receive(controlFrame(rst, 1, cancel));
  expect(await text(stream)).toBe('');
  const before = sent().length;
  await new Promise((resolve) => {
    stream.write('lost', resolve);
  });
  expect(sent().length).toBe(before);
});

test('a lost connection fails the streams that are open, not those that have ended', async () => {
  const { socket, receive } = wire();
  const session = spdySession(socket, Buffer.alloc(0));
  const [ended, open] = [session.open({}), session.open({})];
  receive(dataFrame(1, Buffer.from('kept'), fin));
  await new Promise(setImmediate);
  socket.destroy(new Error('cable cut'));
  await expect(text(open)).rejects.toThrow('cable cut');
  expect(await text(ended)).toBe('kept');
});

test('closing ends streams with what they have received', async () => {
  const { socket, receive } = wire();
  const session = spdySession(socket, Buffer.alloc(0));
  const stream = session.open({});
  receive(dataFrame(1, Buffer.from('kept')));
  await new Promise(setImmediate);
  session.close();
  expect(await text(stream)).toBe('kept');
  expect(socket.destroyed).toBe(true);
});

test('a ping is answered with itself; other control frames are passed over', async () => {
  const { socket, sent, receive } = wire();
  spdySession(socket, Buffer.alloc(0));
  receive(controlFrame(goaway, 0, 0));
  receive(controlFrame(ping, 42));
  await new Promise(setImmediate);
  expect(sent()).toEqual(controlFrame(ping, 42));
});

test('a slow reader holds the connection, and reading lets it go on', async () => {
  const { socket, receive } = wire();
  const stream = spdySession(socket, Buffer.alloc(0)).open({});
  receive(dataFrame(1, Buffer.alloc(200_000)));
  await new Promise(setImmediate);
  expect(socket.isPaused()).toBe(true);
  receive(dataFrame(1, Buffer.alloc(10), fin));
  expect((await buffer(stream)).length).toBe(200_010);
  expect(socket.isPaused()).toBe(false);
});
