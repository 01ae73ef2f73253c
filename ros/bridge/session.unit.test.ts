import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import { testPod } from '../../src/pods/testing.ts';
import type { BridgeAgent, BridgedPod } from '../agent-port.ts';
import type { RosNode, RosTransport } from '../transport.ts';
import { startSession } from './session.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const none = () => undefined;

/** One that has a reader of everything, and fails once it is closed, as the real ones do. */
function listenedTo() {
  let isClosed = false;
  const publish = vi.fn((_message: unknown) => {
    if (isClosed) throw new Error('the transport is closed');
  });
  const endpoint = { publish, close: none, subscriptions: 1 };
  const node = {
    createPublisher: () => endpoint,
    createService: () => endpoint,
    createClient: () => endpoint,
    createSubscription: () => endpoint,
    close: none,
  } as unknown as RosNode;
  const transport: Partial<RosTransport> = {
    description: 'a test',
    domainId: 0,
    createNode: () => node,
    close: async () => {
      isClosed = true;
    },
  };
  return { transport: transport as RosTransport, publish };
}

function agentWith(over: Partial<BridgeAgent>): BridgeAgent {
  const agent: Partial<BridgeAgent> = {
    nodeName: 'robot',
    version: '1',
    isClusterNode: false,
    startedAtMs: 0,
    node: () => ({}),
    pods: () => [],
    events: () => [],
    configuration: () => ({}),
    measure: async () => undefined,
    measureMachine: async () => undefined,
    onNodeChange: () => none,
    onPodChange: () => none,
    onEvent: () => none,
    onLog: () => none,
    onPodLog: () => none,
    ...over,
  };
  return agent as BridgeAgent;
}

it('that is closed while something is measured for it tells nothing of that, and harms nobody', async () => {
  const measured = Promise.withResolvers<void>();
  const agent = agentWith({ measure: () => measured.promise });
  const { transport, publish } = listenedTo();
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const session = startSession({
    transport,
    agent,
    robot: 'r2',
    access: 'all',
    diagnosticsPeriodMs: 1000,
    log: silentLogger(),
  });
  vi.advanceTimersByTime(1000);
  await session.close();
  const told = publish.mock.calls.length;
  measured.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
  expect(publish).toHaveBeenCalledTimes(told);
});

it('tells of the others when one of the pods that changed cannot be told', async () => {
  const bridged = (uid: string): BridgedPod => ({
    pod: testPod({}, { uid, name: uid }),
    runtime: 'process',
    lifecycle: { state: 'active', hasFailed: false, isHeldBack: false, waitsFor: [] },
    usage: {},
    probes: [],
    isStale: false,
  });
  const broken = Object.defineProperty(bridged('broken'), 'usage', {
    get: () => {
      throw new Error('no number');
    },
  });
  const pods = [broken, bridged('b'), bridged('c')];
  const changed = new Set<(uid: string) => void>();
  const agent = agentWith({
    pods: () => [...pods],
    pod: (uid) => pods.find(({ pod }) => pod.metadata?.uid === uid),
    onPodChange: (listener) => {
      changed.add(listener);
      return none;
    },
  });
  const { transport, publish } = listenedTo();
  const session = startSession({
    transport,
    agent,
    robot: 'r2',
    access: 'all',
    diagnosticsPeriodMs: 0,
    log: silentLogger(),
  });
  for (let round = 0; round < 2; round += 1) {
    expect(publish).toHaveBeenCalledWith(expect.objectContaining({ uid: 'b' }));
    expect(publish).toHaveBeenCalledWith(expect.objectContaining({ uid: 'c' }));
    const listed = [expect.objectContaining({ uid: 'b' }), expect.objectContaining({ uid: 'c' })];
    expect(publish).toHaveBeenCalledWith(expect.objectContaining({ pods: listed }));
    publish.mockClear();
    for (const { pod } of pods) for (const tell of changed) tell(pod.metadata?.uid ?? '');
    // The first at once, and what came right behind it.
    vi.advanceTimersByTime(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await session.close();
});
