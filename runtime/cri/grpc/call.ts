/**
 * Calls of gRPC with one request (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): messages with their length
 * before them, a time limit, and a status at the end.
 */
import { longestTimerMs } from '../../../src/timers.ts';
import { errorCodes } from './frames.ts';
import { encodeFields, type Fields } from './hpack.ts';
import type { Http2Client, StreamError } from './http2.ts';

export interface Method<Request, Response> {
  readonly path: string;
  /** What each call of it begins with. */
  readonly fields: Buffer;
  readonly encode: (request: Request) => Uint8Array;
  readonly decode: (bytes: Buffer) => Response;
}

export interface GrpcStatus {
  code: number;
  details: string;
}

export class GrpcError extends Error implements GrpcStatus {
  readonly code: number;
  readonly details: string;

  constructor({ code, details }: GrpcStatus) {
    super(`${code}: ${details}`);
    this.name = 'GrpcError';
    this.code = code;
    this.details = details;
  }
}

export interface GrpcCall<Answer> {
  /** @throws GrpcError */
  readonly answer: Promise<Answer>;
  /** Takes the call back. */
  readonly cancel: () => void;
}

export const statusCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Two streams of 16 MiB and what surrounds them: the largest ExecSync answer. */
const maxMessageBytes = 48 * 1024 * 1024;

/** When nothing came in time; a server that tells of a limit of its own has other words. */
export const lateDetails = 'nothing came in the time given';

export const callFields = (path: string): Buffer =>
  encodeFields([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]);

/** @param timeoutMs undefined: as long as it takes */
export function unaryCall<Request, Response>(
  client: Http2Client,
  method: Method<Request, Response>,
  request: Request,
  timeoutMs: number | undefined,
): GrpcCall<Response> {
  const answers: Response[] = [];
  const { answer, cancel } = streamCall(client, method, request, timeoutMs, (message) =>
    answers.push(message),
  );
  return {
    cancel,
    answer: answer.then(() => {
      if (answers.length === 1) return answers[0]!;
      throw new GrpcError({
        code: statusCodes.internal,
        details: `${answers.length} answers instead of one`,
      });
    }),
  };
}

/** Is answered when the server has ended it. */
export function streamCall<Request, Response>(
  client: Http2Client,
  method: Method<Request, Response>,
  request: Request,
  timeoutMs: number | undefined,
  onMessage: (message: Response) => void,
): GrpcCall<void> {
  // First, as it may fail: nothing is begun then.
  const body = message(method.encode(request));
  const { promise: answer, resolve, reject } = Promise.withResolvers<void>();
  const until = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => stop(late), Math.min(timeoutMs, longestTimerMs));
  let fields: Fields | undefined;
  let trailers: Fields | undefined;

  const settle = (status: GrpcStatus) => {
    clearTimeout(timer);
    if (status.code === statusCodes.ok) resolve();
    else reject(new GrpcError(status));
  };
  const stop = (status: GrpcStatus) => {
    takeBack();
    settle(status);
  };
  const read = messageReader((bytes) => onMessage(method.decode(bytes)));
  const takeBack = client.request(
    until === undefined ? method.fields : Buffer.concat([method.fields, timeoutField(timeoutMs!)]),
    body,
    {
      onFields(more) {
        if (fields === undefined) fields = more;
        else trailers = more;
      },
      onData(data) {
        // What something else than gRPC says is of no interest.
        if (fields?.get(':status') !== '200') return;
        try {
          read(data);
        } catch (error) {
          stop(
            error instanceof MessageError
              ? error.status
              : { code: statusCodes.internal, details: `the answer cannot be read: ${String(error)}` },
          );
        }
      },
      onEnd(error) {
        const status = statusOf(trailers ?? fields, fields) ?? statusOfEnd(error);
        const isLate = until !== undefined && performance.now() > until - lateSlackMs;
        // The server knows the limit too, and may drop the call a moment before our own timer ends it.
        settle(status.code === statusCodes.cancelled && isLate ? late : status);
      },
    },
  );
  return { answer, cancel: () => stop({ code: statusCodes.cancelled, details: 'the call was taken back' }) };
}

