/**
 * Watches the writers of a topic by a subscription of its own. Samples carry the time at which the middleware's thread took
 * them, so that the last one is timed exactly; silence is seen by a timer, which gives samples that wait to be delivered
 * to a busy event loop a moment before it decides.
 */
import { type Latencies, latencies } from '../../src/probes/latencies.ts';
import type {
  EndpointGid,
  QosProfile,
  SampleInfo,
  Subscription,
  TopicWatch,
  WatchEvent,
  WatchedWriter,
  WatchOptions,
  WatchStats,
} from '../transport.ts';
import { type RclGraph, writerOf } from './graph.ts';
import type { RclRosNode } from './node.ts';

export interface RclWatchOptions {
  topic: string;
  options: WatchOptions;
  onEvent(event: WatchEvent): void;
  node: RclRosNode;
  graph: RclGraph;
  onClose(): void;
}

/** Matches every writer. */
const watchQos: QosProfile = {
  reliability: 'best_effort',
  durability: 'volatile',
  history: 'keep_last',
  depth: 100,
};

/** As the embedded transport gives its threads when they were kept from running. */
const catchUpMs = 50;
const defaultWindowMs = 1000;
/** Of one window; what comes faster is not told apart. */
const maxInWindow = 10_000;

interface Writer {
  type: string;
  qos: QosProfile;
  samples: number;
  lastSampleMs?: number;
}

