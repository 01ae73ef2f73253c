/** The small pure decisions: errors, versions, delays, answers of runtimes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { containerdEvent } from './containerd-events.ts';
import { decodeContainerStatus } from './decode.ts';
import { runtimeError } from './errors.ts';
import { hasSharedEvents, reconnectDelayMs } from './events.ts';
import { knownExits } from './exits.ts';
import * as events from './gen/containerd-events.ts';
import * as cri from './gen/runtime.ts';
import { lateDetails } from './grpc/call.ts';
import { handlerNames } from './status.ts';
import { exitCode, wantedStreams } from './streaming.ts';

const endpoint = 'unix:///run/test.sock';

test.each([
  [1, 'Cancelled'],
  [2, 'Unknown'],
  [3, 'InvalidArgument'],
  [4, 'DeadlineExceeded'],
  [5, 'NotFound'],
  [6, 'AlreadyExists'],
  [8, 'ResourceExhausted'],
  [9, 'FailedPrecondition'],
  [12, 'Unimplemented'],
  [13, 'Unknown'],
  [14, 'Unavailable'],
])('gRPC status %i is %s', (code, name) => {
  expect(runtimeError({ code, details: 'why' }, 'Version', endpoint).code).toBe(name);
});

test.each([
  {
    code: 5,
    details: 'rpc error: code = NotFound desc = an error: rpc error: code = Unknown desc = no such thing',
    message: 'an error: no such thing',
  },
  {
    code: 14,
    details: 'connect ENOENT /run/test.sock',
    message: `The container runtime at ${endpoint} does not answer ListImages: connect ENOENT /run/test.sock`,
  },
  {
    code: 4,
    details: lateDetails,
    message: `The container runtime at ${endpoint} did not answer ListImages in time`,
  },
  { code: 4, details: 'timeout 1s exceeded', message: 'timeout 1s exceeded' },
  { code: 2, details: '', message: 'ListImages failed' },
])('an error reads: $message', ({ code, details, message }) => {
  expect(runtimeError({ code, details }, 'ListImages', endpoint).message).toBe(message);
});

test.each([
  ['containerd', '1.6.20~ds1', true],
  ['containerd', 'v1.7.24', true],
  ['containerd', '2.1.9', false],
  ['containerd', 'v2.0.0', false],
  ['containerd', '10.0.0', false],
  ['cri-o', '1.34.0', false],
])('%s %s shares its events between subscribers: %s', (runtimeName, runtimeVersion, shared) => {
  expect(hasSharedEvents({ runtimeName, runtimeVersion, runtimeApiVersion: 'v1' })).toBe(shared);
});

test('reconnecting waits at least 25 ms and at most half a second, longer with every failure', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.nat(1000), random, (failures, chance) => {
      const delay = reconnectDelayMs(failures, chance);
      expect(delay).toBeGreaterThanOrEqual(25);
      expect(delay).toBeLessThanOrEqual(500);
      expect(reconnectDelayMs(failures + 1, chance)).toBeGreaterThanOrEqual(delay);
    }),
  );
});

const envelope = (topic: string, bytes: Uint8Array): events.Envelope => ({
  namespace: 'k8s.io',
  topic,
  event: { typeUrl: '', value: Buffer.from(bytes) },
});

test.each([
  ['/containers/create', events.ContainerCreate.encode({ id: 'c' }).finish(), { type: 'created', id: 'c' }],
  ['/containers/delete', events.ContainerDelete.encode({ id: 'c' }).finish(), { type: 'deleted', id: 'c' }],
  ['/tasks/start', events.TaskStart.encode({ containerId: 'c' }).finish(), { type: 'started', id: 'c' }],
  ['/tasks/oom', events.TaskOOM.encode({ containerId: 'c' }).finish(), { type: 'oom', id: 'c' }],
  [
    '/tasks/exit',
    events.TaskExit.encode({ containerId: 'c', id: 'c', exitStatus: 7 }).finish(),
    { type: 'stopped', id: 'c', exitCode: 7 },
  ],
  [
    '/tasks/exit',
    events.TaskExit.encode({ containerId: 'c', id: 'exec1', exitStatus: 0 }).finish(),
    undefined,
  ],
  ['/snapshot/prepare', new Uint8Array(), undefined],
])("containerd's %s is understood", (topic, bytes, expected) => {
  expect(containerdEvent(envelope(topic, bytes))).toEqual(expected);
});

test.each([
  ['an end that it lost', { exitCode: 255, reason: 'Unknown' }, { exitCode: 0, reason: 'Completed' }],
  ['a failure of the container itself', { exitCode: 255, reason: 'Error' }, {}],
  ['a start that failed', { exitCode: 128, reason: 'StartError' }, {}],
  ['a container that runs', { state: cri.ContainerState.CONTAINER_RUNNING }, {}],
])('an event tells how it ended where containerd tells of %s', (_, told, corrected) => {
  const exits = knownExits();
  const state = cri.ContainerState.CONTAINER_EXITED;
  const nothing = cri.ContainerStatus.decode(Buffer.alloc(0));
  const status = decodeContainerStatus({ ...nothing, id: 'c', state, startedAt: 1n, ...told }, 's');
  expect(exits.fill(status)).toEqual(status);
  exits.note('c', 0);
  expect(exits.fill(status)).toEqual({ ...status, ...corrected });
});

test('whoever waits for an end is told of it by its event, once and no longer than it waits', () => {
  const exits = knownExits();
  const told: unknown[] = [];
  const forget = exits.onExit('c', ({ exitCode }) => told.push(exitCode));
  const forgetOther = exits.onExit('c', ({ exitCode }) => told.push(`other ${exitCode}`));
  exits.note('d', 1);
  forgetOther();
  exits.note('c', 7);
  forget();
  exits.note('c', 7);
  expect(told).toEqual([7]);
});

test('an event tells that memory ran out where containerd lost the end', () => {
  const exits = knownExits();
  const state = cri.ContainerState.CONTAINER_EXITED;
  const nothing = cri.ContainerStatus.decode(Buffer.alloc(0));
  const lost = { ...nothing, id: 'c', state, startedAt: 1n, exitCode: 255, reason: 'Unknown' };
  const status = decodeContainerStatus(lost, 's');
  exits.noteOom('c');
  expect(exits.fill(status)).toEqual(status);
  exits.note('c', 137);
  expect(exits.fill(status)).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
});

test('an event tells that memory ran out before containerd shows it', () => {
  const exits = knownExits();
  const state = cri.ContainerState.CONTAINER_EXITED;
  const nothing = cri.ContainerStatus.decode(Buffer.alloc(0));
  const shown = { ...nothing, id: 'c', state, startedAt: 1n, exitCode: 137, reason: 'Error' };
  const status = decodeContainerStatus(shown, 's');
  exits.note('c', 137);
  exits.noteOom('c');
  expect(exits.fill(status)).toEqual({ ...status, reason: 'OOMKilled' });
});

test.each([
  [undefined, []],
  ['{}', []],
  ['{"containerd":{"runtimes":null}}', []],
  ['{"containerd":{"runtimes":{"runc":{},"kata":{}}}}', ['runc', 'kata']],
])('handlers in the configuration %s', (config, names) => expect(handlerNames(config)).toEqual(names));

test('the status of a command is its exit code, or an error that says why', () => {
  const failed = (code: string) => ({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: code }] },
  });
  expect(exitCode({ status: 'Success' })).toBe(0);
  expect(exitCode(failed('137'))).toBe(137);
  expect(() => exitCode({ status: 'Failure', message: 'no such program' })).toThrow('no such program');
  expect(() => exitCode(failed('many'))).toThrow(/the command failed/);
});

test('output is always asked for, errors only apart from a terminal', () => {
  const { stdin, stdout, stderr } = process;
  expect(wantedStreams({ tty: false })).toEqual({ stdin: false, stdout: true, stderr: false });
  expect(wantedStreams({ tty: false, stdin, stdout, stderr })).toEqual({
    stdin: true,
    stdout: true,
    stderr: true,
  });
  expect(wantedStreams({ tty: true, stdin, stdout, stderr })).toEqual({
    stdin: true,
    stdout: true,
    stderr: false,
  });
});

test.each([
  [0n, 'CONTAINER_CREATED'],
  [1_790_000_000_000_000_000n, 'CONTAINER_EXITED'],
])('a container that ended nobody knows how, started at %i, is %s', (startedAt, state) => {
  const status = {
    ...cri.ContainerStatus.decode(Buffer.alloc(0)),
    state: cri.ContainerState.CONTAINER_EXITED,
    reason: 'Unknown',
    exitCode: 255,
    startedAt,
    finishedAt: 1_790_000_000_000_000_000n,
  };
  expect(decodeContainerStatus(status, 'sandbox').state).toBe(state);
});

test.each([
  ['failed to create containerd task: task 2bf2527f: already exists', 'CONTAINER_CREATED'],
  [
    'failed to create containerd task: exec: "nonsense": executable file not found in $PATH',
    'CONTAINER_EXITED',
  ],
])('a container whose start failed with %j is %s', (message, state) => {
  const status = {
    ...cri.ContainerStatus.decode(Buffer.alloc(0)),
    state: cri.ContainerState.CONTAINER_EXITED,
    reason: 'StartError',
    exitCode: 128,
    finishedAt: 1_790_000_000_000_000_000n,
    message,
  };
  expect(decodeContainerStatus(status, 'sandbox').state).toBe(state);
});
