/** This terminal joined to a process in a container: `exec` and `attach` over the socket's WebSocket channels. */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type RawData, WebSocket } from 'ws';
import type { Status } from '../api/core.gen.ts';
import { refusal } from './client.ts';
import { CliError, connectError } from './errors.ts';

export interface ProcessStreamOptions {
  socketPath: string;
  /** Of the exec or attach subresource, with its parameters. */
  path: string;
  stdin: boolean;
  tty: boolean;
}

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** More that waits to be sent makes the input wait. */
const maxUnsentBytes = 1024 * 1024;

/** Returns the exit code of the process. */
export async function joinProcess(o: ProcessStreamOptions, signal: AbortSignal): Promise<number> {
  const socket = new WebSocket(`ws://localhost${o.path}`, ['v5.channel.k8s.io'], {
    createConnection: () => connect(o.socketPath),
    perMessageDeflate: false,
  });
  signal.addEventListener('abort', () => socket.terminate(), { once: true });
  const outcome = receive(socket, o.socketPath);
  socket.once('open', () => {
    if (o.stdin) sendInput(socket);
    if (o.tty) sendSizes(socket);
  });
  const isRaw = o.tty && o.stdin && process.stdin.isTTY;
  if (isRaw) process.stdin.setRawMode(true);
  try {
    return exitCodeOf(await outcome);
  } finally {
    if (isRaw) process.stdin.setRawMode(false);
    // What the user typed and nobody read must not keep this process.
    process.stdin.unref?.();
    process.stdin.pause();
    process.stdout.removeAllListeners('resize');
  }
}

/** Writes the output, and settles with the Status of the error channel when the connection ends. */
function receive(socket: WebSocket, socketPath: string): Promise<Status> {
  return new Promise((resolve, reject) => {
    let status: Status | undefined;
    socket.on('message', (data: RawData) => {
      const message = Buffer.isBuffer(data)
        ? data
        : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
      const payload = message.subarray(1);
      if (message[0] === channel.error && payload.length > 0)
        status = JSON.parse(payload.toString()) as Status;
      if (message[0] === channel.stdout) show(socket, process.stdout, payload);
      if (message[0] === channel.stderr) show(socket, process.stderr, payload);
    });
    socket.once('unexpected-response', (_request, response: IncomingMessage) => {
      text(response).then((body) => reject(refusal(body, response.statusCode ?? 500)), reject);
    });
    socket.once('error', (err) => reject(connectError(socketPath, err)));
    socket.once('close', () => {
      if (status) resolve(status);
      else reject(new CliError('the connection to the agent broke before the command ended'));
    });
  });
}

function show(socket: WebSocket, stream: NodeJS.WriteStream, payload: Buffer): void {
  if (payload.length === 0 || stream.write(payload)) return;
  socket.pause();
  stream.once('drain', () => socket.resume());
}

function sendInput(socket: WebSocket): void {
  const { stdin } = process;
  stdin.on('data', (chunk: Buffer) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(Buffer.concat([Buffer.from([channel.stdin]), chunk]), () => {
      if (stdin.isPaused() && socket.bufferedAmount < maxUnsentBytes) stdin.resume();
    });
    if (socket.bufferedAmount >= maxUnsentBytes) stdin.pause();
  });
  stdin.once('end', () => {
    if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.from([channel.close, channel.stdin]));
  });
}

function sendSizes(socket: WebSocket): void {
  const send = (): void => {
    const { columns: Width, rows: Height } = process.stdout;
    if (!Width || !Height || socket.readyState !== WebSocket.OPEN) return;
    const size = Buffer.from(JSON.stringify({ Width, Height }));
    socket.send(Buffer.concat([Buffer.from([channel.resize]), size]));
  };
  send();
  process.stdout.on('resize', send);
}

function exitCodeOf(status: Status): number {
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
  if (code !== undefined) return Number(code);
  throw new CliError(status.message ?? 'the command failed');
}
