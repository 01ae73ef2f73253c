/** Lets only those writers of a watched topic count that are the pod's own, or of whom nobody can tell whose they are. */
import type { RosProbeTarget } from '../prober.ts';
import type { EndpointGid, TopicWatch, WatchEvent, WatchOptions } from '../transport.ts';
import type { WatchContext } from './kinds.ts';
import { ownership } from './ownership.ts';

export interface OwnWriters {
  readonly watch: TopicWatch;
  /** ` (1 publisher of another pod is not counted)`, or nothing. */
  aside(): string;
  close(): void;
}

export function watchOwnWriters(
  { transport, log }: WatchContext,
  topic: string,
  target: RosProbeTarget,
  options: WatchOptions,
  onEvent: (event: WatchEvent) => void,
): OwnWriters {
  const { graph } = transport;
  const counted = new Set<EndpointGid>();
  const others = new Set<EndpointGid>();
  let isClosed = false;

  async function judge(writer: EndpointGid): Promise<void> {
    const prefix = writer.slice(0, prefixLength);
    const participant = graph.participants().find((p) => p.prefix === prefix);
    const owner = participant === undefined ? 'unknown' : await ownership(participant, target);
    if (isClosed || !watch.writers().some(({ gid }) => gid === writer)) return;
    const [is, isNot] = owner === 'other' ? [others, counted] : [counted, others];
    isNot.delete(writer);
    if (is.has(writer)) return;
    is.add(writer);
    watch.accept(counted);
  }

  function judgeAll(): void {
    for (const { gid } of watch.writers()) {
      if (others.has(gid)) continue;
      judge(gid).catch((err: unknown) => log.warn({ err, topic }, 'cannot tell whose a publisher is'));
    }
  }

  const watch = transport.watchTopic(topic, options, (event) => {
    if (event.event === 'unmatched') {
      others.delete(event.writer);
      if (counted.delete(event.writer)) watch.accept(counted);
    } else if (event.event === 'matched') judgeAll();
    onEvent(event);
  });
  watch.accept(counted);
  judgeAll();
  // Of whom nothing was known at first more may be known now.
  const unsubscribe = graph.onChange(judgeAll);

  return {
    watch,
    aside() {
      if (others.size === 0) return counted.size === 0 ? ' (it has no publisher)' : '';
      const some =
        others.size === 1
          ? '1 publisher is not of this pod and is'
          : `${others.size} publishers are not of this pod and are`;
      return ` (${some} not counted)`;
    },
    close() {
      isClosed = true;
      unsubscribe();
      watch.close();
    },
  };
}

/** Of a gid in hex: what it shares with all endpoints of its participant. */
const prefixLength = 24;
