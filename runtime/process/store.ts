/**
 * What the process runtime keeps on disk. A record is written before anything is done in its name, and removed after
 * all is undone, so that an agent killed in between finds what there is to finish or clean up:
 *
 *     sandboxes/<id>/record.json     what was asked for; `pause`: the process that holds the namespaces; `ready` from when
 *                                    all is made until it is undone
 *     containers/<id>/record.json    what was asked for; also conmon's bundle: spec, ctl, attach, pid files, `final.json`
 *     starts/<id>                    how the start went, renamed into place by roslet-oci
 *     exits/<id>                     the exit code, renamed into place by conmon; see exits-dir.ts
 *     corrupt/                       records that could not be read
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../src/log.ts';
import type { ContainerConfig, PodSandboxConfig } from '../runtime.ts';
import { openExitsDir } from './exits-dir.ts';
import { hasCode, parseJson, readIfPresent, writeAtomically } from './files.ts';
import type { Identity } from './identity.ts';

interface CommonRecord {
  version: 1;
  id: string;
  /** Processes and cgroups of another boot are gone. */
  bootId: string;
  createdAtMs: number;
}

export interface SandboxRecord extends CommonRecord {
  runtimeHandler: string;
  config: PodSandboxConfig;
}

export interface ContainerRecord extends CommonRecord {
  podSandboxId: string;
  config: ContainerConfig;
  user: Identity;
  cgroup: string;
  logPath: string;
}

export interface RecordStore<T extends CommonRecord> {
  directory(id: string): string;
  create(record: T): Promise<void>;
  /** Replaces what was asked for (updated resources). */
  update(record: T): Promise<void>;
  get(id: string): Promise<T | undefined>;
  list(): Promise<T[]>;
  remove(id: string): Promise<void>;
}

export interface Store {
  sandboxes: RecordStore<SandboxRecord>;
  containers: RecordStore<ContainerRecord>;
  startsDir: string;
  exitsDir: string;
  /** Removes the outcomes of the containers that are meant, half-written ones too. */
  removeOutcomes(meant: (id: string) => boolean): Promise<void>;
}

const idLength = 64;

export const newId = (): string => randomBytes(idLength / 2).toString('hex');

export async function openStore(stateDir: string, log: Logger): Promise<Store> {
  const startsDir = join(stateDir, 'starts');
  const corruptDir = join(stateDir, 'corrupt');
  for (const directory of [startsDir, corruptDir]) await mkdir(directory, { recursive: true, mode: 0o700 });
  const exitsDir = await openExitsDir(stateDir);
  return {
    sandboxes: await openRecords<SandboxRecord>(join(stateDir, 'sandboxes'), corruptDir, log),
    containers: await openRecords<ContainerRecord>(join(stateDir, 'containers'), corruptDir, log),
    startsDir,
    exitsDir,
    async removeOutcomes(meant) {
      for (const directory of [startsDir, exitsDir])
        for (const name of await readdir(directory))
          if (meant(name.slice(0, idLength))) await rm(join(directory, name), { force: true });
    },
  };
}

/** Half-made and half-removed directories bear a dot: nothing was done in their name, or all is undone. */
async function openRecords<T extends CommonRecord>(
  root: string,
  corruptDir: string,
  log: Logger,
): Promise<RecordStore<T>> {
  const cache = new Map<string, T>();
  const directory = (id: string): string => join(root, id);
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of await readdir(root))
    if (name.startsWith('.')) await rm(join(root, name), { recursive: true, force: true });

  async function get(id: string): Promise<T | undefined> {
    const known = cache.get(id);
    if (known) return known;
    if (!/^[0-9a-f]+$/.test(id)) return undefined;
    const text = await readIfPresent(join(directory(id), 'record.json'));
    if (text === undefined) return undefined;
    const record = parseRecord<T>(text, id);
    if (record) {
      cache.set(id, record);
      return record;
    }
    const aside = join(corruptDir, `${Date.now()}-${id}`);
    log.error({ id, movedTo: aside }, 'a record of the process runtime is damaged and was set aside');
    await rename(directory(id), aside);
    return undefined;
  }

  return {
    directory,
    get,
    async create(record) {
      const draft = join(root, `.new-${record.id}`);
      try {
        await mkdir(join(draft, 'rootfs'), { recursive: true, mode: 0o700 });
        await writeAtomically(join(draft, 'record.json'), JSON.stringify(record));
        await rename(draft, directory(record.id));
      } catch (error) {
        await rm(draft, { recursive: true, force: true });
        throw error;
      }
      cache.set(record.id, record);
    },
    async update(record) {
      await writeAtomically(join(directory(record.id), 'record.json'), JSON.stringify(record));
      cache.set(record.id, record);
    },
    async list() {
      const ids = (await readdir(root)).filter((name) => !name.startsWith('.'));
      for (const id of cache.keys()) if (!ids.includes(id)) cache.delete(id);
      const records = await Promise.all(ids.map(get));
      return records.filter((record) => record !== undefined);
    },
    async remove(id) {
      const trash = join(root, `.removed-${id}`);
      try {
        await rename(directory(id), trash);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
      cache.delete(id);
      await rm(trash, { recursive: true, force: true });
    },
  };
}

function parseRecord<T extends CommonRecord>(text: string, id: string): T | undefined {
  const record = parseJson<T>(text);
  return record?.version === 1 && record.id === id ? record : undefined;
}
