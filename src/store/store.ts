/**
 * What must survive a restart or a power cut, one file a record below `<dir>/<kind>/`.
 *
 * A record is written to a temporary file in the same directory, synced, renamed over the old one, and the directory
 * synced: at any instant the file holds the old or the new value, never a mixture. A record that does not decode is
 * moved to `<dir>/corrupt/` with an error in the log, and the agent goes on without it. When the disk is full or
 * read-only a write fails with a StoreError and the old record stays.
 *
 * Writes of one key run one after the other; one that waits is replaced by a newer one of the same key, and both
 * callers are answered when the newer is on disk.
 */
import { type Dirent, readFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../log.ts';
import { decodeRecord, encodeRecord, recordFileName, recordSuffix } from './record.ts';

export interface StoreRecord<T> {
  key: string;
  value: T;
}

export interface Store {
  /** Resolves when the record is on disk. The value is taken as it is at the call. */
  put(kind: string, key: string, value: unknown): Promise<void>;
  /** Resolves when the record is gone from disk; succeeds when there is none. */
  delete(kind: string, key: string): Promise<void>;
  /**
   * Every readable record of a kind, in the order of their file names.
   * @param isValid others are set aside as those that do not decode are; without it the caller vouches for T: it wrote them
   */
  load<T>(kind: string, isValid?: (value: unknown) => value is T): Promise<StoreRecord<T>[]>;
}

/** A record could not be read or written; `path` is the file and `code` the system's error code. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly path: string;
  readonly code: string;
  constructor(action: string, path: string, cause: unknown) {
    const code = errorCode(cause);
    super(`cannot ${action} ${path}: ${remedies[code] ?? String(cause)}`, { cause });
    this.path = path;
    this.code = code;
  }
}

/** @throws StoreError when the directory cannot be made or read. */
export async function openStore(dir: string, log: Logger): Promise<Store> {
  await makeDir(dir);
  await removeTemporaryFiles(dir, log);
  const queues = new Map<string, WriteQueue>();
  const syncTogether = sharedSync();

  /** Undefined content deletes. */
  function write(kind: string, key: string, content: Buffer | undefined): Promise<void> {
    checkKind(kind);
    const path = join(dir, kind, recordFileName(key));
    const queue = queues.get(path) ?? newQueue(path);
    return queue.add(content);
  }

  function newQueue(path: string): WriteQueue {
    const queue = writeQueue(path, syncTogether, () => queues.delete(path));
    queues.set(path, queue);
    return queue;
  }

  return {
    put: (kind, key, value) => write(kind, key, encodeRecord(key, value)),
    delete: (kind, key) => write(kind, key, undefined),
    load: async <T>(kind: string, isValid: (value: unknown) => value is T = isVouchedFor) => {
      checkKind(kind);
      const records: StoreRecord<T>[] = [];
      for (const entry of await listDir(join(dir, kind))) {
        if (!entry.isFile() || !entry.name.endsWith(recordSuffix)) continue;
        const record = await readRecord(dir, kind, entry.name, isValid, log);
        if (record) records.push(record);
      }
      return records;
    },
  };
}

const isVouchedFor = <T>(_: unknown): _ is T => true;

const corruptDirName = 'corrupt';
const temporarySuffix = '.tmp';

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'no space (or no inode) is left on the file system; free some, the old record is kept',
  EDQUOT: 'the disk quota is used up; the old record is kept',
  EROFS: 'the file system is read-only; the old record is kept',
  ENOTDIR: 'it is not a directory; move it away, or give another --root-dir',
};

function checkKind(kind: string): void {
  if (!/^[a-z][a-z0-9-]*$/.test(kind) || kind === corruptDirName) {
    throw new TypeError(`'${kind}' cannot be a kind of record`);
  }
}

interface WriteQueue {
  add(content: Buffer | undefined): Promise<void>;
}

