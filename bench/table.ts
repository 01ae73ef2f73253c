/** A table that is filled in any order. */
import { cpus, loadavg } from 'node:os';

export class Table {
  readonly #title: string;
  readonly #rows = new Map<string, Map<string, string>>();
  readonly #loadBefore = load();

  constructor(title: string) {
    this.#title = title;
  }

  note(row: string, column: string, value: string): void {
    const cells = this.#rows.get(row) ?? new Map<string, string>();
    this.#rows.set(row, cells.set(column, value));
  }

  print(): void {
    const columns = [...new Set([...this.#rows.values()].flatMap((row) => [...row.keys()]))];
    const width = Math.max(...[...this.#rows.keys()].map((row) => row.length));
    const line = (head: string, cells: string[]) =>
      console.log(`${head.padEnd(width)}${cells.map((cell) => cell.padStart(20)).join('')}`);
    console.log(`\n${this.#title}: ${cpus().length} CPUs, load ${this.#loadBefore} before, ${load()} after`);
    line('', columns);
    for (const [row, cells] of this.#rows)
      line(
        row,
        columns.map((column) => cells.get(column) ?? '-'),
      );
  }
}

const load = (): string => loadavg()[0]!.toFixed(1);
