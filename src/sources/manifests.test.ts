/** The manifest directory on a real file system. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventRecorder } from '../events.ts';
import { type Logger, silentLogger } from '../log.ts';
import { openStore, type Store } from '../store/store.ts';
import { ignoredName } from './manifest-files.ts';
import { manifestSource, type RefusedManifest } from './manifests.ts';
import type { SourceSnapshot } from './source.ts';

vi.setConfig({ testTimeout: 30_000 });

const pod = (name: string, image = 'x'): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: main, image: ${image}}]}\n`;
const misspelt = pod('a').replace('containers', 'containres');

let root: string;
let dir: string;
let store: Store;
let running: Running[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'roslet-manifests-'));
  store = await openStore(join(root, 'store'), silentLogger());
  dir = join(root, 'manifests');
  mkdirSync(dir);
});

afterEach(async () => {
  await Promise.all(running.map((source) => source.stop()));
  running = [];
  rmSync(root, { recursive: true });
});

interface Running {
  snapshots: SourceSnapshot[];
  refused: RefusedManifest[];
  events: string[];
  logged: string[];
  /** Names of the pods in force; undefined before the first report. */
  pods(): string[] | undefined;
  stop(): Promise<void>;
}

function start(options: { dir?: string; recheckMs?: number } = {}): Running {
  const abort = new AbortController();
  const events: string[] = [];
  const recorder: EventRecorder = {
    event: (about, type, reason, message) =>
      events.push(`${about.kind} ${about.name} ${type} ${reason} ${message}`),
  };
  const logged: string[] = [];
  const note = (fields: { file?: string }, message: string): void => {
    logged.push(`${message}: ${fields.file ?? ''}`);
  };
  const log = { ...silentLogger(), info: note, warn: note, error: note } as unknown as Logger;
  const source = manifestSource({
    dir,
    nodeName: 'n',
    recheckMs: 60_000,
    log,
    events: recorder,
    store,
    ...options,
  });
  const result: Running = {
    snapshots: [],
    refused: [],
    events,
    logged,
    pods: () => result.snapshots.at(-1)?.pods.map(({ metadata }) => metadata?.name ?? ''),
    async stop() {
      abort.abort();
      await done;
    },
  };
  const sink = {
    set: (_: 'file', snapshot: SourceSnapshot) => void result.snapshots.push(snapshot),
    refused: (items: RefusedManifest[]) => {
      result.refused = items;
    },
  };
  const done = source.run(sink, abort.signal);
  running.push(result);
  return result;
}

const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000, interval: 10 });

