/** The subscriptions, against a server that refuses or ends one of them as no containerd does on demand. */
import { Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import type { RuntimeEvent } from '../runtime.ts';
import { cleanUp, cleanUps, connectTo, freeEndpoint } from './connection/testing.ts';
import { runtimeEvents } from './events.ts';
import { knownExits } from './exits.ts';
import * as containerd from './gen/containerd-events.ts';
import * as cri from './gen/runtime.ts';
import * as methods from './methods.ts';
import { ownCalls } from './own-calls.ts';
import { containerOwners } from './owners.ts';

afterEach(cleanUp);

type Answers = ServerWritableStream<Buffer, Buffer>;

/** What is subscribed to, in the order of the server's sight, and the events that a reader gets. */
async function read(subscribeContainerd: (answers: Answers) => void) {
  const path = freeEndpoint();
  const server = new Server();
  const toCri: Answers[] = [];
  const toContainerd: Answers[] = [];
  const codec = {
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  };
  const streams = { requestStream: false, responseStream: true, ...codec };
  server.addService(
    {
      cri: { path: methods.getContainerEvents.path, ...streams },
      containerd: { path: methods.subscribe.path, ...streams },
    },
    {
      cri: (answers: Answers) => void toCri.push(answers),
      containerd: (answers: Answers) => {
        toContainerd.push(answers);
        subscribeContainerd(answers);
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  cleanUps.push(() => server.forceShutdown());
  const connection = connectTo(path);
  const exits = knownExits();
  const version = { runtimeName: 'containerd', runtimeVersion: 'v2.1.0', runtimeApiVersion: 'v1' };
  const sources = {
    connection,
    owners: containerOwners(connection, 1000),
    exits,
    ownCalls: ownCalls(),
    log: silentLogger(),
    version: async () => version,
    subscribed: async () => undefined,
  };
  const reading = new AbortController();
  cleanUps.push(() => reading.abort());
  const events: RuntimeEvent[] = [];
  const done = (async () => {
    for await (const event of runtimeEvents(sources, reading.signal)) events.push(event);
  })();
  const stop = async () => {
    reading.abort();
    await done;
  };
  return { events, toCri, toContainerd, exits, stop };
}

const ofCri = (containerId: string) =>
  Buffer.from(
    cri.ContainerEventResponse.encode({
      ...cri.ContainerEventResponse.decode(Buffer.alloc(0)),
      containerId,
      containerEventType: cri.ContainerEventType.CONTAINER_STOPPED_EVENT,
    }).finish(),
  );

const exitOf = (id: string, exitStatus: number) =>
  Buffer.from(
    containerd.Envelope.encode({
      namespace: 'k8s.io',
      topic: '/tasks/exit',
      event: {
        typeUrl: '',
        value: Buffer.from(containerd.TaskExit.encode({ containerId: id, id, exitStatus }).finish()),
      },
    }).finish(),
  );

const resync: RuntimeEvent = { type: 'resync', podSandboxId: '', containerId: '' };
const stopped = (containerId: string): RuntimeEvent => ({ type: 'stopped', podSandboxId: '', containerId });

test.each(['UNIMPLEMENTED', 'PERMISSION_DENIED'] as const)(
  "CRI's events go on where containerd refuses its own with %s",
  async (name) => {
    const { events, toCri, toContainerd, stop } = await read((answers) => {
      answers.emit('error', { code: status[name], details: 'not for you' });
    });
    await expect.poll(() => events).toEqual([resync]);
    const triesAtLeast = name === 'UNIMPLEMENTED' ? 1 : 3;
    await expect.poll(() => toContainerd.length).toBeGreaterThanOrEqual(triesAtLeast);
    expect(toCri.length).toBe(1);
    toCri[0]!.write(ofCri('c'));
    await expect.poll(() => events).toEqual([resync, stopped('c')]);
    await stop();
    expect(toCri.length).toBe(1);
  },
);

test("containerd's own events are asked for again by themselves", async () => {
  const { events, toCri, toContainerd, exits, stop } = await read(() => {});
  await expect.poll(() => events).toEqual([resync]);
  await expect.poll(() => toContainerd.length).toBe(1);
  toContainerd[0]!.end();
  await expect.poll(() => toContainerd.length).toBe(2);
  const told: number[] = [];
  exits.onExit('c', ({ exitCode }) => told.push(exitCode));
  toContainerd[1]!.write(exitOf('c', 7));
  await expect.poll(() => told).toEqual([7]);
  await stop();
  expect([toCri.length, events]).toEqual([1, [resync]]);
});

test("CRI's events are asked for again when they end as if all were well, and with them containerd's own", async () => {
  const { events, toCri, toContainerd, stop } = await read(() => {});
  await expect.poll(() => [toCri.length, toContainerd.length]).toEqual([1, 1]);
  await expect.poll(() => events).toEqual([resync]);
  toCri[0]!.end();
  await expect.poll(() => [toCri.length, toContainerd.length]).toEqual([2, 2]);
  await expect.poll(() => events).toEqual([resync, resync]);
  toCri[1]!.write(ofCri('c'));
  await expect.poll(() => events).toEqual([resync, resync, stopped('c')]);
  await stop();
});
