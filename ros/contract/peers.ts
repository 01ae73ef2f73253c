import { expect, it } from 'vitest';
import type { EndpointEvent } from '../transport.ts';
import { type Bench, until } from './harness.ts';
import { latched, reliable, textType } from './types.ts';

export function peerCases(bench: Bench): void {
  it('unmatches a process that is killed, by its lease', async () => {
    const peer = await bench.peer({ participantLeaseMs: 500 });
    await peer.run({ do: 'publisher', topic: '/mortal', qos: latched });
    const subscription = bench
      .open()
      .createNode('here', '/')
      .createSubscription('/mortal', textType, latched, () => undefined);
    await until(() => subscription.publishers === 1);
    await peer.kill();
    await until(() => subscription.publishers === 0);
  });

  it('never waits for a subscriber that is stopped, and gives it the newest when it goes on', async () => {
    const qos = { ...latched, depth: 100 };
    const peer = await bench.peer({ participantLeaseMs: 600_000 });
    await peer.run({ do: 'subscribe', topic: '/flood', qos });
    const publisher = bench.open().createNode('here', '/').createPublisher('/flood', textType, qos);
    await until(() => publisher.subscriptions === 1);
    peer.signal('SIGSTOP');
    // More than all buffers between the two hold together. Were each to wait but a little, the case would run out of time.
    const padding = 'x'.repeat(20_000);
    for (let i = 0; i < 5000; i++) publisher.publish({ data: `${i} ${padding}` });
    publisher.publish({ data: 'last' });
    expect(publisher.subscriptions).toBe(1);
    peer.signal('SIGCONT');
    await until(() => peer.received.some(({ text }) => text === 'last'));
  });

  it('drops rather than waits when a publisher keeps all for a subscriber that is stopped', async () => {
    const qos = { ...reliable, history: 'keep_all' } as const;
    const peer = await bench.peer({ participantLeaseMs: 600_000 });
    await peer.run({ do: 'subscribe', topic: '/flood', qos });
    const publisher = bench.open().createNode('here', '/').createPublisher('/flood', textType, qos);
    await until(() => publisher.subscriptions === 1);
    peer.signal('SIGSTOP');
    const padding = 'x'.repeat(20_000);
    for (let i = 0; i < 5000; i++) publisher.publish({ data: `${i} ${padding}` });
    peer.signal('SIGCONT');
    await until(() => {
      publisher.publish({ data: 'after' });
      return peer.received.some(({ text }) => text === 'after');
    });
    expect(peer.received.length).toBeLessThan(5000);
  });

  it('leaves nothing running when it is closed with everything open', async () => {
    const transport = bench.open();
    const node = transport.createNode('here', '/');
    node.createPublisher('/a', textType, latched).publish({ data: 'x' });
    node.createSubscription('/a', textType, latched, () => undefined);
    transport.watchTopic('/a', { maxSilenceMs: 10 }, () => undefined);
    const threads = await import('node:fs').then(
      ({ readdirSync }) =>
        () =>
          readdirSync('/proc/self/task').length,
    );
    const open = threads();
    await transport.close();
    await transport.close();
    expect(threads()).toBeLessThan(open);
  });
}

/** Only for a transport that calls `onEvent` (`capabilities.endpointEvents`). */
export function matchCases(bench: Bench): void {
  it('tells who is matched and who no longer is', async () => {
    const transport = bench.open();
    const told: EndpointEvent[] = [];
    transport.createNode('here', '/').createSubscription('/chat', textType, latched, () => undefined, {
      onEvent: (event) => told.push(event),
    });
    const publisher = bench.open().createNode('there', '/').createPublisher('/chat', textType, latched);
    await until(() => told.length === 1);
    const [endpoint] = await until(() => {
      const found = transport.graph.endpoints('/chat').filter(({ kind }) => kind === 'publisher');
      return found.length > 0 && found;
    });
    publisher.close();
    await until(() => told.length === 2);
    expect(told).toEqual([
      { event: 'matched', peer: endpoint?.gid },
      { event: 'unmatched', peer: endpoint?.gid },
    ]);
  });
}