export class RclWatch implements TopicWatch {
  readonly #o: RclWatchOptions;
  readonly #stopLooking: () => void;
  readonly #writers = new Map<EndpointGid, Writer>();
  readonly #gaps: Latencies = latencies();
  readonly #startedMs = performance.now();
  #accepted: ReadonlySet<EndpointGid> | undefined;
  #subscription: Subscription | undefined;
  #problem: string | undefined;
  /** When a sample came of which nobody can tell whether it counts. */
  #doubtfulMs: number | undefined;
  #samples = 0;
  #lastSampleMs: number | undefined;
  #lastSourceTimeMs: number | undefined;
  #window: number[] = [];
  #state: 'never heard' | 'heard' | 'silent' = 'never heard';
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RclWatchOptions) {
    this.#o = options;
    if (options.options.livelinessLeaseMs !== undefined) {
      this.#problem =
        'rclnodejs cannot ask for a liveliness lease: use a heartbeat, or set ros.transport to cyclone';
    }
    this.#stopLooking = options.graph.onChange(() => this.#look());
    this.#look();
    this.#waitForSilence(this.#startedMs);
  }

  writers(): WatchedWriter[] {
    return [...this.#writers].map(([gid, writer]) => ({
      gid,
      ...writer,
      alive: true,
      isAccepted: this.#isAccepted(gid),
    }));
  }

  accept(writers: ReadonlySet<EndpointGid> | undefined): void {
    this.#accepted = writers && new Set(writers);
  }

  stats(): WatchStats {
    const windowMs = this.#o.options.windowMs ?? defaultWindowMs;
    this.#trimWindow();
    const problem = this.#problem ?? this.#doubt();
    return {
      samples: this.#samples,
      ...(this.#lastSampleMs === undefined ? {} : { lastSampleMs: this.#lastSampleMs }),
      ...(this.#lastSourceTimeMs === undefined ? {} : { lastSourceTimeMs: this.#lastSourceTimeMs }),
      ...(problem === undefined ? {} : { problem }),
      rateHz: (this.#window.length * 1000) / windowMs,
      gaps: this.#gaps.summary(),
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stopLooking();
    this.#subscription?.close();
    this.#o.onClose();
  }

  #isAccepted(gid: EndpointGid): boolean {
    return this.#accepted?.has(gid) ?? true;
  }

  /** As long as those samples would have counted, had they been of a writer that is accepted. */
  #doubt(): string | undefined {
    const { maxSilenceMs = Number.POSITIVE_INFINITY } = this.#o.options;
    if (this.#doubtfulMs === undefined || performance.now() - this.#doubtfulMs > maxSilenceMs)
      return undefined;
    return 'some publishers do not count, and this RMW does not tell whose a sample is';
  }

  #look(): void {
    if (this.#isClosed) return;
    const { graph, topic } = this.#o;
    const there = graph.endpoints(topic).filter(({ kind }) => kind === 'publisher');
    if (this.#subscription === undefined && this.#problem === undefined && there[0] !== undefined)
      this.#subscribe(there[0].type);
    const atMs = performance.now();
    const gone = [...this.#writers.keys()].filter((gid) => !there.some((each) => each.gid === gid));
    for (const gid of gone) {
      this.#writers.delete(gid);
      this.#tell({ event: 'unmatched', writer: gid, atMs });
    }
    for (const { gid, qos, type } of there) {
      if (this.#writers.has(gid)) continue;
      this.#writers.set(gid, { type, qos, samples: 0 });
      this.#tell({ event: 'matched', writer: gid, atMs });
    }
  }

  #subscribe(type: string): void {
    const { node, topic } = this.#o;
    try {
      this.#subscription = node.subscribe(topic, type, watchQos, (_cdr, info) => this.#onSample(info));
    } catch (err) {
      this.#problem = `${topic} cannot be watched: ${(err as Error).message}`;
    }
  }

  #onSample({ receivedMs, sourceTimeMs, writer: told }: SampleInfo): void {
    let gid = this.#writerOf(told);
    if (gid !== undefined && !this.#writers.has(gid)) {
      this.#look();
      gid = this.#writerOf(told);
    }
    if (gid === undefined) {
      this.#doubtfulMs = receivedMs;
      return;
    }
    const writer = this.#writers.get(gid);
    if (writer !== undefined) {
      writer.samples += 1;
      writer.lastSampleMs = receivedMs;
    }
    if (!this.#isAccepted(gid) || this.#isClosed) return;
    if (this.#lastSampleMs !== undefined) this.#gaps.record(Math.max(0, receivedMs - this.#lastSampleMs));
    this.#samples += 1;
    this.#lastSampleMs = receivedMs;
    this.#lastSourceTimeMs = sourceTimeMs;
    this.#window.push(receivedMs);
    if (this.#window.length >= maxInWindow) this.#trimWindow();
    const wasHeard = this.#state === 'heard';
    this.#state = 'heard';
    if (!wasHeard) this.#tell({ event: 'heard', writer: gid, atMs: receivedMs });
    if (this.#timer === undefined) this.#waitForSilence(receivedMs);
  }

  #writerOf(told: EndpointGid): EndpointGid | undefined {
    return writerOf(told, [...this.#writers.keys()], (writer) => this.#isAccepted(writer));
  }

  #trimWindow(): void {
    const fromMs = performance.now() - (this.#o.options.windowMs ?? defaultWindowMs);
    this.#window = this.#window.filter((ms) => ms > fromMs).slice(-maxInWindow);
  }

  #waitForSilence(sinceMs: number): void {
    const { maxSilenceMs } = this.#o.options;
    if (maxSilenceMs === undefined || this.#isClosed) return;
    this.#timer = setTimeout(
      () => this.#decide(maxSilenceMs),
      Math.max(0, sinceMs + maxSilenceMs + catchUpMs - performance.now()),
    );
  }

  #decide(maxSilenceMs: number): void {
    this.#timer = undefined;
    const sinceMs = this.#lastSampleMs ?? this.#startedMs;
    const lateMs = performance.now() - (sinceMs + maxSilenceMs + catchUpMs);
    // A sample came meanwhile; or the event loop was late itself, and samples may wait.
    if (lateMs < 0) this.#waitForSilence(sinceMs);
    else if (lateMs > catchUpMs && this.#state !== 'silent')
      this.#timer = setTimeout(() => this.#decideNow(maxSilenceMs), catchUpMs);
    else this.#decideNow(maxSilenceMs);
  }

  #decideNow(maxSilenceMs: number): void {
    this.#timer = undefined;
    const sinceMs = this.#lastSampleMs ?? this.#startedMs;
    if (performance.now() < sinceMs + maxSilenceMs) {
      this.#waitForSilence(sinceMs);
      return;
    }
    if (this.#state === 'silent') return;
    this.#state = 'silent';
    this.#tell({
      event: 'silent',
      atMs: sinceMs + maxSilenceMs,
      ...(this.#lastSampleMs === undefined ? {} : { lastSampleMs: this.#lastSampleMs }),
    });
  }

  #tell(event: WatchEvent): void {
    if (!this.#isClosed) this.#o.onEvent(event);
  }
}
