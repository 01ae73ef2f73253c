/**
 * Amounts of resources as plain integers, by resource name: `cpu` in thousandths of a core, everything else in its
 * own unit (bytes, counts). Lists of the API are turned into these once, and all accounting is done on them.
 */
import { formatQuantity, quantityMilliValue, quantityValue } from '../api/quantity.ts';

export type ResourceAmounts = Readonly<Record<string, number>>;

/** A ResourceList of the API. */
export type ResourceList = Readonly<Record<string, string>>;

export function toAmounts(list: ResourceList | undefined): ResourceAmounts {
  return Object.fromEntries(
    Object.entries(list ?? {}).map(([name, quantity]) => [name, toAmount(name, quantity)]),
  );
}

const toAmount = (name: string, quantity: string): number =>
  name === 'cpu' ? quantityMilliValue(quantity) : quantityValue(quantity);

/** As the API writes them: canonical, with binary suffixes for memory. */
export function toResourceList(amounts: ResourceAmounts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, amount]) => [name, formatAmount(name, amount)]),
  );
}

export const sum = (a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts =>
  combine(a, b, (left, right) => left + right);

export const max = (a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts => combine(a, b, Math.max);

/** Not one of Kubernetes' own: others tell how much of it the node has. */
export const isExtended = (name: string): boolean => name.includes('/') && !name.includes('kubernetes.io/');

export const extendedOf = (list: ResourceList = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(list).filter(([name]) => isExtended(name)));

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

function formatAmount(name: string, amount: number): string {
  if (name === 'cpu') return formatQuantity({ nano: BigInt(amount) * 1_000_000n, format: 'DecimalSI' });
  const isBytes = name === 'memory' || name === 'ephemeral-storage' || isHugepages(name);
  const format = isBytes ? 'BinarySI' : 'DecimalSI';
  return formatQuantity({ nano: BigInt(amount) * 1_000_000_000n, format });
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

/** `2Mi`: a number of bytes with the largest binary suffix that loses nothing. */
export const formatBytes = (bytes: number): string =>
  formatQuantity({ nano: BigInt(bytes) * 1_000_000_000n, format: 'BinarySI' });
