/** Tables and colours for people; colours only where a terminal shows them and NO_COLOR is not set. */
import { styleText } from 'node:util';
import { visibleLine } from './visible.ts';

export type Style = 'green' | 'yellow' | 'red' | 'dim' | 'bold' | 'cyan';

export interface Cell {
  text: string;
  style?: Style;
}

export const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout });

/** Columns as wide as their widest cell, three spaces apart, as kubectl's. */
export function formatTable(rows: readonly (readonly Cell[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, { text }] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, visibleLine(text).length);
    }
  }
  return rows.map((row) => formatRow(row, widths));
}

export function formatRow(row: readonly Cell[], widths: readonly number[]): string {
  return row
    .map(({ text: raw, style }, index) => {
      const text = visibleLine(raw);
      const padding =
        index === row.length - 1 ? '' : ' '.repeat(Math.max(0, (widths[index] ?? 0) - text.length) + 3);
      return (style ? paint(style, text) : text) + padding;
    })
    .join('');
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Green for what is well, yellow for what is on its way, red for what needs a look. */
export function statusStyle(status: string): Style | undefined {
  if (/^(Running|Completed|Succeeded|Ready|Active|Shutdown)$/.test(status)) return 'green';
  const onTheWay =
    /^(Pending|ContainerCreating|PodInitializing|Terminating|NotReady|(Init:)?(Unconfigured|Inactive|StartConditionUnmet)|Init:\d+\/\d+)$/;
  if (onTheWay.test(status)) return 'yellow';
  return status === 'Unknown' || status === '' ? undefined : 'red';
}
