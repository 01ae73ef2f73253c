/**
 * Kubernetes resource quantities (`100m`, `1.5Gi`, `2e3`): exact, in units of 1e-9 (the smallest that a quantity can
 * hold). Follows the serialization rules of apimachinery's resource.Quantity: finer digits are rounded up, values
 * beyond 2^63-1 are capped, the canonical form has no fraction and the largest suffix possible.
 */
export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

export interface Quantity {
  /** Value times 10^9. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

/** Undefined when the text is no quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', suffix = '', exponentText] = match;
  const format: QuantityFormat =
    exponentText !== undefined ? 'DecimalExponent' : suffix.endsWith('i') ? 'BinarySI' : 'DecimalSI';
  const digits = BigInt(`${whole}${fraction}` || '0');
  // Past these bounds the result is the cap or the smallest unit anyway, and the power would be huge.
  const exponent = Math.max(-MAX_EXPONENT, Math.min(MAX_EXPONENT, Number(exponentText ?? 0)));
  const decimalExponent = exponent + (DECIMAL_SUFFIXES.get(suffix) ?? 0) - fraction.length + NANO_DIGITS;
  const scaled = digits * 1024n ** BigInt(BINARY_SUFFIXES.get(suffix) ?? 0);
  const magnitude =
    decimalExponent >= 0
      ? scaled * 10n ** BigInt(decimalExponent)
      : divideRoundingUp(scaled, 10n ** BigInt(-decimalExponent));
  const capped = magnitude > MAX_NANO ? MAX_NANO : magnitude;
  return { nano: sign === '-' ? -capped : capped, format };
}

/** The canonical text of a quantity. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const magnitude = nano < 0n ? -nano : nano;
  const isWhole = magnitude % NANO === 0n;
  if (format === 'BinarySI' && isWhole && magnitude >= 1024n * NANO) {
    let mantissa = magnitude / NANO;
    let power = 0;
    while (power < BINARY_NAMES.length - 1 && mantissa % 1024n === 0n) {
      mantissa /= 1024n;
      power++;
    }
    return `${sign}${mantissa}${BINARY_NAMES[power]}`;
  }
  let mantissa = magnitude;
  let thousands = -NANO_DIGITS / 3;
  while (mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    thousands++;
  }
  if (format !== 'DecimalExponent') return `${sign}${mantissa}${DECIMAL_NAMES.get(thousands * 3)}`;
  return `${sign}${mantissa}${thousands === 0 ? '' : `e${thousands * 3}`}`;
}

export const compareQuantities = (a: Quantity, b: Quantity): -1 | 0 | 1 =>
  a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;

/** Keeps the format of the first, as the API does; a zero takes that of the other. */
export const addQuantities = (a: Quantity, b: Quantity): Quantity => ({
  nano: a.nano + b.nano,
  format: a.nano === 0n ? b.format : a.format,
});

/** Whole units (bytes, counts), rounded up. Throws when the text is no quantity: validate before. */
export const quantityValue = (text: string): number => Number(ceilTo(text, NANO));

/** Thousandths (millicores), rounded up. Throws when the text is no quantity: validate before. */
export const quantityMilliValue = (text: string): number => Number(ceilTo(text, NANO / 1000n));

const NANO_DIGITS = 9;
const NANO = 10n ** 9n;
const MAX_NANO = (2n ** 63n - 1n) * NANO;
/** More decimal digits than any quantity has. A longer text is refused rather than computed with. */
const MAX_DIGITS = 100;
const MAX_EXPONENT = 1000;

const DECIMAL_SUFFIXES = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const DECIMAL_NAMES = new Map([...DECIMAL_SUFFIXES].map(([name, exponent]) => [exponent, name]));
const BINARY_NAMES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const BINARY_SUFFIXES = new Map(BINARY_NAMES.map((name, power) => [name, power]));

const PATTERN = new RegExp(
  `^([+-]?)(?=\\.?\\d)(\\d{0,${MAX_DIGITS}})(?:\\.(\\d{0,${MAX_DIGITS}}))?(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\\d+))?$`,
);

const divideRoundingUp = (value: bigint, divisor: bigint): bigint => (value + divisor - 1n) / divisor;

function ceilTo(text: string, unit: bigint): bigint {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error(`"${text}" is not a quantity such as 100m, 1.5 or 64Mi`);
  const { nano } = quantity;
  return nano >= 0n ? divideRoundingUp(nano, unit) : nano / unit;
}
