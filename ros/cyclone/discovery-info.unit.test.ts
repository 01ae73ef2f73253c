import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntities, encodeEntities, type GidSize, type ParticipantEntities } from './discovery-info.ts';

const gid = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const gids = fc.array(gid, { maxLength: 5 });
const node = fc.record({
  name: fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/),
  namespace: fc.stringMatching(/^\/([a-z]{1,8}(\/[a-z]{1,8})?)?$/),
  readers: gids,
  writers: gids,
});
const entities = fc.record<ParticipantEntities>({ gid, nodes: fc.array(node, { maxLength: 4 }) });
const gidSize = fc.constantFrom<GidSize>(16, 24);

describe('ros_discovery_info', () => {
  it('reads back what was written, in both forms, and tells which it was', () => {
    fc.assert(
      fc.property(entities, gidSize, fc.integer({ min: 0, max: 3 }), (info, size, padding) => {
        const cdr = Buffer.concat([encodeEntities(info, size), Buffer.alloc(padding)]);
        expect(decodeEntities(cdr)).toEqual({ ...info, gidSize: size });
      }),
    );
  });

  it('reads a message written out byte by byte', () => {
    const participant = '0110a604e0ff195a3628b474000001c1';
    const writer = '0110a604e0ff195a3628b47400000603';
    const cdr = Buffer.concat([
      Buffer.from('00010000', 'hex'),
      Buffer.from(participant, 'hex'),
      Buffer.from('01000000', 'hex'),
      Buffer.from('07000000', 'hex'),
      Buffer.from('/robot\0\0'),
      Buffer.from('02000000', 'hex'),
      Buffer.from('a\0\0\0'),
      Buffer.from('00000000', 'hex'),
      Buffer.from('01000000', 'hex'),
      Buffer.from(writer, 'hex'),
    ]);
    const nodes = [{ name: 'a', namespace: '/robot', readers: [], writers: [writer] }];
    expect(decodeEntities(cdr)).toEqual({ gid: participant, nodes, gidSize: 16 });
  });

  it('takes any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeEntities(bytes);
      }),
    );
  });

  it('refuses counts that the message cannot hold', () => {
    const cdr = Buffer.from(encodeEntities({ gid: '00'.repeat(16), nodes: [] }, 16));
    cdr.writeUInt32LE(0xffff_ffff, 20);
    expect(decodeEntities(cdr)).toBeUndefined();
  });
});
