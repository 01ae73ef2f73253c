import { expect, it } from 'vitest';
import type { WatchEvent } from '../transport.ts';
import { type Bench, type Peer, until } from './harness.ts';
import { latched, reliable, sensorData, textType } from './types.ts';

export function watchCases(bench: Bench): void {
  const { beating, watched } = helpers(bench);

  it('tells of silence once, with the last sample, and when it is over', async () => {
    const peer = await bench.peer();
    const { watch, told, names } = watched({ maxSilenceMs: 300 });
    await beating(peer);
    await until(() => names().includes('heard'));
    await peer.run({ do: 'publishEvery', topic: '/beat', periodMs: 0 });
    const fromHere = told.length;
    const silent = await until(() => told.slice(fromHere).find(({ event }) => event === 'silent'));
    const last = watch.stats().lastSampleMs!;
    expect(silent).toEqual({ event: 'silent', atMs: expect.closeTo(last + 300, 3), lastSampleMs: last });
    const { gid } = watch.writers()[0]!;
    await peer.run({ do: 'publish', topic: '/beat', texts: ['again'] });
    await until(() => told.length > fromHere + 1);
    expect(told.slice(fromHere + 1)).toEqual([
      { event: 'heard', writer: gid, atMs: watch.stats().lastSampleMs },
    ]);
  });

  it('tells of silence where there never was a publisher', async () => {
    const { told } = watched({ maxSilenceMs: 100 });
    await until(() => told.length > 0);
    expect(told).toEqual([{ event: 'silent', atMs: expect.any(Number), lastSampleMs: undefined }]);
  });

  it.each([
    ['reliable and latched', latched],
    ['best effort', sensorData],
  ])('counts the samples of a publisher that is %s', async (_name, qos) => {
    const peer = await bench.peer();
    const { watch } = watched({});
    await beating(peer, qos);
    await until(() => watch.stats().samples >= 10);
    const { samples, rateHz, lastSampleMs, lastSourceTimeMs } = watch.stats();
    expect(rateHz).toBeGreaterThan(0);
    expect(lastSampleMs).toBeLessThanOrEqual(performance.now());
    expect(lastSourceTimeMs).toBeLessThanOrEqual(Date.now() + 1);
    const [writer] = watch.writers();
    expect(writer).toMatchObject({ type: 'std_msgs/msg/String', alive: true });
    expect(writer?.qos).toMatchObject({ reliability: qos.reliability, durability: qos.durability });
    expect(writer?.samples).toBeGreaterThanOrEqual(samples);
  });

  it('hears only the writers that it accepts', async () => {
    const [own, other] = [await bench.peer(), await bench.peer()];
    const { watch, told, names } = watched({ maxSilenceMs: 300 });
    await beating(own);
    await until(() => watch.writers().length === 1);
    const ownGid = watch.writers()[0]!.gid;
    watch.accept(new Set([ownGid]));
    await beating(other);
    await until(() => watch.writers().length === 2);
    await until(() => watch.writers().every(({ samples }) => samples > 0));
    const fromHere = told.length;
    await own.run({ do: 'publishEvery', topic: '/beat', periodMs: 0 });
    await until(() => names().slice(fromHere).includes('silent'));
    // The other one beats on all the while.
    const before = watch.writers().find(({ gid }) => gid !== ownGid)!.samples;
    await until(() => watch.writers().find(({ gid }) => gid !== ownGid)!.samples > before + 5);
    expect(names().slice(fromHere)).toEqual(['silent']);
    watch.accept(undefined);
    await until(() => told.some((event) => event.event === 'heard' && event.writer !== ownGid));
  });

  it('tells that a writer is gone when its process is killed', async () => {
    const peer = await bench.peer({ participantLeaseMs: 500 });
    const { told, watch, names } = watched({});
    await beating(peer);
    await until(() => names().includes('matched'));
    const { gid } = watch.writers()[0]!;
    await peer.kill();
    await until(() => names().includes('unmatched'));
    expect(told.find(({ event }) => event === 'unmatched')).toMatchObject({ writer: gid });
    expect(watch.writers()).toEqual([]);
  });

  it('goes on after a writer that comes back, and tells nothing once closed', async () => {
    const peer = await bench.peer();
    const { transport, watch, told, names } = watched({ maxSilenceMs: 200 });
    await beating(peer);
    await until(() => names().includes('heard'));
    await peer.run({ do: 'closePublisher', topic: '/beat' });
    await until(() => names().includes('unmatched'));
    await until(() => names().at(-1) === 'silent');
    const fromHere = told.length;
    await beating(peer);
    await until(() => names().slice(fromHere).includes('heard'));
    watch.close();
    const atClose = told.length;
    await peer.run({ do: 'closePublisher', topic: '/beat' });
    await until(() => transport.graph.endpoints('/beat').length === 0);
    expect(told).toHaveLength(atClose);
  });
}