const late: GrpcStatus = { code: statusCodes.deadlineExceeded, details: lateDetails };
const lateSlackMs = 20;

/** At most eight digits, of the finest unit in which they do. */
function timeoutField(timeoutMs: number): Buffer {
  const ms = Math.ceil(timeoutMs);
  return encodeFields([
    ['grpc-timeout', ms < 1e8 ? `${ms}m` : `${Math.min(Math.ceil(ms / 1000), 1e8 - 1)}S`],
  ]);
}

/** Whether it is compressed, and its length. */
const prefixBytes = 5;

function message(body: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(prefixBytes + body.length);
  whole[0] = 0;
  whole.writeUInt32BE(body.length, 1);
  whole.set(body, prefixBytes);
  return whole;
}

class MessageError extends Error {
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus) {
    super(status.details);
    this.status = status;
  }
}

/** Puts messages together that come in pieces. */
function messageReader(onMessage: (bytes: Buffer) => void): (data: Buffer) => void {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let wanted = prefixBytes;
  return (data) => {
    pieces.push(data);
    bytes += data.length;
    while (bytes >= wanted) {
      const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes);
      const length = messageLength(whole);
      wanted = prefixBytes + length;
      pieces = [whole];
      if (bytes < wanted) return;
      onMessage(whole.subarray(prefixBytes, wanted));
      bytes -= wanted;
      pieces = bytes === 0 ? [] : [whole.subarray(wanted)];
      wanted = prefixBytes;
    }
  };
}

function messageLength(prefixed: Buffer): number {
  if (prefixed[0] !== 0)
    throw new MessageError({
      code: statusCodes.internal,
      details: 'the answer is compressed, which nobody asked for',
    });
  const length = prefixed.readUInt32BE(1);
  if (length > maxMessageBytes)
    throw new MessageError({
      code: statusCodes.resourceExhausted,
      details: `the answer has ${length} bytes, more than ${maxMessageBytes}`,
    });
  return length;
}

function statusOf(last: Fields | undefined, first: Fields | undefined): GrpcStatus | undefined {
  const code = last?.get('grpc-status');
  if (code !== undefined) {
    const number = /^\d+$/.test(code) ? Number(code) : statusCodes.unknown;
    return { code: number, details: decodeDetails(last?.get('grpc-message') ?? '') };
  }
  const http = first?.get(':status');
  if (http === undefined || http === '200') return undefined;
  return {
    code: httpStatusCodes[http] ?? statusCodes.unknown,
    details: `HTTP status ${http} instead of an answer`,
  };
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const httpStatusCodes: Readonly<Record<string, number>> = {
  400: statusCodes.internal,
  401: statusCodes.unauthenticated,
  403: statusCodes.permissionDenied,
  404: statusCodes.unimplemented,
  429: statusCodes.unavailable,
  502: statusCodes.unavailable,
  503: statusCodes.unavailable,
  504: statusCodes.unavailable,
};

function statusOfEnd(error: StreamError | undefined): GrpcStatus {
  if (error === undefined) return { code: statusCodes.unknown, details: 'the answer has no status' };
  const code = error.code === undefined ? statusCodes.unavailable : resetStatusCodes[error.code];
  return { code: code ?? statusCodes.internal, details: error.message };
}

const resetStatusCodes: Readonly<Record<number, number>> = {
  [errorCodes.refusedStream]: statusCodes.unavailable,
  [errorCodes.cancel]: statusCodes.cancelled,
  [errorCodes.enhanceYourCalm]: statusCodes.resourceExhausted,
  [errorCodes.inadequateSecurity]: statusCodes.permissionDenied,
};

/** Percent-encoded; what is not is shown as it came. */
function decodeDetails(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
