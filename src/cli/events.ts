/** `roslet events`: what happened to the pods, oldest first. */
import type { Event } from '../api/core.gen.ts';
import { columns, lastSeen } from '../apiserver/columns.ts';
import { type Client, resourcePath, withQuery } from './client.ts';
import { CliError } from './errors.ts';
import { type Cell, formatRow, formatTable, print } from './output.ts';

export interface EventsOptions {
  /** Undefined: all namespaces. */
  namespace: string | undefined;
  /** `pod/name`, or the name of a pod. */
  about?: string;
  types: string[];
  watch: boolean;
}

/** Wide enough for most; a stream of lines has no other way to line up. */
const watchWidths = [8, 7, 20, 28];

export async function events(client: Client, o: EventsOptions, signal: AbortSignal): Promise<number> {
  const path = resourcePath('events', o.namespace);
  const query = { fieldSelector: selectorOf(o.about) };
  const isWanted = (event: Event): boolean => o.types.length === 0 || o.types.includes(event.type ?? '');
  if (o.watch) {
    try {
      await follow(client, path, query, isWanted);
    } catch (err) {
      if (!signal.aborted) throw err;
    }
    return 0;
  }
  const { items } = await client.json<{ items: Event[] }>('GET', withQuery(path, query));
  const wanted = items.filter(isWanted).sort(byTime);
  if (wanted.length === 0) process.stderr.write('No events found\n');
  else for (const line of formatTable([headerRow(), ...wanted.map(row)])) print(line);
  return 0;
}

async function follow(
  client: Client,
  path: string,
  query: Record<string, string>,
  isWanted: (event: Event) => boolean,
): Promise<void> {
  print(formatRow(headerRow(), watchWidths));
  const past: Event[] = [];
  let synced = false;
  for await (const change of client.watch<Event>(path, query)) {
    if (change.type === 'SYNC') {
      for (const event of past.sort(byTime)) print(formatRow(row(event), watchWidths));
      synced = true;
    } else if (change.type !== 'DELETED' && isWanted(change.object)) {
      if (synced) print(formatRow(row(change.object), watchWidths));
      else past.push(change.object);
    }
  }
}

function selectorOf(about: string | undefined): string {
  if (about === undefined) return '';
  const [kind, name] = about.includes('/') ? about.split('/', 2) : ['pod', about];
  const kinds: Record<string, string> = {
    pod: 'Pod',
    pods: 'Pod',
    po: 'Pod',
    node: 'Node',
    nodes: 'Node',
    no: 'Node',
  };
  if (!kind || !kinds[kind.toLowerCase()] || !name)
    throw new CliError(`--for ${about}: write pod/NAME or node/NAME`);
  return `involvedObject.kind=${kinds[kind.toLowerCase()]},involvedObject.name=${name}`;
}

const shown = columns.events.filter((column) => !column.wide);

const headerRow = (): Cell[] => shown.map(({ name }): Cell => ({ text: name.toUpperCase(), style: 'bold' }));

function row(event: Event): Cell[] {
  const nowMs = Date.now();
  return shown.map((column): Cell => {
    const text = String(column.value(event, nowMs));
    return column.name === 'Type' && text === 'Warning' ? { text, style: 'yellow' } : { text };
  });
}

const byTime = (a: Event, b: Event): number => timeOf(a) - timeOf(b);

const timeOf = (event: Event): number => Date.parse(lastSeen(event) ?? '') || 0;
