/**
 * Probes by the gRPC health checking protocol (grpc.health.v1.Health/Check), without TLS as in the kubelet. One small
 * unary call straight on HTTP/2: a whole gRPC client for each attempt would cost more than all other probes.
 */
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { apiRelease, type GRPCAction } from '../api/core.gen.ts';
import { startDeadline } from './deadline.ts';
import { networkErrorText } from './network-error.ts';
import type { AttemptOptions, ProbeOutcome } from './outcome.ts';
import { hostAndPort, targetHost } from './port.ts';

export async function probeGrpc(
  action: GRPCAction,
  { podIp }: { podIp: string },
  { timeoutMs, signal }: AttemptOptions,
): Promise<ProbeOutcome> {
  const host = targetHost(undefined, podIp);
  const address = hostAndPort(host, action.port);
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    let connected = false;
    // Loaded with the first gRPC probe: it costs 10 MB.
    const { connect } = process.getBuiltinModule('node:http2');
    const session = connect(`http://${address}`, {
      createConnection: () => connectTcp({ host, port: action.port }),
    });
    const finish = () => {
      deadline.clear();
      signal.removeEventListener('abort', abort);
      session.destroy();
    };
    const fail = (output: string, more: Pick<ProbeOutcome, 'timedOut'> = {}) => {
      finish();
      resolve({ result: 'failure', output, ...more });
    };
    const deadline = startDeadline(timeoutMs, () => {
      const within = `${timeoutMs / 1000}s`;
      fail(
        connected
          ? `timeout: health rpc did not complete within ${within}`
          : `timeout: failed to connect service "${address}" within ${within}: context deadline exceeded`,
        { timedOut: true },
      );
    });
    const abort = () => {
      finish();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const failToConnect = (text: string) => fail(`error: failed to connect service at "${address}": ${text}`);
    session.on('error', (error) => failToConnect(networkErrorText(error, address)));
    session.once('close', () => failToConnect('the connection was closed'));
    // The server's settings are the first sign that it speaks HTTP/2 at all.
    session.once('remoteSettings', () => {
      connected = true;
    });
    check(session, action.service ?? '', (answer) => {
      finish();
      resolve(judge(answer));
    });
  });
}

interface RpcAnswer {
  grpcStatus: number;
  grpcMessage: string;
  message: Buffer;
}

const statusOk = 0;
const statusUnknown = 2;
const statusUnimplemented = 12;
/** The names of HealthCheckResponse.ServingStatus. */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const serving = 1;

/** Calls back once; says nothing when the session breaks, which the session tells itself. */
function check(session: ClientHttp2Session, service: string, done: (answer: RpcAnswer) => void): void {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': `kube-probe/${apiRelease}`,
  });
  const chunks: Buffer[] = [];
  let headers: IncomingHttpHeaders = {};
  const keep = (more: IncomingHttpHeaders) => {
    headers = { ...headers, ...more };
  };
  stream.on('response', keep);
  stream.on('trailers', keep);
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.once('end', () => done(rpcAnswer(headers, Buffer.concat(chunks))));
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_HTTP2_STREAM_CANCEL') return;
    done({ grpcStatus: statusUnknown, grpcMessage: error.message, message: Buffer.alloc(0) });
  });
  stream.end(frame(healthCheckRequest(service)));
}

/** A status is missing where something that is no gRPC server answered. */
function rpcAnswer(headers: IncomingHttpHeaders, body: Buffer): RpcAnswer {
  const status = headers['grpc-status'];
  if (status === undefined) {
    const grpcMessage = `unexpected HTTP status code received from server: ${headers[':status'] ?? 'none'}`;
    return { grpcStatus: statusUnknown, grpcMessage, message: Buffer.alloc(0) };
  }
  return {
    grpcStatus: Number(status),
    grpcMessage: decodeMessage(String(headers['grpc-message'] ?? '')),
    message: body.subarray(frameHeaderBytes),
  };
}

function judge({ grpcStatus, grpcMessage, message }: RpcAnswer): ProbeOutcome {
  if (grpcStatus === statusUnimplemented) {
    const text = 'this server does not implement the grpc health protocol (grpc.health.v1.Health)';
    return { result: 'failure', output: `error: ${text}: ${grpcMessage}` };
  }
  if (grpcStatus !== statusOk) {
    const output = `error: health rpc probe failed: rpc error: code = ${grpcStatus} desc = ${grpcMessage}`;
    return { result: 'failure', output };
  }
  const status = servingStatus(message);
  if (status === serving) return { result: 'success', output: 'service healthy' };
  const name = servingStatuses[status] ?? String(status);
  return { result: 'failure', output: `service unhealthy (responded with "${name}")` };
}

const frameHeaderBytes = 5;

/** A message on a gRPC stream: not compressed, with its length before it. */
function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Field 1, a string. */
function healthCheckRequest(service: string): Buffer {
  const text = Buffer.from(service, 'utf8');
  if (text.length === 0) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([0x0a, ...varint(text.length)]), text]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Field 1, an enum of values below 128; a default value is not sent. */
const servingStatus = (message: Buffer): number => (message[0] === 0x08 ? (message[1] ?? 0) : 0);

/** `grpc-message` is percent-encoded; what is not is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
