/** Settings as they are gathered from files and flags, each with where it was set, and the values they come to. */
import { formatDuration } from './duration.ts';
import type { FieldSpec, ValuesOf } from './kubelet-fields.ts';
import type { FieldValue } from './values.ts';

export interface Setting {
  value: FieldValue;
  /** `file:line:column`, or the flag. */
  source: string;
}

/** By field path. Null: written as null, which puts the default in force again. */
export type Settings = Map<string, Setting | null>;

export type FieldTable = Readonly<Record<string, FieldSpec>>;

/** Adds a file's settings to those before it, as a JSON merge patch does: mappings merge, all else is replaced. */
export function mergeSettings(into: Settings, more: Settings): void {
  for (const [path, setting] of more) {
    const before = into.get(path);
    const merged = setting && before && mergeMappings(before.value, setting.value);
    into.set(path, merged ? { ...setting, value: merged } : setting);
  }
}

/** The setting of a field, unless it says nothing: a zero where zero means "not set". */
export function effectiveSetting(table: FieldTable, settings: Settings, path: string): Setting | undefined {
  const setting = settings.get(path);
  if (!setting) return undefined;
  const { zeroIsValue } = table[path] ?? {};
  const isMeant = zeroIsValue === true || (zeroIsValue === 'flag' && setting.source.startsWith('--'));
  return isMeant || !isZero(setting.value) ? setting : undefined;
}

/** The value of every field of the table, defaults filled in. */
export function valuesOf<Table extends FieldTable>(table: Table, settings: Settings): ValuesOf<Table> {
  const entries = Object.entries(table).map(([path, spec]) => [
    path,
    effectiveSetting(table, settings, path)?.value ?? spec.default,
  ]);
  // Every value was read as the kind that its field has.
  return Object.fromEntries(entries) as ValuesOf<Table>;
}

/** Why the value is out of the field's limits; undefined when it is not. */
export function limitProblem(spec: FieldSpec, value: FieldValue): string | undefined {
  const { kind, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, oneOf } = spec;
  if (typeof value === 'number' && (value < min || value > max)) {
    const show = (limit: number) => (kind === 'duration' ? formatDuration(limit) : String(limit));
    const range = max === Number.POSITIVE_INFINITY ? `at least ${show(min)}` : `${show(min)} to ${show(max)}`;
    return `must be ${range}, not ${show(value)}`;
  }
  if (oneOf && !oneOf.includes(String(value))) return `must be one of ${oneOf.join(', ')}, not '${value}'`;
  return undefined;
}

export function isZero(value: FieldValue): boolean {
  return typeof value === 'object' ? Object.keys(value).length === 0 : !value;
}

/** Undefined when not both are mappings. Values of one field have one kind, so the result is of that kind too. */
export function mergeMappings(before: FieldValue, value: FieldValue): FieldValue | undefined {
  if (!isMapping(before) || !isMapping(value)) return undefined;
  return { ...before, ...value } as FieldValue;
}

const isMapping = (value: FieldValue): value is FieldValue & object =>
  typeof value === 'object' && !Array.isArray(value);
