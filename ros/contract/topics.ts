import { expect, it } from 'vitest';
import type { SampleInfo } from '../transport.ts';
import { type Bench, until } from './harness.ts';
import { latched, reliable, type Text, textType } from './types.ts';

export function topicCases(bench: Bench): void {
  it('carries messages between two transports of one process, in order', async () => {
    const publisher = bench.open().createNode('talker', '/').createPublisher('/chat', textType, reliable);
    const heard: string[] = [];
    const subscription = bench
      .open()
      .createNode('listener', '/')
      .createSubscription('/chat', textType, reliable, ({ data }) => heard.push(data));
    await until(() => publisher.subscriptions === 1 && subscription.publishers === 1);
    const texts = Array.from({ length: 50 }, (_, i) => `${i}`);
    for (const data of texts) publisher.publish({ data });
    await until(() => heard.length === texts.length);
    expect(heard).toEqual(texts);
  });

  it('carries messages between two processes, both ways', async () => {
    const peer = await bench.peer();
    const node = bench.open().createNode('here', '/');
    const heard: string[] = [];
    node.createSubscription('/there_to_here', textType, reliable, ({ data }) => heard.push(data));
    const publisher = node.createPublisher('/here_to_there', textType, latched);
    publisher.publish({ data: 'from here' });
    await peer.run({ do: 'subscribe', topic: '/here_to_there', qos: latched });
    await peer.run({ do: 'publisher', topic: '/there_to_here', qos: latched });
    await peer.run({ do: 'publishEvery', topic: '/there_to_here', periodMs: 20 });
    await until(() => heard.length > 2);
    await until(() => peer.received.some(({ text }) => text === 'from here'));
  });

  it('gives a late joiner what was latched, and only the newest of it', async () => {
    const publisher = bench.open().createNode('status', '/').createPublisher('/status', textType, latched);
    for (const data of ['old', 'older', 'newest']) publisher.publish({ data });
    const peer = await bench.peer();
    await peer.run({ do: 'subscribe', topic: '/status', qos: latched });
    await until(() => peer.received.length > 0);
    expect(peer.received.map(({ text }) => text)).toEqual(['newest']);
  });

  it('gives nothing old to a volatile subscriber', async () => {
    const publisher = bench.open().createNode('status', '/').createPublisher('/status', textType, latched);
    publisher.publish({ data: 'old' });
    const peer = await bench.peer();
    await peer.run({ do: 'subscribe', topic: '/status', qos: reliable });
    await until(() => publisher.subscriptions === 1);
    publisher.publish({ data: 'new' });
    await until(() => peer.received.length > 0);
    expect(peer.received.map(({ text }) => text)).toEqual(['new']);
  });

  it('says who sent a message and when', async () => {
    const peer = await bench.peer();
    const transport = bench.open();
    let info: SampleInfo | undefined;
    transport
      .createNode('here', '/')
      .createSubscription('/stamped', textType, latched, (_message: Text, received) => (info = received));
    const before = { wall: Date.now(), monotonic: performance.now() };
    await peer.run({ do: 'publisher', topic: '/stamped', qos: latched });
    await peer.run({ do: 'publish', topic: '/stamped', texts: ['now'] });
    const { writer, sourceTimeMs, receivedMs } = await until(() => info);
    const after = { wall: Date.now(), monotonic: performance.now() };
    expect(transport.graph.endpoints('/stamped').map(({ gid }) => gid)).toContain(writer);
    expect(sourceTimeMs).toBeGreaterThanOrEqual(before.wall);
    expect(sourceTimeMs).toBeLessThanOrEqual(after.wall + 1);
    expect(receivedMs).toBeGreaterThanOrEqual(before.monotonic);
    expect(receivedMs).toBeLessThanOrEqual(after.monotonic);
  });

  it('carries a message that needs many packets', async () => {
    const peer = await bench.peer();
    const publisher = bench.open().createNode('big', '/').createPublisher('/big', textType, latched);
    const data = 'x'.repeat(3_000_000);
    publisher.publish({ data });
    await peer.run({ do: 'subscribe', topic: '/big', qos: latched });
    await until(() => peer.received.length > 0);
    expect(peer.received[0]?.text === data).toBe(true);
  });

  it('carries undecoded samples, of a type that the first publisher tells', async () => {
    const peer = await bench.peer();
    const samples: Uint8Array[] = [];
    const subscription = bench
      .open()
      .createNode('raw', '/')
      .createRawSubscription('/any', undefined, latched, (cdr) => samples.push(cdr));
    expect(subscription.publishers).toBe(0);
    await peer.run({ do: 'publisher', topic: '/any', qos: latched });
    await peer.run({ do: 'publish', topic: '/any', texts: ['whatever'] });
    const cdr = await until(() => samples[0]);
    expect(textType.decode(cdr)).toEqual({ data: 'whatever' });
  });

  it('drops what cannot be decoded and goes on', async () => {
    const publisher = bench.open().createNode('broken', '/').createPublisher('/broken', textType, reliable);
    const heard: string[] = [];
    bench
      .open()
      .createNode('here', '/')
      .createSubscription('/broken', textType, reliable, ({ data }) => heard.push(data));
    await until(() => publisher.subscriptions === 1);
    for (const bytes of [
      [0, 1, 0, 0],
      [0, 1, 0, 0, 255, 255, 255, 255],
      [9, 9, 9, 9, 9],
    ]) {
      publisher.publishRaw(Uint8Array.from(bytes));
    }
    publisher.publish({ data: 'sound' });
    await until(() => heard.length > 0);
    expect(heard).toEqual(['sound']);
  });

  it('goes on when a handler throws', async () => {
    const publisher = bench.open().createNode('talker', '/').createPublisher('/chat', textType, reliable);
    const heard: string[] = [];
    bench
      .open()
      .createNode('listener', '/')
      .createSubscription('/chat', textType, reliable, ({ data }) => {
        heard.push(data);
        throw new Error('of the test');
      });
    await until(() => publisher.subscriptions === 1);
    publisher.publish({ data: 'first' });
    publisher.publish({ data: 'second' });
    await until(() => heard.length === 2);
  });
}
