/**
 * Amounts of resources as plain integers, by resource name: `cpu` in thousandths of a core, everything else in its
 * own unit (bytes, counts). Lists of the API are turned into these once, and all accounting is done on them.
 */
import { quantityMillis, quantityValue } from './quantity.ts';

export type ResourceAmounts = Readonly<Record<string, number>>;

/** A ResourceList of the API. */
export type ResourceList = Readonly<Record<string, string>>;

export function toAmounts(list: ResourceList | undefined): ResourceAmounts {
  return Object.fromEntries(
    Object.entries(list ?? {}).map(([name, quantity]) => [name, toAmount(name, quantity)]),
  );
}

export const toAmount = (name: string, quantity: string): number =>
  name === 'cpu' ? quantityMillis(quantity) : quantityValue(quantity);

/** As the API writes them: canonical, binary suffixes for byte sizes that divide evenly. */
export function toResourceList(amounts: ResourceAmounts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, amount]) => [name, formatAmount(name, amount)]),
  );
}

export const sum = (a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts =>
  combine(a, b, (left, right) => left + right);

export const max = (a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts => combine(a, b, Math.max);

export const isHugepages = (name: string): boolean => name.startsWith(hugepagesPrefix);

/** Page size in bytes of `hugepages-2Mi`. */
export const hugepageBytes = (name: string): number => quantityValue(name.slice(hugepagesPrefix.length));

/** `2MB`, `1GB`: how cgroup files and CRI name a huge page size. */
export function pageSizeName(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && size % 1024 === 0 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size}${units[unit]}`;
}

const hugepagesPrefix = 'hugepages-';
const kib = 1024;

function formatAmount(name: string, amount: number): string {
  if (name === 'cpu') return amount % 1000 === 0 ? `${amount / 1000}` : `${amount}m`;
  if (name === 'memory' || isHugepages(name)) return formatBytes(amount);
  return `${amount}`;
}

/** As the kubelet reports memory: the largest suffix that loses nothing. */
export function formatBytes(bytes: number): string {
  const suffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];
  let size = bytes;
  let index = 0;
  while (size !== 0 && size % kib === 0 && index < suffixes.length - 1) {
    size /= kib;
    index += 1;
  }
  return `${size}${suffixes[index]}`;
}

function combine(
  a: ResourceAmounts,
  b: ResourceAmounts,
  pick: (left: number, right: number) => number,
): ResourceAmounts {
  const result: Record<string, number> = { ...a };
  for (const [name, amount] of Object.entries(b)) result[name] = pick(result[name] ?? 0, amount);
  return result;
}