/** Only for a transport that can ask for a lease (`capabilities.timeQos`). */
export function leaseWatchCases(bench: Bench): void {
  const { beating, watched } = helpers(bench);

  it('tells that a writer does not live although it is matched, and that it does again', async () => {
    const peer = await bench.peer({ participantLeaseMs: 60_000 });
    const { watch, names } = watched({ livelinessLeaseMs: 500 });
    await beating(peer, { ...reliable, livelinessLeaseMs: 200 });
    await until(() => names().includes('matched'));
    peer.signal('SIGSTOP');
    await until(() => names().includes('notAlive'));
    expect(watch.writers().map(({ alive }) => alive)).toEqual([false]);
    peer.signal('SIGCONT');
    await until(() => names().includes('alive'));
    expect(names()).not.toContain('unmatched');
  });

  it('does not match a writer that offers a longer liveliness lease than it asks for', async () => {
    const [loose, tight] = [await bench.peer(), await bench.peer()];
    const { watch } = watched({ livelinessLeaseMs: 500 });
    await beating(loose);
    await beating(tight, { ...reliable, livelinessLeaseMs: 200 });
    await until(() => watch.writers().length > 0);
    expect(watch.writers().map(({ qos }) => qos.livelinessLeaseMs)).toEqual([200]);
  });
}

/** Only for a transport that takes any type (`capabilities.anyType`). */
export function typeWatchCases(bench: Bench): void {
  const { beating, watched } = helpers(bench);

  it('hears a writer of a type that comes after many others which are gone, and tells when it cannot', async () => {
    const peer = await bench.peer();
    const { transport, watch } = watched({});
    const claiming = bench.open().createNode('claiming', '/');
    const claim = (i: number) =>
      claiming.createPublisher('/beat', { ...textType, name: `claimed/msg/T${i}` }, reliable);
    const claims = Array.from({ length: 8 }, (_, i) => claim(i));
    await until(() => watch.writers().length === claims.length);
    expect(watch.stats().problem).toBeUndefined();
    await beating(peer);
    await until(() => watch.stats().problem);
    expect(watch.stats().problem).toBe(
      'its publishers have more than 8 types, which are not all listened to',
    );
    for (const one of claims.splice(0, 1)) one.close();
    await until(() => watch.stats().samples > 0);
    expect(watch.stats().problem).toBeUndefined();
    // Types come and go, which takes nothing from the one that stays.
    for (let i = 100; i < 120; i++) {
      const passing = claim(i);
      claims.push(passing);
      claims.shift()?.close();
      await until(() => watch.writers().some(({ type }) => type === `claimed/msg/T${i}`));
    }
    for (const one of claims) one.close();
    await until(
      () => transport.graph.endpoints('/beat').filter(({ kind }) => kind === 'publisher').length === 1,
    );
    await until(() => watch.writers().length === 1);
    const { samples } = watch.stats();
    await until(() => watch.stats().samples > samples);
  });
}

/** Only for a transport that sees silence outside of the event loop (`capabilities.nativeWatch`). */
export function nativeWatchCases(bench: Bench): void {
  it('invents no silence while the event loop is busy, and knows when a real one was', async () => {
    const peer = await bench.peer();
    const told: WatchEvent[] = [];
    const maxSilenceMs = 1500;
    const watch = bench.open().watchTopic('/beat', { maxSilenceMs }, (event) => told.push(event));
    await peer.run({ do: 'publisher', topic: '/beat', qos: reliable });
    await peer.run({ do: 'publishEvery', topic: '/beat', periodMs: 20 });
    await until(() => told.some(({ event }) => event === 'heard'));
    const fromHere = told.length;
    block(2 * maxSilenceMs);
    expect(watch.stats().lastSampleMs).toBeGreaterThan(performance.now() - maxSilenceMs);
    await peer.run({ do: 'publishEvery', topic: '/beat', periodMs: 0 });
    expect(told).toHaveLength(fromHere);
    block(2 * maxSilenceMs);
    const unblockedMs = performance.now();
    const silent = await until(() => told[fromHere]);
    expect(silent.event).toBe('silent');
    expect(silent.atMs).toBeLessThan(unblockedMs);
  });
}

function helpers(bench: Bench) {
  const beating = async (peer: Peer, qos = reliable) => {
    await peer.run({ do: 'publisher', topic: '/beat', qos });
    await peer.run({ do: 'publishEvery', topic: '/beat', periodMs: 20 });
  };
  const watched = (options: Parameters<ReturnType<Bench['open']>['watchTopic']>[1]) => {
    const transport = bench.open();
    const told: WatchEvent[] = [];
    const watch = transport.watchTopic('/beat', options, (event) => told.push(event));
    const names = () => told.map(({ event }) => event);
    return { transport, watch, told, names };
  };
  return { beating, watched };
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