describe('files', () => {
  it('are read in the order of their names, YAML and JSON alike', async () => {
    write('b.yml', pod('b'));
    write('a.yaml', `${pod('a')}---\n${pod('a2')}`);
    write(
      'c.json',
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'c' },
        spec: { containers: [{ name: 'm', image: 'x' }] },
      }),
    );
    const source = start();
    await eventually(() => expect(source.pods()).toEqual(['a-n', 'a2-n', 'b-n', 'c-n']));
    expect(source.snapshots[0]?.pods[0]?.spec?.restartPolicy).toBe('Always');
  });

  it('that appear, change and go are seen without a relist', async () => {
    const source = start();
    await eventually(() => expect(source.pods()).toEqual([]));
    write('a.yaml', pod('a'));
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    write('a.yaml', pod('a', 'z'));
    await eventually(() => expect(source.snapshots.at(-1)?.pods[0]?.spec?.containers[0]?.image).toBe('z'));
    rmSync(join(dir, 'a.yaml'));
    await eventually(() => expect(source.pods()).toEqual([]));
  });

  it('are followed through links, and a changed target is seen by the relist', async () => {
    writeFileSync(join(root, 'target.yaml'), pod('a'));
    symlinkSync(join(root, 'target.yaml'), join(dir, 'link.yaml'));
    symlinkSync(join(root, 'nowhere.yaml'), join(dir, 'dangling.yaml'));
    const source = start({ recheckMs: 50 });
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    writeFileSync(join(root, 'target.yaml'), pod('b'));
    await eventually(() => expect(source.pods()).toEqual(['b-n']));
  });

  it('whose comments change alone report nothing new', async () => {
    write('a.yaml', pod('a'));
    const source = start();
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    write('a.yaml', `# hello\n${pod('a')}`);
    write('b.yaml', pod('b'));
    await eventually(() => expect(source.pods()).toEqual(['a-n', 'b-n']));
    expect(source.snapshots.at(-1)?.pods[0]).toEqual(source.snapshots[0]?.pods[0]);
  });

  it('can be one file instead of a directory', async () => {
    write('a.yaml', pod('a'));
    write('b.yaml', pod('b'));
    const source = start({ dir: join(dir, 'a.yaml') });
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    write('a.yaml.new', pod('c'));
    renameSync(join(dir, 'a.yaml.new'), join(dir, 'a.yaml'));
    await eventually(() => expect(source.pods()).toEqual(['c-n']));
  });

  it.each([
    ['a.yaml', undefined],
    ['a.yml', undefined],
    ['A.JSON', undefined],
    ['.a.yaml', 'hidden file'],
    ['..data', 'hidden file'],
    ['a.yaml~', 'backup file'],
    ['a.yaml.bak', 'backup file'],
    ['a.yaml.orig', 'backup file'],
    ['#a.yaml#', 'backup file'],
    ['a.yaml.dpkg-old', 'backup file'],
    ['.a.yaml.swp', 'hidden file'],
    ['a.yaml.swp', 'temporary file of an editor'],
    ['a.yaml.tmp', 'temporary file of an editor'],
    ['4913', 'temporary file of an editor'],
    ['README.md', 'not a .yaml, .yml or .json file'],
    ['yaml', 'not a .yaml, .yml or .json file'],
  ])('of the name %s: ignored as %s', (name, reason) => {
    expect(ignoredName(name)).toBe(reason);
  });

  it('that are ignored are told once', async () => {
    write('a.yaml~', misspelt);
    write('notes.txt', 'x');
    mkdirSync(join(dir, 'sub.yaml'));
    execFileSync('mkfifo', [join(dir, 'pipe.yaml')]);
    const source = start();
    await eventually(() => expect(source.pods()).toEqual([]));
    write('b.yaml', pod('b'));
    await eventually(() => expect(source.pods()).toEqual(['b-n']));
    const ignored = source.logged.filter((line) => line.startsWith('manifest file ignored'));
    expect(ignored.sort()).toEqual(
      ['a.yaml~', 'notes.txt', 'pipe.yaml', 'sub.yaml'].map(
        (name) => `manifest file ignored: ${join(dir, name)}`,
      ),
    );
    expect(source.refused).toEqual([]);
  });
});

