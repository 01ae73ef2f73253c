/** Collects what is wrong with an object, in words that are the same for the same kind of mistake. */
import { type FieldError, type FieldErrorReason, shown } from './errors.ts';
import { nearestName } from './nearest.ts';

export class FieldErrors {
  readonly items: FieldError[] = [];

  required(path: string, hint = ''): void {
    this.#add(path, 'FieldValueRequired', `is required${hint === '' ? '' : `: ${hint}`}`);
  }

  invalid(path: string, value: unknown, message: string): void {
    this.#add(path, 'FieldValueInvalid', message, value);
  }

  /** The value is none of those allowed. An empty value is taken as missing. */
  notSupported(path: string, value: string, allowed: readonly string[]): void {
    const expected = allowed.filter((item) => item !== '').join(', ');
    if (value === '') this.required(path, `one of ${expected}`);
    else {
      const nearest = nearestName(value, allowed);
      const hint = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
      this.#add(
        path,
        'FieldValueNotSupported',
        `must be one of ${expected}, not ${shown(value)}${hint}`,
        value,
        expected,
      );
    }
  }

  /** Holds a value against those that are allowed; one that is not there is fine. */
  checkOneOf(path: string, value: string | undefined, allowed: readonly string[]): boolean {
    if (value === undefined || allowed.includes(value)) return true;
    this.notSupported(path, value, allowed);
    return false;
  }

  duplicate(path: string, value: unknown, message: string): void {
    this.#add(path, 'FieldValueDuplicate', message, value);
  }

  forbidden(path: string, message: string): void {
    this.#add(path, 'FieldValueForbidden', message);
  }

  notFound(path: string, value: unknown, message: string): void {
    this.#add(path, 'FieldValueNotFound', message, value);
  }

  tooLong(path: string, message: string): void {
    this.#add(path, 'FieldValueTooLong', message);
  }

  /** Holds a value against a rule that says what is wrong with it. */
  check<T>(path: string, value: T, rule: (value: T) => string | undefined): boolean {
    const problem = rule(value);
    if (problem !== undefined) this.invalid(path, value, `${problem}: ${shown(value)}`);
    return problem === undefined;
  }

  /** As `check`, for a name that must be there. */
  checkName(path: string, value: string | undefined, rule: (value: string) => string | undefined): boolean {
    if (value !== undefined && value !== '') return this.check(path, value, rule);
    this.required(path, 'give a name');
    return false;
  }

  #add(path: string, reason: FieldErrorReason, message: string, found?: unknown, expected?: string): void {
    this.items.push({
      path,
      reason,
      message,
      ...(found === undefined ? {} : { found: shown(found) }),
      ...(expected === undefined ? {} : { expected }),
    });
  }
}
