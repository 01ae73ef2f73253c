import { expect, it } from 'vitest';
import { GetParameters, ParameterValue, SetParameters } from '../messages/gen/rcl_interfaces.ts';
import { type Bench, until } from './harness.ts';
import { echoType } from './types.ts';

const limitMs = 20_000;
const withinLimit = () => AbortSignal.timeout(limitMs);

export function serviceCases(bench: Bench): void {
  it('answers another process, and is answered by it', async () => {
    const peer = await bench.peer();
    const node = bench.open().createNode('here', '/');
    node.createService('/here', echoType, ({ data }) => ({ data: `here: ${data}` }));
    await peer.run({ do: 'serve', service: '/there' });
    const client = node.createClient('/there', echoType);
    expect(await client.call({ data: 'a' }, withinLimit())).toEqual({ data: 'peer: a' });
    expect(await peer.run({ do: 'call', service: '/here', text: 'b', limitMs })).toBe('here: b');
  });

  it('carries every kind of field, both ways', async () => {
    const value = ParameterValue.create({
      type: 9,
      bool_value: true,
      integer_value: -(2n ** 60n),
      double_value: 0.25,
      string_value: 'für',
      byte_array_value: Uint8Array.of(1, 255),
      bool_array_value: [true, false],
      integer_array_value: BigInt64Array.of(-1n, 2n),
      double_array_value: Float64Array.of(0.5),
      string_array_value: ['a', ''],
    });
    const request = {
      parameters: [
        { name: 'one', value },
        { name: 'two', value: ParameterValue.create() },
      ],
    };
    let heard: unknown;
    const server = bench.open().createNode('server', '/');
    server.createService('/set', SetParameters, (asked) => {
      heard = asked;
      return { results: asked.parameters.map(({ name }) => ({ successful: true, reason: name })) };
    });
    server.createService('/get', GetParameters, () => ({ values: [value, ParameterValue.create()] }));
    const node = bench.open().createNode('client', '/');
    const set = await node.createClient('/set', SetParameters).call(request, withinLimit());
    expect(heard).toEqual(request);
    expect(set.results).toEqual(['one', 'two'].map((reason) => ({ successful: true, reason })));
    const got = await node.createClient('/get', GetParameters).call({ names: ['x'] }, withinLimit());
    expect(got).toEqual({ values: [value, ParameterValue.create()] });
  });

  it('gives each of many calls at once its own answer, whatever order they are answered in', async () => {
    const server = bench.open().createNode('server', '/');
    const open: (() => void)[] = [];
    server.createService('/shuffle', echoType, async (request) => {
      await new Promise<void>((resolve) => open.push(resolve));
      return request;
    });
    const clients = [1, 2].map((i) =>
      bench.open().createNode(`client_${i}`, '/').createClient('/shuffle', echoType),
    );
    const calls = clients.flatMap((client, c) =>
      Array.from({ length: 5 }, (_, i) => client.call({ data: `${c} ${i}` }, withinLimit())),
    );
    await until(() => open.length === 10);
    for (const answer of open.reverse()) answer();
    const answers = await Promise.all(calls);
    expect(answers.map(({ data }) => data)).toEqual(
      [0, 1].flatMap((c) => Array.from({ length: 5 }, (_, i) => `${c} ${i}`)),
    );
  });

  it('waits for a server that comes later', async () => {
    const client = bench.open().createNode('client', '/').createClient('/late', echoType);
    expect(client.isReady).toBe(false);
    const call = client.call({ data: 'early' }, withinLimit());
    bench
      .open()
      .createNode('server', '/')
      .createService('/late', echoType, (request) => request);
    expect(await call).toEqual({ data: 'early' });
    expect(client.isReady).toBe(true);
  });

  it('tells which servers a client has, by the participants that they are of', async () => {
    let changes = 0;
    const transport = bench.open();
    const client = transport
      .createNode('client', '/')
      .createClient('/told', echoType, { onServers: () => changes++ });
    const there = bench.open();
    const server = there.createNode('server', '/').createService('/told', echoType, (request) => request);
    await until(() => client.servers.length === 1 && changes > 0);
    expect(client.servers[0]?.slice(0, 24)).toBe(there.prefix);
    expect(transport.graph.participant(there.prefix)?.prefix).toBe(there.prefix);
    const before = changes;
    server.close();
    await until(() => client.servers.length === 0 && changes > before);
  });

  it('stops waiting when it is told to', async () => {
    const client = bench.open().createNode('client', '/').createClient('/nobody', echoType);
    const aborting = new AbortController();
    const call = client.call({ data: 'anyone?' }, aborting.signal);
    aborting.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect(client.call({ data: 'again' }, aborting.signal)).rejects.toThrow('enough');
  });

  it('gives no answer when the handler fails, and answers the next', async () => {
    const server = bench.open().createNode('server', '/');
    server.createService('/moody', echoType, (request) => {
      if (request.data === 'bad') throw new Error('of the test');
      return request;
    });
    const client = bench.open().createNode('client', '/').createClient('/moody', echoType);
    const aborting = new AbortController();
    const bad = client.call({ data: 'bad' }, aborting.signal);
    expect(await client.call({ data: 'good' }, withinLimit())).toEqual({ data: 'good' });
    aborting.abort(new Error('no answer'));
    await expect(bad).rejects.toThrow('no answer');
  });

  it('ends open calls when the client is closed', async () => {
    const client = bench.open().createNode('client', '/').createClient('/nobody', echoType);
    const call = client.call({ data: 'anyone?' }, withinLimit());
    client.close();
    await expect(call).rejects.toThrow('closed');
  });

  it('is no longer ready when the server is killed', async () => {
    const peer = await bench.peer({ participantLeaseMs: 500 });
    await peer.run({ do: 'serve', service: '/mortal' });
    const client = bench.open().createNode('client', '/').createClient('/mortal', echoType);
    await until(() => client.isReady);
    await peer.kill();
    await until(() => !client.isReady);
  });
}
