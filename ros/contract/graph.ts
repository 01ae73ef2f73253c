import { expect, it } from 'vitest';
import { type Bench, until } from './harness.ts';
import { echoType, latched, textType } from './types.ts';

export function graphCases(bench: Bench): void {
  it('shows the nodes of another process and its own, with their endpoints', async () => {
    const peer = await bench.peer();
    const transport = bench.open();
    const node = transport.createNode('status', '/robot/pods');
    node.createPublisher('/robot/status', textType, latched);
    await peer.run({ do: 'subscribe', topic: '/robot/status', qos: latched });
    const nodes = [
      { name: 'peer', namespace: '/' },
      { name: 'status', namespace: '/robot/pods' },
    ];
    const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
    const withoutGid = (endpoints: ReturnType<typeof transport.graph.endpoints>) =>
      endpoints.map(({ kind, topic, type, typeHash, node }) => ({ kind, topic, type, typeHash, node }));
    const common = { topic: '/robot/status', type: textType.name, typeHash: textType.typeHash };
    const endpoints = [
      { kind: 'publisher', ...common, node: nodes[1] },
      { kind: 'subscription', ...common, node: nodes[0] },
    ];
    await until(() => transport.graph.endpoints('/robot/status').filter(({ node }) => node).length === 2);
    const here = transport.graph.nodes().sort(byName);
    expect(here).toEqual(nodes.map((name) => expect.objectContaining(name)));
    // Each of its own participant.
    expect(new Set(here.map(({ participant }) => participant)).size).toBe(2);
    for (const { participant } of here) {
      expect(transport.graph.participants().map(({ prefix }) => prefix)).toContain(participant);
    }
    expect(withoutGid(transport.graph.endpoints('/robot/status'))).toEqual(expect.arrayContaining(endpoints));
    expect(transport.graph.topics()).toContainEqual({ name: '/robot/status', types: [textType.name] });
    // The other side sees the same.
    for (;;) {
      const seen = await peer.run({ do: 'graph' });
      const ofTopic = seen.endpoints.filter(({ topic, node }) => topic === '/robot/status' && node);
      if (ofTopic.length < 2) continue;
      expect(seen.nodes.sort(byName)).toEqual(nodes.map((name) => expect.objectContaining(name)));
      expect(withoutGid(ofTopic)).toEqual(expect.arrayContaining(endpoints));
      break;
    }
  });

  it('shows nothing of a process that came and went while this one was busy', async () => {
    const transport = bench.open();
    transport.createNode('here', '/');
    const before = await until(() => transport.graph.participants().length === 1);
    expect(before).toBe(true);
    bench.passBy('here');
    // What happened meanwhile has been told when this one is there.
    await bench.peer();
    await until(() => transport.graph.nodes().some(({ name }) => name === 'peer'));
    await until(() => transport.graph.participants().length === 2);
    expect(
      transport.graph
        .nodes()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['here', 'peer']);
  });

  it('shows a watch as a subscription of the first node, with the type of the publisher', async () => {
    const watching = bench.open();
    watching.createNode('agent', '/robot');
    watching.createNode('pod', '/robot');
    const observer = bench.open();
    watching.watchTopic('/watched', {}, () => undefined);
    observer.createNode('other', '/').createPublisher('/watched', textType, latched);
    const subscription = await until(() =>
      observer.graph.endpoints('/watched').find(({ kind, node }) => kind === 'subscription' && node),
    );
    expect(subscription).toMatchObject({
      node: { name: 'agent', namespace: '/robot' },
      type: textType.name,
      typeHash: textType.typeHash,
    });
  });

  it('is on the domain that it is told, and sees nothing of others', async () => {
    const transport = bench.open();
    const elsewhere = bench.open({ domainId: transport.domainId + 1 });
    elsewhere.createNode('elsewhere', '/').createPublisher('/elsewhere', textType, latched);
    const observer = bench.open({ domainId: transport.domainId + 1 });
    await until(() => observer.graph.endpoints('/elsewhere').length === 1);
    bench.open().createNode('here', '/');
    await until(() => transport.graph.nodes().some(({ name }) => name === 'here'));
    expect(transport.graph.endpoints('/elsewhere')).toEqual([]);
  });

  it('carries any number of nodes on one participant', async () => {
    const transport = bench.open();
    const observer = bench.open();
    const nodes = Array.from({ length: 50 }, (_, i) => transport.createNode(`pod_${i}`, '/robot'));
    await until(() => observer.graph.nodes().length === 50);
    expect(transport.graph.nodes()).toHaveLength(50);
    for (const node of nodes.slice(10)) node.close();
    await until(() => observer.graph.nodes().length === 10);
  });

  it('shows the policies that an endpoint has', async () => {
    const peer = await bench.peer();
    const transport = bench.open();
    const qos = { ...latched, reliability: 'best_effort', depth: 7 } as const;
    await peer.run({ do: 'publisher', topic: '/policies', qos });
    const [endpoint] = await until(() => {
      const found = transport.graph.endpoints('/policies');
      return found.length > 0 && found;
    });
    expect(endpoint?.qos).toMatchObject({ reliability: 'best_effort', durability: 'transient_local' });
  });

  it('lists services with their types, and how many serve them', async () => {
    const transport = bench.open();
    const observer = bench.open();
    const node = transport.createNode('server', '/');
    const service = node.createService('/echo', echoType, (request) => request);
    node.createClient('/echo', echoType);
    await until(() => observer.graph.services().some(({ servers }) => servers === 1));
    expect(observer.graph.services()).toEqual([{ name: '/echo', types: [echoType.name], servers: 1 }]);
    service.close();
    await until(() => observer.graph.services().some(({ servers }) => servers === 0));
    const own = ['/parameter_events', '/rosout'];
    expect(observer.graph.topics().filter(({ name }) => !own.includes(name))).toEqual([]);
  });

  it('tells of changes, and no longer when it was asked to stop', async () => {
    const transport = bench.open();
    let changes = 0;
    let stopped = 0;
    transport.graph.onChange(() => changes++);
    const stop = transport.graph.onChange(() => stopped++);
    await until(() => changes > 0 && stopped > 0);
    stop();
    const before = { changes, stopped };
    bench.open().createNode('newcomer', '/');
    await until(() => transport.graph.nodes().some(({ name }) => name === 'newcomer'));
    await until(() => changes > before.changes);
    expect(stopped).toBe(before.stopped);
  });

  it('forgets a process that is killed', async () => {
    const peer = await bench.peer({ participantLeaseMs: 500 });
    const transport = bench.open();
    await peer.run({ do: 'publisher', topic: '/mortal', qos: latched });
    await until(() => transport.graph.endpoints('/mortal').length === 1);
    await until(() => transport.graph.nodes().some(({ name }) => name === 'peer'));
    await peer.kill();
    await until(() => transport.graph.endpoints('/mortal').length === 0);
    await until(() => transport.graph.nodes().length === 0);
    expect(transport.graph.participants()).toHaveLength(1);
  });
}

/** Only for a transport that tells of processes (`capabilities.participantDetails`). */
export function participantCases(bench: Bench): void {
  it('tells which process a participant is', async () => {
    const transport = bench.open();
    const peer = await bench.peer();
    const participant = await until(() =>
      transport.graph.participants().find(({ properties }) => properties.__Pid === String(peer.pid)),
    );
    expect(participant.enclave).toBe('/');
    expect(participant.locators.every(({ port }) => port > 0)).toBe(true);
    expect(participant.locators).not.toHaveLength(0);
  });
}
