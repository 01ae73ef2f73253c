/** A connection to a server that a test makes, and calls of one method on it. */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, connect } from '../connection.ts';
import { callFields, type Method } from '../grpc/call.ts';

export const methodOf = (path: string): Method<Buffer, Buffer> => ({
  path,
  fields: callFields(path),
  encode: (request) => request,
  decode: (bytes) => Buffer.from(bytes),
});
export const echo = methodOf('/test.Test/Echo');
export const count = methodOf('/test.Test/Count');
export const hello = Buffer.from('hello');

export const cleanUps: (() => void)[] = [];

/** After each test. */
export function cleanUp(): void {
  for (const each of cleanUps.splice(0).reverse()) each();
}

export const freeEndpoint = (): string => join(tmpdir(), `roslet-cri-${randomUUID()}.sock`);

export function connectTo(path: string): Connection {
  const connection = connect(`unix://${path}`);
  cleanUps.push(() => connection.close());
  return connection;
}

export const call = (connection: Connection, request: Buffer = hello, timeoutMs = 10_000) =>
  connection.call(echo, request, { timeoutMs });
