/** Eviction thresholds as KubeletConfiguration writes them (`memory.available: 100Mi`, `nodefs.inodesFree: 5%`). */
import { parseQuantity, quantityValue } from '../api/quantity.ts';

export const evictionSignals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;

export type EvictionSignal = (typeof evictionSignals)[number];

export interface Threshold {
  signal: EvictionSignal;
  value: ThresholdValue;
  /** 0: hard. Soft ones act only after having been met for that long. */
  graceMs: number;
  /** What must be there beyond the threshold before the signal counts as recovered. */
  minReclaim: ThresholdValue;
}

export type ThresholdValue = { amount: number } | { fraction: number };

export interface ThresholdConfig {
  evictionHard: Readonly<Record<string, string>>;
  evictionSoft: Readonly<Record<string, string>>;
  /** Go durations, as `1m30s`, already in milliseconds. */
  evictionSoftGracePeriodMs: Readonly<Record<string, number>>;
  evictionMinimumReclaim: Readonly<Record<string, string>>;
}

export class ThresholdError extends Error {
  override readonly name = 'ThresholdError';
}

/** @throws ThresholdError naming the field that is wrong. */
export function parseThresholds(config: ThresholdConfig): Threshold[] {
  const parse = (field: 'evictionHard' | 'evictionSoft', graceOf: (signal: EvictionSignal) => number) =>
    Object.entries(config[field])
      .map(([name, text]) => {
        const signal = parseSignal(field, name);
        const reclaim = config.evictionMinimumReclaim[signal] ?? '0';
        return {
          signal,
          value: parseValue(field, signal, text),
          graceMs: graceOf(signal),
          minReclaim: parseValue('evictionMinimumReclaim', signal, reclaim),
        };
      })
      .filter(({ value }) => !isOff(value));
  const softGrace = (signal: EvictionSignal) => {
    const graceMs = config.evictionSoftGracePeriodMs[signal];
    if (graceMs !== undefined && graceMs > 0) return graceMs;
    throw new ThresholdError(
      `evictionSoft.${signal} needs a grace period in evictionSoftGracePeriod.${signal}`,
    );
  };
  return [...parse('evictionHard', () => 0), ...parse('evictionSoft', softGrace)];
}

/** In units of the signal (bytes, inodes, processes). */
export const thresholdAmount = ({ value }: Pick<Threshold, 'value'>, capacity: number): number =>
  valueAmount(value, capacity);

export const valueAmount = (value: ThresholdValue, capacity: number): number =>
  'amount' in value ? value.amount : Math.trunc(capacity * value.fraction);

function parseSignal(field: string, name: string): EvictionSignal {
  const signal = evictionSignals.find((known) => known === name);
  if (signal !== undefined) return signal;
  throw new ThresholdError(
    `${field}.${name} is not an eviction signal; known are ${evictionSignals.join(', ')}`,
  );
}

function parseValue(field: string, signal: EvictionSignal, text: string): ThresholdValue {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) {
    const fraction = Number(percent) / 100;
    if (fraction <= 1) return { fraction };
  } else if ((parseQuantity(text)?.nano ?? -1n) >= 0n) {
    return { amount: quantityValue(text) };
  }
  throw new ThresholdError(
    `${field}.${signal}: '${text}' is neither a quantity such as 100Mi nor a percentage up to 100%`,
  );
}

/** 0 and 100 % switch a threshold off. */
const isOff = (value: ThresholdValue): boolean =>
  'amount' in value ? value.amount === 0 : value.fraction === 0 || value.fraction >= 1;
