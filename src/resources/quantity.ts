/**
 * Resource quantities as the Kubernetes API writes them (`100m`, `1.5Gi`, `2e3`): parsed exactly, with what is finer
 * than a nano rounded up, and turned into the integers that resource accounting works in.
 */

export class QuantityError extends Error {
  override readonly name = 'QuantityError';
  readonly quantity: string;
  constructor(quantity: string) {
    super(
      `'${quantity}' is not a quantity: write a number with an optional suffix, such as 500m, 1.5, 2k, 64Mi or 1e3`,
    );
    this.quantity = quantity;
  }
}

/** The quantity in billionths, rounded away from zero as the API server rounds. */
export function quantityNanos(text: string): bigint {
  const match = grammar.exec(text);
  if (match === null) throw new QuantityError(text);
  const [, sign, whole = '', fraction = '', suffix = '', exponent] = match;
  if (whole === '' && fraction === '') throw new QuantityError(text);
  const power = exponent === undefined ? (decimalSuffixes[suffix] ?? 0) : Number(exponent);
  if (Math.abs(power) > maxExponent) throw new QuantityError(text);
  const digits = BigInt(whole + fraction) * (binarySuffixes[suffix] ?? 1n);
  const scale = power + 9 - fraction.length;
  const nanos = scale >= 0 ? digits * 10n ** BigInt(scale) : ceilDivide(digits, 10n ** BigInt(-scale));
  return sign === '-' ? -nanos : nanos;
}

/** Thousandths, rounded up: the unit of cpu. */
export const quantityMillis = (text: string): number => Number(ceilDivide(quantityNanos(text), 1_000_000n));

/** Whole units, rounded up: bytes, pods, devices. */
export const quantityValue = (text: string): number =>
  Number(ceilDivide(quantityNanos(text), 1_000_000_000n));

const grammar = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d{1,4}))?$/;
/** Beyond it nothing in a machine is counted, and the arithmetic would only cost time. */
const maxExponent = 30;

const decimalSuffixes: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

const binarySuffixes: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor > 0n ? quotient + 1n : quotient;
}
