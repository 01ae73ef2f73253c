/**
 * Pods that do not run, with the status that says why, and what was told of that: an event and a line in the log for
 * what is news.
 */
import type { Pod } from '../api/core.gen.ts';
import { time } from '../api/time.ts';
import { messageOf } from '../error-message.ts';
import type { EventRecorder } from '../events.ts';
import type { Logger } from '../log.ts';
import { podKey, podReference, podUid, withStatus } from './identity.ts';
import { type RefusalNews, refusalNews } from './refusal-news.ts';

export interface Refusal {
  reason: string;
  message: string;
}

/** As the status of a pod says it, in the kubelet's words. */
export const rejection = ({ message }: Pick<Refusal, 'message'>): string => `Pod was rejected: ${message}`;

export interface RefusalsOptions {
  events: EventRecorder;
  log: Logger;
  /** Epoch. */
  now: () => number;
}

export class Refusals {
  readonly #o: RefusalsOptions;
  readonly #pods = new Map<string, Pod>();
  /** What was told of pods and changes that are refused, by uid, until they are admitted. */
  readonly #news = new Map<string, RefusalNews>();
  /** Uids of pods of an earlier life of the agent whose runtime is not configured any more. */
  readonly #unsupervised = new Set<string>();

  constructor(options: RefusalsOptions) {
    this.#o = options;
  }

  pods(): Iterable<Pod> {
    return this.#pods.values();
  }

  has(uid: string): boolean {
    return this.#pods.has(uid);
  }

  isUnsupervised(uid: string): boolean {
    return this.#unsupervised.has(uid);
  }

  /** For now: until what refuses the pod changes. Returns the pod as it is shown; undefined when it already was so. */
  refuse(pod: Pod, refusal: Refusal): Pod | undefined {
    const before = this.#pods.get(podUid(pod))?.status;
    if (before?.reason === refusal.reason && before.message === rejection(refusal)) return undefined;
    const refused = this.#show(pod, refusal);
    this.report(pod, refusal);
    return refused;
  }

  /** Its record stays on disk: the runtime may be configured again. Meanwhile the pod is shown with the reason. */
  leaveUnsupervised(pod: Pod, err: unknown): void {
    const uid = podUid(pod);
    const message = messageOf(err);
    this.#o.log.error({ err, pod: podKey(pod), podUid: uid }, 'pod cannot be supervised');
    this.#unsupervised.add(uid);
    this.#show(pod, { reason: 'RuntimeClassNotSupported', message });
  }

  report(pod: Pod, { reason, message }: Refusal): void {
    const uid = podUid(pod);
    const news = this.#news.get(uid) ?? refusalNews(() => performance.now());
    this.#news.set(uid, news);
    if (!news.isNews(`${reason}: ${message}`)) return;
    this.#o.log.warn({ pod: podKey(pod), podUid: uid, reason }, `pod refused: ${message}`);
    this.#o.events.event(podReference(pod), 'Warning', reason, message);
  }

  /** What runs is as it is desired: what is refused from now on is news. */
  settled(uid: string): void {
    this.#news.delete(uid);
  }

  /** It runs, or is gone. Returns what was shown of it. */
  forget(uid: string): Pod | undefined {
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    this.#news.delete(uid);
    this.#unsupervised.delete(uid);
    return pod;
  }

  /** Those of pods that nobody wants any more, for whom nothing else is to be done. Returns them as they were shown. */
  forgetUnwanted(desired: ReadonlyMap<string, unknown>): Pod[] {
    const unwanted = [...this.#pods.keys()].filter((uid) => !desired.has(uid) && !this.isUnsupervised(uid));
    return unwanted.flatMap((uid) => this.forget(uid) ?? []);
  }

  #show(pod: Pod, { reason, message }: Refusal): Pod {
    const refused = withStatus(pod, {
      phase: 'Failed',
      reason,
      message: rejection({ message }),
      startTime: time(this.#o.now()),
    });
    this.#pods.set(podUid(pod), refused);
    return refused;
  }
}
