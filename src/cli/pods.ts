/** `roslet pods`: the list, a live view on a terminal, lines as they change elsewhere. */
import type { Pod } from '../api/core.gen.ts';
import { columns } from '../apiserver/columns.ts';
import type { RefusedManifest } from '../server/agent-view.ts';
import { type Client, resourcePath, withQuery } from './client.ts';
import { CliError } from './errors.ts';
import { liveView } from './live-view.ts';
import { type Cell, formatRow, formatTable, print, statusStyle } from './output.ts';
import { printObject } from './print-object.ts';
import { visible } from './visible.ts';

export interface PodsOptions {
  /** Undefined: all namespaces. */
  namespace: string | undefined;
  name?: string;
  selector: string;
  output: 'table' | 'wide' | 'json' | 'yaml' | 'name';
  watch: boolean;
}

export async function pods(client: Client, options: PodsOptions, signal: AbortSignal): Promise<number> {
  if (options.watch) return await watchPods(client, options, signal);
  const query = queryOf(options);
  const list = await client.json<{ items: Pod[] }>(
    'GET',
    withQuery(resourcePath('pods', options.namespace), query),
  );
  if (options.name && list.items.length === 0) throw new CliError(`pods "${options.name}" not found`);
  switch (options.output) {
    case 'json':
    case 'yaml':
      await printObject(options.name ? list.items[0]! : list, options.output);
      return 0;
    case 'name':
      for (const pod of list.items) print(`pod/${pod.metadata?.name}`);
      return 0;
    default:
      if (list.items.length > 0) {
        for (const line of table(list.items, options)) print(line);
      } else await explainEmpty(client, options);
      await tellRefused(client);
      return 0;
  }
}

async function watchPods(client: Client, options: PodsOptions, signal: AbortSignal): Promise<number> {
  const events = client.watch<Pod>(resourcePath('pods', options.namespace), queryOf(options));
  const isTable = options.output === 'table' || options.output === 'wide';
  try {
    if (isTable && process.stdout.isTTY) await liveView(events, (items) => table(items, options), signal);
    else await appendChanges(events, options);
  } catch (err) {
    if (!signal.aborted) throw err;
  }
  return 0;
}

/** By column: wide enough for most; what comes later has no other way to line up. Wider cells move those after them. */
const watchWidths: Readonly<Record<string, number>> = {
  NAMESPACE: 11,
  NAME: 26,
  STATUS: 19,
  RESTARTS: 12,
  AGE: 5,
  IP: 15,
};

async function appendChanges(events: ReturnType<Client['watch']>, options: PodsOptions): Promise<void> {
  const printPods = tablePrinter(options);
  const present: Pod[] = [];
  let synced = false;
  for await (const event of events) {
    if (event.type === 'SYNC') {
      synced = true;
      if (present.length > 0) printPods(present);
      continue;
    }
    const pod = event.object as Pod;
    if (options.output === 'json' || options.output === 'yaml') await printObject(pod, options.output);
    else if (options.output === 'name') print(`pod/${pod.metadata?.name}`);
    else if (synced) printPods([pod]);
    else present.push(pod);
  }
}

/** The header comes with the first pods, whose widths count for the later ones too. */
function tablePrinter(options: PodsOptions): (items: readonly Pod[]) => void {
  let widths: number[] | undefined;
  return (items) => {
    const [header = [], ...rows] = tableRows(items, options);
    if (widths === undefined) {
      widths = header.map(({ text }, index) =>
        Math.max(watchWidths[text] ?? text.length, ...rows.map((row) => row[index]?.text.length ?? 0)),
      );
      print(formatRow(header, widths));
    }
    for (const row of rows) print(formatRow(row, widths));
  };
}

const queryOf = ({ name, selector }: PodsOptions): Record<string, string> => ({
  labelSelector: selector,
  fieldSelector: name ? `metadata.name=${name}` : '',
});

const table = (items: readonly Pod[], options: PodsOptions): string[] =>
  formatTable(tableRows(items, options));

/** The header and a row a pod. */
function tableRows(items: readonly Pod[], { namespace, output }: PodsOptions): Cell[][] {
  const nowMs = Date.now();
  const shown = columns.pods.filter((column) => output === 'wide' || !column.wide);
  const withNamespace = namespace === undefined;
  const header = [
    ...(withNamespace ? ['NAMESPACE'] : []),
    ...shown.map((column) => column.name.toUpperCase()),
  ];
  const rows = items.map((pod) => [
    ...(withNamespace ? [{ text: pod.metadata?.namespace ?? '' }] : []),
    ...shown.map((column): Cell => {
      const text = String(column.value(pod, nowMs));
      const style = column.name === 'Status' ? statusStyle(text) : undefined;
      return style ? { text, style } : { text };
    }),
  ]);
  return [header.map((text): Cell => ({ text, style: 'bold' })), ...rows];
}

async function explainEmpty(client: Client, { namespace, selector }: PodsOptions): Promise<void> {
  if (namespace === undefined) {
    process.stderr.write('No pods found\n');
    return;
  }
  const all = await client.json<{ items: Pod[] }>(
    'GET',
    withQuery(resourcePath('pods'), { labelSelector: selector }),
  );
  const hint = all.items.length > 0 ? ` (${all.items.length} in other namespaces: add -A)` : '';
  process.stderr.write(`No pods found in namespace ${namespace}${hint}\n`);
}

/** A manifest that was refused is no pod, but who looks for the pod must learn why. */
async function tellRefused(client: Client): Promise<void> {
  const { items } = await client.json<{ items: RefusedManifest[] }>('GET', '/refusedManifests');
  if (items.length === 0) return;
  process.stderr.write(
    `\n${items.length === 1 ? 'A manifest is' : `${items.length} manifests are`} refused:\n`,
  );
  for (const { file, line, message } of items) {
    const place = line === undefined ? file : `${file}:${line}`;
    process.stderr.write(visible(`  ${place}: ${message}\n`));
  }
}
