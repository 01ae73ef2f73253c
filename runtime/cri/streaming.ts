/**
 * Exec, attach and port-forward: CRI answers with the URL of the runtime's streaming server, and the streams run there
 * over SPDY/3.1 by Kubernetes' remote command protocol (v4.channel.k8s.io) and port-forward protocol.
 */
import { Duplex, Readable, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import {
  type AttachOptions,
  type ExecSession,
  type PortForwardSession,
  RuntimeError,
  type TerminalSize,
} from '../runtime.ts';
import { cancelled } from './errors.ts';
import { type SpdySession, spdySession } from './spdy.ts';

/** Which streams the runtime is asked for; the two ends must agree. It refuses to be asked for none. */
export function wantedStreams(options: AttachOptions): { stdin: boolean; stdout: boolean; stderr: boolean } {
  return {
    stdin: options.stdin !== undefined,
    stdout: true,
    stderr: options.stderr !== undefined && !options.tty,
  };
}

/** One command, or an attachment: both speak the same protocol. */
export async function streamCommand(
  url: string,
  options: AttachOptions,
  signal: AbortSignal | undefined,
): Promise<ExecSession> {
  const session = await upgrade(url, 'v4.channel.k8s.io', signal);
  const onAbort = () => session.abort(cancelled('the stream', signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });

  const status = session.open({ streamtype: 'error' });
  const wanted = wantedStreams(options);
  const stdin = wanted.stdin ? session.open({ streamtype: 'stdin' }) : undefined;
  const outputs = [
    write(session.open({ streamtype: 'stdout' }), options.stdout),
    wanted.stderr && write(session.open({ streamtype: 'stderr' }), options.stderr),
  ];
  const resize = options.tty ? session.open({ streamtype: 'resize' }) : undefined;
  const setSize = ({ columns, rows }: TerminalSize) => {
    resize?.write(JSON.stringify({ Width: columns, Height: rows }));
  };
  if (options.initialSize) setSize(options.initialSize);
  const detachStdin = stdin && options.stdin ? feed(options.stdin, stdin) : () => {};

  const run = async () => {
    try {
      // The status is sent after all output: with it everything is here, whatever becomes of the connection.
      const answer = commandStatus(status).then((known) => {
        session.close();
        return known;
      });
      await Promise.all([answer, ...outputs]);
      return exitCode(await answer);
    } catch (error) {
      if (signal?.aborted) throw cancelled('the command', signal.reason);
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError('Unknown', `the command's streams broke off: ${String(error)}`, {
        cause: error,
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
      detachStdin();
      session.close();
    }
  };
  const exit = run();
  exit.catch(() => {}); // Whoever wants to know awaits it, be it after it has failed.
  return { resize: setSize, exitCode: exit };
}

export async function streamPort(
  url: string,
  port: number,
  signal: AbortSignal | undefined,
): Promise<PortForwardSession> {
  const session = await upgrade(url, 'portforward.k8s.io', signal);
  const onAbort = () => session.abort(cancelled('the stream', signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  const headers = { port: String(port), requestid: '0' };
  const failure = session.open({ ...headers, streamtype: 'error' });
  failure.end();
  const data = session.open({ ...headers, streamtype: 'data' });
  const stream = Duplex.from({ readable: Readable.from(forwarded(data, failure, port)), writable: data });
  finished(stream)
    .catch(() => {}) // The user of the stream sees its error there.
    .finally(() => {
      signal?.removeEventListener('abort', onAbort);
      session.close();
    });
  return { stream };
}

/** What comes back, and after it why nothing did. */
async function* forwarded(data: Readable, failure: Readable, port: number): AsyncIterable<Buffer> {
  yield* data;
  const message = await text(failure);
  if (message !== '') throw new RuntimeError('Unknown', `port ${port}: ${message.trim()}`);
}

/** Output that nobody wants is read nevertheless: the command would wait. */
const write = (output: Readable, target: Writable | undefined): Promise<void> =>
  target ? pipeline(output, target, { end: false }) : finished(output.resume(), { writable: false });

/** Passes input on until either end is through, and leaves the source as it is. Returns how to stop early. */
function feed(source: NodeJS.ReadableStream, stdin: Duplex): () => void {
  const endInput = () => stdin.end();
  source.pipe(stdin);
  source.once('error', endInput);
  source.once('close', endInput);
  return () => {
    source.unpipe(stdin);
    source.off('error', endInput);
    source.off('close', endInput);
  };
}

function upgrade(url: string, protocol: string, signal: AbortSignal | undefined): Promise<SpdySession> {
  return new Promise((resolve, reject) => {
    const secure = url.startsWith('https:');
    // Not imported: to import node:http costs 13 MB (all its exports are touched, a whole fetch client among them).
    const client = process.getBuiltinModule(secure ? 'node:https' : 'node:http');
    const request = client.request(url, {
      method: 'POST',
      signal,
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol },
      agent: false,
      // The URL with its one-time token came over the runtime's own socket; its certificate is self-signed.
      ...(secure ? { rejectUnauthorized: false } : {}),
    });
    request.on('upgrade', (_response, socket, head) => resolve(spdySession(socket, head)));
    request.on('response', (response) => {
      text(response).then((body) => {
        reject(
          new RuntimeError(
            'Unknown',
            `the runtime's streaming server refused (${response.statusCode}): ${body.trim()}`,
          ),
        );
      }, reject);
    });
    request.on('error', (error) => {
      if (signal?.aborted) reject(cancelled('the stream', signal.reason));
      else
        reject(
          new RuntimeError(
            'Unavailable',
            `the runtime's streaming server does not answer at ${new URL(url).origin}: ${error.message}`,
            {
              cause: error,
            },
          ),
        );
    });
    request.end();
  });
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

interface CommandStatus {
  status?: string;
  reason?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/** The one metav1.Status on the error stream, as soon as it is complete. */
async function commandStatus(stream: Readable): Promise<CommandStatus> {
  let received = '';
  for await (const chunk of stream) {
    received += String(chunk);
    if (isJson(received)) return JSON.parse(received) as CommandStatus;
  }
  throw new RuntimeError('Unknown', `the runtime ended the streams without an exit code: ${received}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export function exitCode(status: CommandStatus): number {
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  const code = Number(cause?.message);
  if (status.reason === 'NonZeroExitCode' && Number.isInteger(code)) return code;
  throw new RuntimeError('Unknown', status.message ?? `the command failed: ${JSON.stringify(status)}`);
}
