/**
 * Whose participants are, for one probe: each that is asked about is judged once, one scan of the machine at a time, and
 * again when it announces other addresses. The agent itself is nobody's pod.
 */
import type { RosFinding, RosProbeTarget } from '../prober.ts';
import { type EndpointGid, type ParticipantInfo, TransportError } from '../transport.ts';
import { judge, type Ownership } from './ownership.ts';
import type { WatchContext } from './watch-context.ts';

export interface Owners {
  /**
   * Whether signs of life of the participant (24 hex digits) count: it is of the pod, or nobody can tell whose it is.
   * Undefined: not known yet.
   */
  counts(participant: string): boolean | undefined;
  close(): void;
}

/** @param onNews what `counts` tells may be another than before */
export function judgeOwners(
  { transport, log, ...machine }: WatchContext,
  target: RosProbeTarget,
  onNews: () => void,
): Owners {
  const { graph } = transport;
  const judged = new Map<string, { info: ParticipantInfo; owner: Ownership }>();
  const asked = new Set<string>();
  /** Asked about before they were on the graph. */
  const awaited = new Set<string>();
  let isJudging = false;
  let isClosed = false;
  let retrying: NodeJS.Timeout | undefined;
  let retryMs = firstRetryMs;

  function begin(): void {
    if (isJudging || isClosed) return;
    judgeAsked().catch((err: unknown) => log.error({ err }, 'cannot tell whose a ROS 2 process is'));
  }

  async function judgeAsked(): Promise<void> {
    isJudging = true;
    try {
      while (asked.size > 0 && !isClosed) {
        const due = [...asked].flatMap((prefix) => graph.participant(prefix) ?? []);
        for (const prefix of asked) if (graph.participant(prefix) === undefined) awaited.add(prefix);
        asked.clear();
        const { owners, problem } = await judge(due, target, machine);
        if (isClosed) return;
        for (const info of due)
          judged.set(info.prefix, { info, owner: owners.get(info.prefix) ?? 'unknown' });
        if (problem !== undefined) retry(problem);
        if (due.length > 0) onNews();
      }
    } finally {
      isJudging = false;
    }
  }

  function retry(err: Error): void {
    log.warn({ err }, 'cannot tell for now whose a ROS 2 process is');
    clearTimeout(retrying);
    retrying = setTimeout(() => {
      for (const [prefix, { owner }] of judged) if (owner === 'unknown') asked.add(prefix);
      begin();
    }, retryMs);
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  }

  const unsubscribe = graph.onChange(() => {
    for (const [prefix, { info, owner }] of judged) {
      const now = graph.participant(prefix);
      if (now === undefined) judged.delete(prefix);
      else if (now !== info && owner !== 'own') asked.add(prefix);
    }
    if (asked.size > 0) begin();
    if (awaited.size === 0) return;
    // Who is still interested in them asks again.
    awaited.clear();
    onNews();
  });

  return {
    counts(participant) {
      if (participant === transport.prefix) return false;
      const known = judged.get(participant);
      if (known !== undefined) return known.owner !== 'other';
      asked.add(participant);
      begin();
      return undefined;
    },
    close() {
      isClosed = true;
      clearTimeout(retrying);
      unsubscribe();
    },
  };
}

/** For who asks whose each sample is. @throws TransportError when nobody can tell */
export function assertWritersTold({ transport }: WatchContext): void {
  if (transport.capabilities.tellsWriters) return;
  throw new TransportError(
    `${transport.description} does not tell whose a sample is: set ros.transport to cyclone, or use another kind of probe`,
    false,
  );
}

/** For how long something was being found out without which nobody can tell who is missed. */
export class Judging {
  #sinceMs: number | undefined;
  #what = '';

  /** @param isOpen somebody was there of whom it is not known yet whose it is, or what else `what` says */
  note(isOpen: boolean, what = 'whose somebody is that came is being found out'): void {
    this.#sinceMs = isOpen ? (this.#sinceMs ?? performance.now()) : undefined;
    this.#what = what;
  }

  /** The finding of who is not alive: while that is being found out, it is no miss yet. */
  missed(finding: Omit<RosFinding, 'state'>): RosFinding {
    if (this.#sinceMs === undefined || performance.now() - this.#sinceMs >= longestJudgingMs)
      return { ...finding, state: 'missed' };
    return { ...finding, state: 'unknown', isPassing: true, message: `${finding.message}; ${this.#what}` };
  }
}

/** Far more than it takes on a busy machine. */
const longestJudgingMs = 2000;

/** What an endpoint shares with all others of its participant. */
export const participantOf = (gid: EndpointGid): string => gid.slice(0, prefixDigits);

const prefixDigits = 24;
const firstRetryMs = 1000;
const maxRetryMs = 60_000;
