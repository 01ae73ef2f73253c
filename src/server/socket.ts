/** Listening: on a unix socket with the right owner and mode, taking over the socket of an agent that died. */
import { chmod, chown, readFile, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createConnection, type ListenOptions } from 'node:net';
import type { Logger } from '../log.ts';

/** A port or socket cannot be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly address: string;
  constructor(address: string, why: string, options?: ErrorOptions) {
    super(`cannot listen on ${address}: ${why}`, options);
    this.address = address;
  }
}

/** sockaddr_un holds 108 bytes, the last of them NUL. */
const maxPathBytes = 107;

/** @throws ListenError */
export async function listenOnSocket(
  server: Server,
  path: string,
  group: string,
  log: Logger,
): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes) {
    throw new ListenError(
      path,
      `a socket's path has at most ${maxPathBytes} bytes: use a shorter --root-dir`,
    );
  }
  await removeStale(path);
  // Bound for root alone, at once, since the call binds before it returns: nobody may connect before a chmod.
  const umask = process.umask(0o177);
  const listening = listen(server, { path });
  process.umask(umask);
  await listening;
  const gid = await groupId(group);
  if (gid === undefined) {
    log.info({ socket: path, group }, 'only root may use the socket: there is no such group');
    return;
  }
  await chown(path, -1, gid);
  await chmod(path, 0o660);
}

/** @throws ListenError */
export async function listen(server: Server, options: ListenOptions): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    const address = options.path ?? `${options.host}:${options.port}`;
    throw new ListenError(address, explain(cause), { cause });
  }
}

/** Ends the connections too; those that are idle would keep the server open. */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** A socket that nobody answers on is left from an agent that was killed. */
async function removeStale(path: string): Promise<void> {
  const answered = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answered) throw new ListenError(path, 'another agent answers there: stop it or use another --root-dir');
  try {
    await unlink(path);
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw new ListenError(path, explain(cause), { cause });
  }
}

async function groupId(name: string): Promise<number | undefined> {
  const line = (await readFile('/etc/group', 'utf8')).split('\n').find((each) => each.startsWith(`${name}:`));
  const gid = line?.split(':')[2];
  return gid === undefined ? undefined : Number(gid);
}

function explain(cause: unknown): string {
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return 'it is in use by another process: stop that one or configure another port';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied: run as root';
    case 'ENOENT':
      return 'its directory does not exist';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    default:
      return String(cause);
  }
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? '';
