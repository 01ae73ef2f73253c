/**
 * The manifest directory (the kubelet's staticPodPath) as a source of desired pods. Level-triggered: every relist
 * reads all files; inotify only makes a relist happen sooner.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { EventRecorder, ObjectReference } from '../events.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../store/store.ts';
import { type LastGood, lastGood } from './last-good.ts';
import { type Listing, listManifests, type ManifestFile } from './manifest-files.ts';
import { type LoadedManifest, loadManifest, type RefusedManifest } from './manifest-load.ts';
import { ManifestState } from './manifest-state.ts';
import { pathWatcher } from './path-watcher.ts';
import type { SourceSnapshot } from './source.ts';

export type { RefusedManifest } from './manifest-load.ts';

export interface ManifestSourceOptions {
  /** Directory of manifests, or one manifest file. */
  dir: string;
  nodeName: string;
  /** How often everything is read again without a hint (fileCheckFrequency). */
  recheckMs: number;
  log: Logger;
  events: EventRecorder;
  /** Keeps the last good version of each file for the next start. */
  store: Store;
}

export interface ManifestSink {
  set(source: 'file', snapshot: SourceSnapshot): void;
  /** All that is refused now; empty when nothing is. */
  refused(items: RefusedManifest[]): void;
}

export interface ManifestSource {
  /** Reports to the sink until the signal aborts: once at the start and then on every change. */
  run(sink: ManifestSink, signal: AbortSignal): Promise<void>;
}

export function manifestSource(options: ManifestSourceOptions): ManifestSource {
  return {
    async run(sink, signal) {
      const reader = new ManifestReader(options, sink);
      await reader.recall();
      const changes = changeSignal();
      const watcher = pathWatcher(resolve(options.dir), changes.fire, options.log);
      try {
        let settlingRelists = 0;
        while (!signal.aborted) {
          await watcher.ensure();
          const isSettling = await reader.relist(settlingRelists >= MAX_SETTLING_RELISTS);
          settlingRelists = isSettling ? settlingRelists + 1 : 0;
          if (!isSettling) await changes.wait(options.recheckMs, signal);
          await untilQuiet(changes, signal);
        }
      } finally {
        watcher.close();
      }
    },
  };
}

/** A writer that pauses longer than this is taken to be done. */
const SETTLE_MS = 40;
/** Files that never stop changing are read all the same. */
const MAX_QUIET_WAITS = 20;
const MAX_SETTLING_RELISTS = 5;

async function untilQuiet(changes: ChangeSignal, signal: AbortSignal): Promise<void> {
  for (let waits = 0; waits < MAX_QUIET_WAITS && !signal.aborted; waits++) {
    if (!(await changes.wait(SETTLE_MS, signal))) return;
  }
}

/** Errors that one event tells of; the log has all. */
const MAX_TOLD = 5;

/** Reads the files, and reports what they ask for when that has changed. */
class ManifestReader {
  readonly #options: ManifestSourceOptions;
  readonly #sink: ManifestSink;
  readonly #lastGood: LastGood;
  readonly #state = new ManifestState();
  /** Hash of what each file held when it was last taken in. */
  readonly #contents = new Map<string, string>();
  readonly #firstSeenMs = new Map<string, number>();
  #ignored = new Set<string>();
  #problem = '';
  #lastRefused: RefusedManifest[] = [];
  #hasReported = false;

  constructor(options: ManifestSourceOptions, sink: ManifestSink) {
    this.#options = options;
    this.#sink = sink;
    this.#lastGood = lastGood(options.store, options.log);
  }

  /** Takes back what the files asked for in the agent's last run, for those that are bad or out of reach now. */
  async recall(): Promise<void> {
    for (const [file, objects] of await this.#lastGood.load()) {
      this.#state.update(file, { objects, refused: [] });
    }
  }

