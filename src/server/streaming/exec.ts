/**
 * `exec` and `attach`: joins a client's channels to a process in a container, and tells how it ended the way kubectl
 * reads it (remote command protocol v4: a Status on the error channel, the exit code as one of its causes).
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecSession, TerminalSize } from '../../../runtime/runtime.ts';
import type { Status } from '../../api/core.gen.ts';
import type { AgentView } from '../agent-view.ts';
import { badRequest, statusOf } from '../errors.ts';
import { boolParam, type UpgradeExchange } from '../http.ts';
import { findPod } from '../pod-lookup.ts';
import { runningContainer } from '../running-container.ts';
import { acceptChannels, type ChannelName, type Channels } from './channels.ts';
import { acceptSpdyChannels } from './spdy-channels.ts';
import { isSpdyUpgrade } from './spdy-upgrade.ts';

export interface StreamRequest {
  kind: 'exec' | 'attach';
  namespace: string;
  pod: string;
  /** When given, of this pod alone. */
  uid?: string;
  /** Undefined: the pod's default container. */
  container: string | undefined;
  /** Names of the parameters: the API's and the kubelet's own differ. */
  flags: { stdin: string; stdout: string; stderr: string };
  /** A connection on which nothing is said for so long is ended; 0: never. */
  idleMs: number;
}

export const apiFlags = { stdin: 'stdin', stdout: 'stdout', stderr: 'stderr' };
export const kubeletFlags = { stdin: 'input', stdout: 'output', stderr: 'error' };

/** @throws ApiError while the request can still be refused; what fails later goes to the error channel */
export async function streamProcess(
  exchange: UpgradeExchange,
  agent: AgentView,
  request: StreamRequest,
): Promise<void> {
  const { query, signal } = exchange;
  const command = query.getAll('command');
  if (request.kind === 'exec' && command.length === 0)
    throw badRequest('you must specify at least 1 command for the container');
  const stdin = boolParam(query, request.flags.stdin);
  const stdout = boolParam(query, request.flags.stdout);
  const tty = boolParam(query, 'tty');
  const stderr = boolParam(query, request.flags.stderr) && !tty;
  if (!stdin && !stdout && !stderr) throw badRequest('ask for at least one of stdin, stdout and stderr');
  const pod = findPod(agent, request.namespace, request.pod, request.uid);
  const container = await runningContainer(agent, pod, request.container);

  const names = { stdin, stdout, stderr, resize: tty };
  const wanted = (Object.keys(names) as (keyof typeof names)[]).filter((name) => names[name]);
  const channels = await accept(exchange, ['error', ...wanted], request.idleMs);
  const ended = AbortSignal.any([signal, channels.closed]);
  const sizes = terminalSizes(channels, tty);
  // Asked for before anything is waited for: the client may send its input at once.
  const input = stdin ? channels.readable('stdin') : undefined;
  // The client of a WebSocket may wait for a first message before it sends anything.
  if (!isSpdyUpgrade(exchange)) await channels.send(stdout ? 'stdout' : stderr ? 'stderr' : 'error', '');
  const initialSize = tty ? await sizes.first(ended) : undefined;
  const streams = {
    tty,
    ...(input && { stdin: input }),
    ...(stdout && { stdout: channels.writable('stdout') }),
    ...(stderr && { stderr: channels.writable('stderr') }),
    ...(initialSize && { initialSize }),
  };
  const { runtime, containerId } = container;
  let outcome: Status;
  try {
    const session = await (request.kind === 'exec'
      ? runtime.exec(containerId, { command, ...streams }, ended)
      : runtime.attach(containerId, streams, ended));
    sizes.follow(session);
    outcome = exitStatus(await session.exitCode);
  } catch (err) {
    outcome = statusOf(err);
  }
  if (channels.closed.aborted) return;
  await channels.send('error', JSON.stringify(outcome));
  channels.close();
}

const accept = (exchange: UpgradeExchange, wanted: ChannelName[], idleMs: number): Promise<Channels> =>
  isSpdyUpgrade(exchange) ? acceptSpdyChannels(exchange, wanted, idleMs) : acceptChannels(exchange, idleMs);

interface TerminalSizes {
  /** What the client says first; undefined when it has no terminal, after a moment. */
  first(signal: AbortSignal): Promise<TerminalSize | undefined>;
  /** Sizes that came before the process was there are given to it, and those that come. */
  follow(session: ExecSession): void;
}

/** A program that asks for its terminal's size at once must not find none. */
const firstSizeMs = 200;

function terminalSizes(channels: Channels, hasTerminal: boolean): TerminalSizes {
  let session: ExecSession | undefined;
  let last: TerminalSize | undefined;
  const known = new AbortController();
  const take = (payload: Buffer): void => {
    last = parseSize(payload) ?? last;
    known.abort();
    if (last) session?.resize(last);
  };
  if (hasTerminal) channels.onMessage('resize', take);
  return {
    first: async (signal) => {
      // However the wait ends, what is known then is the answer.
      await sleep(firstSizeMs, undefined, { signal: AbortSignal.any([signal, known.signal]) }).catch(
        () => undefined,
      );
      return last;
    },
    follow: (started) => {
      session = started;
      if (last) session.resize(last);
    },
  };
}

/** Undefined when it is not a size: a client that sends nonsense keeps the size it has. */
function parseSize(payload: Buffer): TerminalSize | undefined {
  try {
    const { Width: columns, Height: rows } = JSON.parse(payload.toString('utf8')) as {
      Width?: unknown;
      Height?: unknown;
    };
    const isSize = (value: unknown): value is number =>
      Number.isInteger(value) && Number(value) > 0 && Number(value) < 65536;
    return isSize(columns) && isSize(rows) ? { columns, rows } : undefined;
  } catch {
    return undefined;
  }
}

function exitStatus(exitCode: number): Status {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}
