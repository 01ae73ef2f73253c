/**
 * What the contract suite needs of a transport under test, and what its cases share. Cases speak only the port: nothing in
 * them knows which transport it is, but by the capabilities that it declares itself.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import type { DiscoveryOptions, RosTransport } from '../transport.ts';
import { fastDdsLease } from './fastdds-lease.ts';
import type { PeerCommand, PeerMessage, PeerResult, Received } from './peer.ts';
import { subjectOf } from './subjects.ts';

export interface Bench {
  /** Another participant in this process; closed after the case. */
  open(overrides?: Partial<DiscoveryOptions>): RosTransport;
  /** Another process with a participant; ended after the case. */
  peer(overrides?: Partial<DiscoveryOptions>): Promise<Peer>;
  /** Another process with a node `/passer_by` that finds a node of that name and leaves; meanwhile this process does nothing. */
  passBy(found: string): void;
}

/** A node `/peer` in another process. */
export interface Peer {
  readonly pid: number;
  run<C extends PeerCommand>(command: C): Promise<PeerResult<C>>;
  /** What its subscriptions got, in order. */
  readonly received: readonly Received[];
  signal(signal: NodeJS.Signals): void;
  /** With SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Long enough for a machine that is busy with other things; nothing waits longer than it must. */
const limitMs = 30_000;

export function useBench(name: string): Bench {
  const subject = subjectOf(name);
  const { domainId } = subject;
  // Of this run alone: what else uses the domain is neither seen nor disturbed.
  const tag = randomUUID();
  const discoveryOf = (overrides: Partial<DiscoveryOptions> = {}): DiscoveryOptions => ({
    domainId,
    range: 'localhost',
    staticPeers: [],
    vendorConfig: `<CycloneDDS><Domain><Discovery><Tag>${tag}</Tag></Discovery></Domain></CycloneDDS>`,
    ...overrides,
  });
  const transports: RosTransport[] = [];
  const peers: Peer[] = [];

  beforeEach((context) => {
    if (subject.unavailable !== undefined) context.skip(subject.unavailable);
  });
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.kill()));
    await Promise.all(transports.splice(0).map((transport) => transport.close()));
  });

  return {
    open: (overrides) => {
      const transport = subject.open(discoveryOf(overrides));
      transports.push(transport);
      return transport;
    },
    peer: async (overrides) => {
      const peer = await startPeer(name, discoveryOf(overrides));
      peers.push(peer);
      return peer;
    },
    passBy(found) {
      const args = [join(import.meta.dirname, 'passer-by.ts'), name, JSON.stringify(discoveryOf()), found];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: limitMs });
      if (status !== 0) throw new Error(`the passer-by failed: ${stderr}`);
    },
  };
}

/** Waits until `probe` neither throws nor returns undefined or false. */
export function until<T>(probe: () => T | undefined | false): Promise<T> {
  return vi.waitFor(
    () => {
      const value = probe();
      if (value === undefined || value === false) throw new Error(`not yet: ${probe}`);
      return value;
    },
    { timeout: limitMs, interval: 10 },
  );
}

async function startPeer(subject: string, discovery: DiscoveryOptions): Promise<Peer> {
  const lease = fastDdsLease(discovery.participantLeaseMs);
  const child = fork(join(import.meta.dirname, 'peer.ts'), [subject, JSON.stringify(discovery)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: { ...process.env, ...lease.env },
  });
  const received: Received[] = [];
  const calls = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<void>();
  const onMessage = (message: PeerMessage) => {
    if (message.kind === 'ready') ready.resolve();
    else if (message.kind === 'received') received.push(message.received);
    else if (message.error === undefined) calls.get(message.id)?.resolve(message.result);
    else calls.get(message.id)?.reject(new Error(message.error));
  };
  child.on('message', onMessage);
  child.once('exit', (code, signal) => {
    lease.remove();
    const error = new Error(`the peer ended (${code ?? signal})`);
    ready.reject(error);
    for (const call of calls.values()) call.reject(error);
  });
  await ready.promise;
  return {
    pid: child.pid!,
    received,
    run: <C extends PeerCommand>(command: C) => {
      const id = calls.size;
      const call = Promise.withResolvers<unknown>();
      calls.set(id, call);
      child.send({ id, command });
      return call.promise as Promise<PeerResult<C>>;
    },
    signal: (signal) => void child.kill(signal),
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