  /**
   * Returns whether a file was passed over as it may be half written, so that it should be looked at again soon.
   * The first look takes all that is there: waiting would only delay the start.
   */
  async relist(isImpatient: boolean): Promise<boolean> {
    const isWaiting = this.#hasReported && !isImpatient;
    const path = resolve(this.#options.dir);
    const listing = await listManifests(path, SETTLE_MS);
    this.#sayProblem(path, listing);
    if (listing.state === 'unreadable') {
      // What was asked for before stays in force: not being able to look is not the same as being told to stop.
      const { refused, snapshot } = this.#state.result();
      if (!this.#hasReported && snapshot.pods.length > 0) this.#report(snapshot);
      this.#reportRefused([...refused, { file: path, message: listing.message }]);
      return false;
    }
    const files = listing.state === 'present' ? listing.files : [];
    if (listing.state === 'present') this.#sayIgnored(listing);
    const gone = this.#state.retain(new Set(files.map((file) => file.path)));
    for (const file of gone) this.#contents.delete(file);
    const settled = isWaiting ? files.filter((file) => !file.isSettling) : files;
    const changed = settled.filter((file) => this.#takeIn(file)).map((file) => file.path);
    const { refused, snapshot } = this.#state.result();
    if (changed.length + gone.length > 0 || !this.#hasReported) this.#report(snapshot);
    this.#reportRefused(refused);
    for (const file of changed) await this.#lastGood.put(file, this.#state.objects(file));
    for (const file of gone) await this.#lastGood.delete(file);
    return settled.length < files.length;
  }

  #takeIn(file: ManifestFile): boolean {
    const { content } = file;
    const digest = createHash('sha256').update(JSON.stringify(content)).digest('base64');
    if (digest === this.#contents.get(file.path)) return false;
    this.#contents.set(file.path, digest);
    const loaded: LoadedManifest =
      'error' in content
        ? { objects: [], refused: [{ file: file.path, message: content.error }] }
        : loadManifest(content.text, file.path, {
            nodeName: this.#options.nodeName,
            seenAtMs: (uid) => this.#seenAtMs(uid),
          });
    this.#state.update(file.path, loaded);
    return true;
  }

  #seenAtMs(uid: string): number {
    const seenMs = this.#firstSeenMs.get(uid) ?? Date.now();
    this.#firstSeenMs.set(uid, seenMs);
    return seenMs;
  }

  #report(snapshot: SourceSnapshot): void {
    this.#hasReported = true;
    const uids = new Set(snapshot.pods.map((pod) => pod.metadata?.uid));
    for (const uid of this.#firstSeenMs.keys()) if (!uids.has(uid)) this.#firstSeenMs.delete(uid);
    this.#sink.set('file', snapshot);
  }

  #reportRefused(refused: RefusedManifest[]): void {
    if (isDeepStrictEqual(refused, this.#lastRefused)) return;
    const before = this.#lastRefused;
    this.#lastRefused = refused;
    const news = refused.filter((item) => !before.some((known) => isDeepStrictEqual(known, item)));
    for (const { file, kind, line, message, name, namespace } of news) {
      const where = line === undefined ? file : `${file}:${line}`;
      this.#options.log.warn({ file, line, kind, namespace, name }, `manifest refused: ${where}: ${message}`);
    }
    const byObject = Map.groupBy(news, ({ file, kind, name, namespace }) =>
      [file, kind, namespace, name].join(' '),
    );
    for (const items of byObject.values()) this.#recordEvent(items);
    this.#sink.refused(refused);
  }

  /** One event for one object, with all that is wrong with it. */
  #recordEvent(items: readonly RefusedManifest[]): void {
    const { events, nodeName } = this.#options;
    const { file, kind, name, namespace } = items[0]!;
    const isPod = kind === 'Pod' && name !== undefined;
    const about: ObjectReference = isPod
      ? { kind: 'Pod', namespace: namespace ?? 'default', name, uid: '' }
      : { kind: 'Node', namespace: '', name: nodeName, uid: nodeName };
    const told = items
      .slice(0, MAX_TOLD)
      .map(({ line, message }) => (line === undefined ? message : `line ${line}: ${message}`));
    const others = items.length > MAX_TOLD ? [`${items.length - MAX_TOLD} more`] : [];
    events.event(about, 'Warning', 'FailedValidation', `${file}: ${[...told, ...others].join('; ')}`);
  }

  #sayIgnored({ ignored }: Listing & { state: 'present' }): void {
    for (const { path, reason } of ignored) {
      if (!this.#ignored.has(path)) this.#options.log.info({ file: path, reason }, 'manifest file ignored');
    }
    this.#ignored = new Set(ignored.map(({ path }) => path));
  }

  #sayProblem(path: string, listing: Listing): void {
    const { log } = this.#options;
    const problem = listing.state === 'unreadable' ? listing.message : listing.state;
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (listing.state === 'missing') log.warn({ path }, 'manifest directory does not exist; waiting for it');
    if (listing.state === 'unreadable') log.error({ path, problem }, 'manifest directory cannot be read');
    if (listing.state === 'present') log.info({ path }, 'reading manifests');
  }
}

interface ChangeSignal {
  fire(): void;
  /** Whether it was fired before the time was over; at once when it was fired since the last wait. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
}

function changeSignal(): ChangeSignal {
  let isPending = false;
  let wake: (() => void) | undefined;
  return {
    fire() {
      isPending = true;
      wake?.();
    },
    async wait(timeoutMs, signal) {
      if (!isPending && !signal.aborted) {
        await new Promise<void>((done) => {
          const timer = setTimeout(done, timeoutMs);
          wake = () => {
            clearTimeout(timer);
            done();
          };
          signal.addEventListener('abort', wake, { once: true });
        });
        if (wake !== undefined) signal.removeEventListener('abort', wake);
        wake = undefined;
      }
      const wasFired = isPending;
      isPending = false;
      return wasFired;
    },
  };
}
