import { expect, it } from 'vitest';
import type { EndpointEvent, QosProfile } from '../transport.ts';
import { type Bench, until } from './harness.ts';
import { latched, reliable, textType } from './types.ts';

export function qosCases(bench: Bench): void {
  it('gives a late joiner as many as its depth and the publisher’s allow', async () => {
    const publisher = bench
      .open()
      .createNode('history', '/')
      .createPublisher('/history', textType, { ...latched, depth: 3 });
    for (const data of ['1', '2', '3', '4', '5']) publisher.publish({ data });
    const [some, one] = [await bench.peer(), await bench.peer()];
    await some.run({ do: 'subscribe', topic: '/history', qos: { ...latched, depth: 10 } });
    await one.run({ do: 'subscribe', topic: '/history', qos: latched });
    await until(() => some.received.length >= 3 && one.received.at(-1)?.text === '5');
    expect(some.received.map(({ text }) => text)).toEqual(['3', '4', '5']);
  });

  it('gives everything to a subscriber when both keep all', async () => {
    const keepAll: QosProfile = { ...reliable, history: 'keep_all' };
    const peer = await bench.peer();
    const publisher = bench.open().createNode('all', '/').createPublisher('/all', textType, keepAll);
    await peer.run({ do: 'subscribe', topic: '/all', qos: keepAll });
    await until(() => publisher.subscriptions === 1);
    const texts = Array.from({ length: 1000 }, (_, i) => `${i}`);
    for (const data of texts) publisher.publish({ data });
    await until(() => peer.received.length >= texts.length);
    expect(peer.received.map(({ text }) => text)).toEqual(texts);
  });
}

/** Only for a transport that calls `onEvent` (`capabilities.endpointEvents`). */
export function incompatibleQosCases(bench: Bench): void {
  it.each<[string, QosProfile, QosProfile]>([
    ['reliability', { ...reliable, reliability: 'best_effort' }, reliable],
    ['durability', reliable, latched],
  ])('tells both sides when %s keeps them apart', async (policy, offered, asked) => {
    const told: EndpointEvent[] = [];
    const onEvent = (event: EndpointEvent) => told.push(event);
    const publisher = bench
      .open()
      .createNode('offers', '/')
      .createPublisher('/apart', textType, offered, { onEvent });
    const subscription = bench
      .open()
      .createNode('asks', '/')
      .createSubscription('/apart', textType, asked, () => undefined, { onEvent });
    await until(() => told.length === 2);
    expect(told).toEqual(Array(2).fill({ event: 'incompatibleQos', policy, total: 1 }));
    expect([publisher.subscriptions, subscription.publishers]).toEqual([0, 0]);
  });
}

/** Only for a transport that honours them (`capabilities.timeQos`). */
export function timeQosCases(bench: Bench): void {
  it('tells a subscriber that a publisher missed the deadline that it offers', async () => {
    const deadline: QosProfile = { ...reliable, deadlineMs: 200 };
    const told: EndpointEvent[] = [];
    let beats = 0;
    const peer = await bench.peer();
    bench
      .open()
      .createNode('here', '/')
      .createSubscription('/beat', textType, deadline, () => beats++, {
        onEvent: (event) => told.push(event),
      });
    await peer.run({ do: 'publisher', topic: '/beat', qos: deadline });
    await peer.run({ do: 'publishEvery', topic: '/beat', periodMs: 20 });
    await until(() => beats > 0);
    await peer.run({ do: 'publishEvery', topic: '/beat', periodMs: 0 });
    await until(() => told.some(({ event }) => event === 'deadlineMissed'));
  });

  it('does not match a publisher that offers no deadline with one that is asked for', async () => {
    const told: EndpointEvent[] = [];
    const peer = await bench.peer();
    await peer.run({ do: 'publisher', topic: '/beat', qos: reliable });
    bench
      .open()
      .createNode('here', '/')
      .createSubscription('/beat', textType, { ...reliable, deadlineMs: 1000 }, () => undefined, {
        onEvent: (event) => told.push(event),
      });
    await until(() => told.length > 0);
    expect(told).toEqual([{ event: 'incompatibleQos', policy: 'deadline', total: 1 }]);
  });

  it('does not give a late joiner what has outlived its lifespan', async () => {
    const publisher = bench
      .open()
      .createNode('here', '/')
      .createPublisher('/milk', textType, { ...latched, depth: 10, lifespanMs: 50 });
    publisher.publish({ data: 'sour' });
    const peer = await bench.peer();
    await peer.run({ do: 'subscribe', topic: '/milk', qos: { ...latched, depth: 10 } });
    await until(() => publisher.subscriptions === 1);
    await until(() => {
      publisher.publish({ data: 'fresh' });
      return peer.received.length > 0;
    });
    expect(peer.received.map(({ text }) => text)).not.toContain('sour');
  });

  it('tells both sides when a publisher does not assert that it lives', async () => {
    const manual: QosProfile = { ...reliable, liveliness: 'manual_by_topic', livelinessLeaseMs: 300 };
    const told: string[] = [];
    const publisher = bench
      .open()
      .createNode('lazy', '/')
      .createPublisher('/alive', textType, manual, {
        onEvent: ({ event }) => told.push(`publisher ${event}`),
      });
    bench
      .open()
      .createNode('watchful', '/')
      .createSubscription('/alive', textType, manual, () => undefined, {
        onEvent: ({ event }) => told.push(`subscription ${event}`),
      });
    await until(() => publisher.subscriptions === 1);
    publisher.assertLiveliness();
    await until(() =>
      ['publisher livelinessLost', 'subscription livelinessLost'].every((t) => told.includes(t)),
    );
  });
}
