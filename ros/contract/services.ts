import { expect, it } from 'vitest';
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
