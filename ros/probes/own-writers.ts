/** Lets only those writers of a watched topic count that are the pod's own, or of whom nobody can tell whose they are. */
import type { RosFinding, RosProbeTarget } from '../prober.ts';
import type { EndpointGid, TopicWatch, WatchEvent, WatchOptions } from '../transport.ts';
import { Judging, judgeOwners, participantOf } from './owners.ts';
import type { WatchContext } from './watch-context.ts';

export interface OwnWriters {
  readonly watch: TopicWatch;
  /** ` (1 publisher is not of this pod and is not counted)`, or nothing. */
  aside(): string;
  /** The finding of who is not alive: nobody can tell whether that is so, where not all writers are heard. */
  missed(finding: Omit<RosFinding, 'state'>): RosFinding;
  close(): void;
}

/** `counted`: other writers count than before. */
export type OwnEvent = WatchEvent | { event: 'counted'; atMs: number };

export function watchOwnWriters(
  context: WatchContext,
  topic: string,
  target: RosProbeTarget,
  options: WatchOptions,
  onEvent: (event: OwnEvent) => void,
): OwnWriters {
  const matched = new Set<EndpointGid>();
  let counted: ReadonlySet<EndpointGid> = new Set();
  let others = 0;
  const judging = new Judging();
  const owners = judgeOwners(context, target, choose);

  function choose(): void {
    const judged = [...matched].map((writer) => ({ writer, counts: owners.counts(participantOf(writer)) }));
    const next = new Set(judged.filter(({ counts }) => counts === true).map(({ writer }) => writer));
    others = judged.filter(({ counts }) => counts === false).length;
    judging.note(judged.some(({ counts }) => counts === undefined));
    if (next.size === counted.size && [...next].every((writer) => counted.has(writer))) return;
    counted = next;
    watch.accept(counted);
    onEvent({ event: 'counted', atMs: performance.now() });
  }

  const watch = context.transport.watchTopic(topic, options, (event) => {
    if (event.event === 'matched') matched.add(event.writer);
    if (event.event === 'unmatched') matched.delete(event.writer);
    if (event.event === 'matched' || event.event === 'unmatched') choose();
    onEvent(event);
  });
  watch.accept(counted);

  return {
    watch,
    aside() {
      if (others === 0) return counted.size === 0 ? ' (it has no publisher)' : '';
      const some =
        others === 1
          ? '1 publisher is not of this pod and is'
          : `${others} publishers are not of this pod and are`;
      return ` (${some} not counted)`;
    },
    missed(finding) {
      const { problem } = watch.stats();
      if (problem !== undefined)
        return { ...finding, state: 'unknown', message: `${finding.message}; ${problem}` };
      return judging.missed(finding);
    },
    close() {
      owners.close();
      watch.close();
    },
  };
}
