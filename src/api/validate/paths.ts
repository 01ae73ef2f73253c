/** Paths and file modes as volumes and mounts take them. */
import { child } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import type { NameRule } from '../names.ts';

/** A path that cannot climb out of where it starts by `..`. */
export const pathWithoutBacksteps: NameRule = (value) =>
  value.split('/').includes('..') ? 'must not contain ".."' : undefined;

/** A path below some directory. */
export const relativePath: NameRule = (value) =>
  value.startsWith('/') ? 'must be relative, without a "/" at its start' : pathWithoutBacksteps(value);

/** A path below a volume, whose own files start with `..`. */
export const volumeFilePath: NameRule = (value) =>
  relativePath(value) ?? (value.startsWith('..') ? 'must not start with ".."' : undefined);

export function validateFileMode(
  holder: { defaultMode?: number; mode?: number },
  field: 'defaultMode' | 'mode',
  path: string,
  errors: FieldErrors,
): void {
  const mode = holder[field];
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return;
  errors.invalid(child(path, field), mode, `must be between 0 and 0777 (511 as a decimal): ${mode}`);
}
