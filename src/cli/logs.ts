/** `roslet logs`: the log of one container, followed over restarts when asked. */
import { once } from 'node:events';
import { type Client, resourcePath, withQuery } from './client.ts';

export interface LogsOptions {
  namespace: string;
  pod: string;
  container: string | undefined;
  follow?: boolean;
  previous?: boolean;
  /** Seconds. */
  since?: number;
  sinceTime?: string;
  tail?: number;
  timestamps?: boolean;
  limitBytes?: number;
}

export async function logs(client: Client, o: LogsOptions, signal: AbortSignal): Promise<number> {
  const text = (value: number | undefined): string => (value === undefined ? '' : String(value));
  const flag = (value: boolean | undefined): string => (value ? 'true' : '');
  const path = withQuery(`${resourcePath('pods', o.namespace, o.pod)}/log`, {
    container: o.container ?? '',
    follow: flag(o.follow),
    followRestarts: flag(o.follow),
    previous: flag(o.previous),
    sinceSeconds: o.since === undefined ? '' : String(Math.max(1, Math.round(o.since))),
    sinceTime: o.sinceTime ?? '',
    tailLines: text(o.tail),
    timestamps: flag(o.timestamps),
    limitBytes: text(o.limitBytes),
  });
  const stream = await client.stream(path);
  try {
    for await (const chunk of stream) {
      if (!process.stdout.write(chunk as Buffer)) await once(process.stdout, 'drain', { signal });
    }
  } catch (err) {
    if (!signal.aborted) throw err;
  }
  return 0;
}
