import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MessageReader, Writer } from './message.ts';

/** By the specification's layout: fields of 1 byte, 4 bytes, strings with their length and a zero. */
function answer(replySerial: number, error?: { name: string; message: string }): Buffer {
  const body = new Writer();
  if (error !== undefined) body.string(error.message);
  const writer = new Writer();
  for (const byte of ['l'.charCodeAt(0), error === undefined ? 2 : 3, 0, 1]) writer.byte(byte);
  writer.uint32(body.length);
  writer.uint32(77);
  writer.array(8, () => {
    writer.align(8);
    writer.byte(5);
    writer.signature('u');
    writer.uint32(replySerial);
    if (error === undefined) return;
    writer.align(8);
    writer.byte(4);
    writer.signature('s');
    writer.string(error.name);
    writer.align(8);
    writer.byte(8);
    writer.signature('g');
    writer.signature('s');
  });
  writer.align(8);
  return Buffer.concat([writer.bytes(), body.bytes()]);
}

it('reads the answers of a stream, in whatever pieces it comes', () => {
  const answers = fc.array(
    fc.record(
      {
        replySerial: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        error: fc.record({ name: fc.stringMatching(/^[a-z.]{3,20}$/), message: fc.string() }),
      },
      { requiredKeys: ['replySerial'] },
    ),
  );
  fc.assert(
    fc.property(answers, fc.integer({ min: 1, max: 50 }), (sent, size) => {
      const stream = Buffer.concat(sent.map(({ replySerial, error }) => answer(replySerial, error)));
      const reader = new MessageReader();
      const heard = [];
      for (let at = 0; at < stream.length; at += size)
        heard.push(...reader.read(stream.subarray(at, at + size)));
      expect(heard).toEqual(sent);
    }),
  );
});

it('refuses what is no message', () => {
  expect(() => new MessageReader().read(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow(
    'not a message',
  );
});
