/**
 * A connection to systemd's manager: over the socket that it has for root, or over the system bus. Made on first need, and
 * anew when systemd has ended it (as `systemctl daemon-reexec` does).
 */
import { connect, type Socket } from 'node:net';
import { messageOf } from '../../error-message.ts';
import { type Answer, type Call, encodeCall, MessageReader } from './message.ts';

export interface Bus {
  /** @throws BusError what systemd answers, or that it cannot be reached */
  call(call: Call): Promise<void>;
  close(): void;
}

export class BusError extends Error {
  override readonly name = 'BusError';
  /** The name of systemd's error; undefined: it was not reached. */
  readonly code: string | undefined;
  constructor(code: string | undefined, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A socket that is said to be the manager's own knows no greeting. */
interface Way {
  path: string;
  hasBroker: boolean;
}

const systemdWays: readonly Way[] = [
  { path: '/run/systemd/private', hasBroker: false },
  { path: '/run/dbus/system_bus_socket', hasBroker: true },
];

export function systemdBus(ways: readonly Way[] = systemdWays): Bus {
  let opening: Promise<Session> | undefined;
  const closing = new AbortController();
  const session = async (): Promise<Session> => {
    if (closing.signal.aborted) throw new BusError(undefined, 'the connection to systemd is closed');
    opening ??= openFirst(ways, closing.signal);
    const mine = opening;
    try {
      const opened = await mine;
      if (opened.isOpen) return opened;
    } catch (err) {
      if (opening === mine) opening = undefined;
      throw err;
    }
    if (opening === mine) opening = undefined;
    return await session();
  };
  return {
    call: async (call) => {
      try {
        await (await session()).call(call);
      } catch (err) {
        // It went away before it answered: what is asked of it may be asked twice.
        if (!(err instanceof BusError) || err.code !== undefined || closing.signal.aborted) throw err;
        await (await session()).call(call);
      }
    },
    close: () => {
      closing.abort();
      void opening?.then(
        (opened) => opened.close(),
        // Whoever asked for it was told.
        () => undefined,
      );
    },
  };
}

async function openFirst(ways: readonly Way[], signal: AbortSignal): Promise<Session> {
  const failed: unknown[] = [];
  for (const way of ways) {
    try {
      return await openSession(way, signal);
    } catch (err) {
      failed.push(err);
    }
  }
  const why = failed.map(messageOf).join('; ');
  throw new BusError(undefined, `systemd cannot be reached: ${why}`, { cause: failed[0] });
}

interface Session {
  readonly isOpen: boolean;
  call(call: Call): Promise<void>;
  close(): void;
}

async function openSession({ path, hasBroker }: Way, signal: AbortSignal): Promise<Session> {
  const socket = connect(path);
  const ending = () => socket.destroy(new Error('the connection to systemd is closed'));
  signal.addEventListener('abort', ending, { once: true });
  // Whoever listens there need not answer: systemd that is stopped, or a broker that waits for it.
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  try {
    return await letIn(socket, path, hasBroker);
  } catch (err) {
    socket.destroy();
    throw err;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', ending);
  }
}

async function letIn(socket: Socket, path: string, hasBroker: boolean): Promise<Session> {
  await connected(socket);
  const reader = new MessageReader();
  const waiting = new Map<number, { resolve(): void; reject(err: BusError): void }>();
  let serial = 0;
  let isOpen = true;
  const end = (why: string, cause?: unknown) => {
    isOpen = false;
    socket.destroy();
    for (const { reject } of waiting.values()) reject(new BusError(undefined, why, { cause }));
    waiting.clear();
  };
  const settle = ({ replySerial, error }: Answer) => {
    const asked = waiting.get(replySerial);
    waiting.delete(replySerial);
    if (waiting.size === 0) socket.unref();
    if (error === undefined) asked?.resolve();
    else asked?.reject(new BusError(error.name, error.message));
  };
  socket.on('error', (err) => end(`${path}: ${err.message}`, err));
  socket.on('close', () => end(`${path} was closed`));
  const session: Session = {
    get isOpen() {
      return isOpen;
    },
    call: async (call) => {
      if (!isOpen) throw new BusError(undefined, `${path} was closed`);
      serial += 1;
      const mine = serial;
      socket.ref();
      socket.write(encodeCall(call, mine));
      const answer = Promise.withResolvers<void>();
      const timer = setTimeout(() => {
        if (waiting.delete(mine))
          answer.reject(new BusError('Timeout', `${call.member} was not answered within ${patienceMs} ms`));
      }, patienceMs);
      waiting.set(mine, answer);
      try {
        await answer.promise;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => end('the connection to systemd is closed'),
  };
  const rest = await authenticate(socket, path);
  const take = (chunk: Buffer) => {
    try {
      for (const answer of reader.read(chunk)) settle(answer);
    } catch (err) {
      end(`${path}: ${messageOf(err)}`, err);
    }
  };
  socket.on('data', take);
  take(rest);
  socket.resume();
  if (hasBroker) await session.call(hello);
  return session;
}

/** systemd answers within milliseconds, but not while it reads hundreds of unit files anew. */
const patienceMs = 30_000;

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

/** Says who we are, as the kernel confirms it (SASL EXTERNAL). Returns what came after the answer. */
function authenticate(socket: Socket, path: string): Promise<Buffer> {
  const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
  socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
  return new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0);
    const closed = () => reject(new BusError(undefined, `${path} was closed before it let us in`));
    const hear = (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      const end = heard.indexOf('\r\n');
      if (end < 0) return;
      socket.off('data', hear);
      socket.off('error', reject);
      socket.off('close', closed);
      socket.pause();
      const line = heard.toString('latin1', 0, end);
      if (!line.startsWith('OK ')) {
        reject(new BusError(undefined, `${path} does not let us in: ${line}`));
        socket.destroy();
        return;
      }
      socket.write('BEGIN\r\n');
      resolve(heard.subarray(end + 2));
    };
    socket.on('data', hear);
    // What it was closed for comes first.
    socket.once('error', reject);
    socket.once('close', closed);
  });
}

const hello: Call = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
  member: 'Hello',
  signature: '',
  write: () => undefined,
};