interface PendingWrite {
  content: Buffer | undefined;
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Runs the writes of one path, at most one at a time and at most one waiting. */
function writeQueue(path: string, syncDir: SyncDir, onIdle: () => void): WriteQueue {
  let waiting: PendingWrite | undefined;
  let running = false;

  async function run(): Promise<void> {
    running = true;
    while (waiting) {
      const write = waiting;
      waiting = undefined;
      try {
        await (write.content ? writeRecord(path, write.content, syncDir) : deleteRecord(path, syncDir));
        write.resolve();
      } catch (error) {
        write.reject(error);
      }
    }
    running = false;
    onIdle();
  }

  return {
    add(content) {
      if (waiting) waiting.content = content;
      else waiting = { content, ...Promise.withResolvers<void>() };
      const { promise } = waiting;
      if (!running) void run();
      return promise;
    },
  };
}

async function writeRecord(path: string, content: Buffer, syncDir: SyncDir): Promise<void> {
  const temporary = `${path}${temporarySuffix}`;
  try {
    const file = await openNew(temporary);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDir(dirname(path));
  } catch (error) {
    // What is left of the temporary file takes space on a disk that may be full; the next open removes it otherwise.
    await unlink(temporary).catch(() => undefined);
    throw error instanceof StoreError ? error : new StoreError('write', path, error);
  }
}

/** The directory of a kind is made with its first record. */
async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    await makeDir(dirname(path));
    return open(path, 'w', 0o600);
  }
}

async function deleteRecord(path: string, syncDir: SyncDir): Promise<void> {
  try {
    await unlink(path);
    await syncDir(dirname(path));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw new StoreError('delete', path, error);
  }
}

async function readRecord<T>(
  dir: string,
  kind: string,
  name: string,
  isValid: (value: unknown) => value is T,
  log: Logger,
): Promise<StoreRecord<T> | undefined> {
  const path = join(dir, kind, name);
  try {
    // Read at the start, one after the other, when there is nothing else to do: on Node's other threads each costs ten times as much.
    const { key, value } = decodeRecord(readFileSync(path));
    if (!isValid(value)) throw new TypeError(`the record holds nothing of the kind ${kind}`);
    return { key, value };
  } catch (err) {
    if (errorCode(err) === 'ENOENT') return undefined;
    await setAside(dir, kind, name, log, err);
    return undefined;
  }
}

async function setAside(dir: string, kind: string, name: string, log: Logger, err: unknown): Promise<void> {
  const path = join(dir, kind, name);
  const target = join(dir, corruptDirName, `${kind}.${Date.now()}.${name}`);
  try {
    await makeDir(dirname(target));
    await rename(path, target);
    log.error({ err, path, movedTo: target }, `set aside the unreadable record ${path}; going on without it`);
  } catch (moveError) {
    log.error({ err, moveError, path }, `the record ${path} is unreadable and cannot be moved; ignoring it`);
  }
}

async function removeTemporaryFiles(dir: string, log: Logger): Promise<void> {
  for (const kind of await listDir(dir)) {
    if (!kind.isDirectory() || kind.name === corruptDirName) continue;
    for (const entry of await listDir(join(dir, kind.name))) {
      if (!entry.name.endsWith(temporarySuffix)) continue;
      const path = join(dir, kind.name, entry.name);
      await unlink(path).catch((err: unknown) =>
        log.warn({ err, path }, `cannot remove the leftover ${path}`),
      );
    }
  }
}

/** Empty when the directory does not exist. */
async function listDir(path: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw new StoreError('read', path, error);
  }
}

/** Makes the directory and its parents so that they survive a power cut. */
async function makeDir(path: string): Promise<void> {
  try {
    const firstMade = await mkdir(path, { recursive: true, mode: 0o700 });
    for (let made = path; firstMade && made.length >= firstMade.length; made = dirname(made)) {
      await syncDir(dirname(made));
    }
  } catch (error) {
    throw new StoreError('make the directory', path, error);
  }
}

type SyncDir = (path: string) => Promise<void>;

/** Of many records that are written at a time one sync of their directory does for all that were renamed before it. */
function sharedSync(): SyncDir {
  const underWay = new Map<string, Promise<void>>();
  const next = new Map<string, Promise<void>>();
  const begin = (path: string): Promise<void> => {
    next.delete(path);
    const sync = syncDir(path).finally(() => {
      if (underWay.get(path) === sync) underWay.delete(path);
    });
    underWay.set(path, sync);
    return sync;
  };
  return (path) => {
    const before = underWay.get(path);
    if (before === undefined) return begin(path);
    // The one under way may have looked too early.
    const following =
      next.get(path) ??
      before.then(
        () => begin(path),
        () => begin(path),
      );
    next.set(path, following);
    return following;
  };
}

async function syncDir(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
