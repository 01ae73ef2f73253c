/** A list that redraws itself in place while it changes, ages included, until the user ends it. */
import type { ObjectMeta } from '../api/core.gen.ts';
import type { WatchEvent } from './client.ts';

const redrawIntervalMs = 1000;

export async function liveView<T extends { metadata?: ObjectMeta }>(
  events: AsyncIterable<WatchEvent<T>>,
  format: (items: T[]) => string[],
  signal: AbortSignal,
): Promise<void> {
  const items = new Map<string, T>();
  let drawnLines = 0;
  const draw = (): void => {
    const keys = [...items.keys()].sort();
    const lines = fitToTerminal(format(keys.map((key) => items.get(key)!)));
    const up = drawnLines > 0 ? `\x1b[${drawnLines}A\r` : '';
    process.stdout.write(`${up}\x1b[J${lines.join('\n')}\n`);
    drawnLines = lines.length;
  };
  let synced = false;
  const timer = setInterval(() => synced && draw(), redrawIntervalMs);
  process.stdout.on('resize', draw);
  try {
    for await (const event of events) {
      if (signal.aborted) return;
      if (event.type === 'SYNC') synced = true;
      else {
        const { namespace, name } = event.object.metadata ?? {};
        const key = `${namespace}/${name}`;
        if (event.type === 'DELETED') items.delete(key);
        else items.set(key, event.object);
      }
      if (synced) draw();
    }
  } finally {
    clearInterval(timer);
    process.stdout.off('resize', draw);
  }
}

/** What a terminal cannot show would scroll and could not be drawn over. */
function fitToTerminal(lines: string[]): string[] {
  // A serial line knows no size and says 0.
  const rows = process.stdout.rows || 24;
  const columns = process.stdout.columns || 80;
  const shown =
    lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more`];
  return shown.map((line) => cut(line, columns));
}

/** Cuts by what is seen; the escape sequences of colours take no room and are kept. */
function cut(line: string, width: number): string {
  let seen = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return line.replace(/(\x1b\[[0-9;]*m)|./gu, (part, style: string | undefined) => {
    if (style) return style;
    seen += 1;
    return seen <= width ? part : '';
  });
}