describe('a bad file', () => {
  it('hides no good one, is told with place and field, and is taken as soon as it is mended', async () => {
    write('a.yaml', misspelt);
    write('b.yaml', pod('b'));
    const source = start();
    await eventually(() => expect(source.pods()).toEqual(['b-n']));
    await eventually(() => expect(source.refused).toMatchObject([{ name: 'a-n', line: 4 }]));
    expect(source.events).toEqual([
      `Pod a-n Warning FailedValidation ${join(dir, 'a.yaml')}: ` +
        'line 4: spec.containres: PodSpec has no field "containres": did you mean "containers"?',
    ]);
    write('a.yaml', pod('a'));
    await eventually(() => expect(source.pods()).toEqual(['a-n', 'b-n']));
    await eventually(() => expect(source.refused).toEqual([]));
  });

  it('that is no text at all is told as such', async () => {
    writeFileSync(join(dir, 'a.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]));
    write('b.yaml', '- x\n'.repeat(100));
    const source = start();
    await eventually(() => expect(source.refused[0]?.message).toBe('is not UTF-8 text'));
    expect(source.refused).toHaveLength(2);
  });

  it('has its first errors told and the rest counted', async () => {
    write('a.yaml', Array.from({ length: 70 }, () => '---\nkind: 1\n').join(''));
    const source = start();
    await eventually(() => expect(source.refused).toHaveLength(51));
    expect(source.refused.at(-1)).toEqual({ file: join(dir, 'a.yaml'), message: 'has 20 more errors' });
    expect(source.events).toHaveLength(1);
    expect(source.events[0]).toContain('; 46 more');
  });

  it('that was good keeps its pod, told once, until it is deleted', async () => {
    write('a.yaml', pod('a'));
    const source = start({ recheckMs: 20 });
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    write('a.yaml', misspelt);
    await eventually(() =>
      expect(source.refused[0]?.message).toContain('its last good version stays in force'),
    );
    expect(source.pods()).toEqual(['a-n']);
    const told = source.events.length;
    write('b.yaml', pod('b'));
    await eventually(() => expect(source.pods()).toEqual(['a-n', 'b-n']));
    expect(source.events).toHaveLength(told);
    rmSync(join(dir, 'a.yaml'));
    await eventually(() => expect(source.pods()).toEqual(['b-n']));
  });

  it('keeps its pod over a restart of the agent', async () => {
    write('a.yaml', pod('a'));
    const first = start();
    await eventually(() => expect(first.pods()).toEqual(['a-n']));
    await first.stop();
    write('a.yaml', misspelt);
    const second = start();
    await eventually(() =>
      expect(second.refused[0]?.message).toContain('its last good version stays in force'),
    );
    expect(second.pods()).toEqual(['a-n']);
    expect(second.snapshots[0]?.pods[0]?.metadata?.uid).toBe(first.snapshots[0]?.pods[0]?.metadata?.uid);
    rmSync(join(dir, 'a.yaml'));
    await eventually(() => expect(second.pods()).toEqual([]));
    await second.stop();
    write('a.yaml', misspelt);
    const third = start();
    await eventually(() => expect(third.refused).not.toEqual([]));
    expect(third.pods()).toEqual([]);
  });
});

describe('the directory', () => {
  it('may come later', async () => {
    rmSync(dir, { recursive: true });
    const source = start();
    await eventually(() => expect(source.pods()).toEqual([]));
    mkdirSync(dir);
    write('a.yaml', pod('a'));
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    expect(source.logged.filter((line) => line.startsWith('manifest directory does not exist'))).toHaveLength(
      1,
    );
  });

  it('may be replaced by another', async () => {
    write('a.yaml', pod('a'));
    const source = start();
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    renameSync(dir, `${dir}.old`);
    mkdirSync(dir);
    write('b.yaml', pod('b'));
    await eventually(() => expect(source.pods()).toEqual(['b-n']));
    write('c.yaml', pod('c'));
    await eventually(() => expect(source.pods()).toEqual(['b-n', 'c-n']));
  });

  it('that cannot be read stops nothing', async () => {
    write('a.yaml', pod('a'));
    const source = start({ recheckMs: 20 });
    await eventually(() => expect(source.pods()).toEqual(['a-n']));
    rmSync(dir, { recursive: true });
    symlinkSync(dir, dir); // A loop: stat fails with ELOOP, for root as well.
    await eventually(() => expect(source.refused).toMatchObject([{ file: dir }]));
    expect(source.pods()).toEqual(['a-n']);
    rmSync(dir);
    mkdirSync(dir);
    write('b.yaml', pod('b'));
    await eventually(() => expect(source.pods()).toEqual(['b-n']));
    await eventually(() => expect(source.refused).toEqual([]));
  });
});

it('ends when it is told to', async () => {
  const source = start();
  await eventually(() => expect(source.pods()).toEqual([]));
  await expect(source.stop()).resolves.toBeUndefined();
});
