/**
 * `$(VAR)` references as in command, args, env values and subPathExpr: `$(NAME)` becomes the variable's value, `$$`
 * becomes `$`, everything else stays as it is. One pass: a value that was put in is not expanded again.
 */

/** Returns undefined for a variable that does not exist; its reference then stays as written. */
export type Lookup = (name: string) => string | undefined;

export function expand(input: string, lookup: Lookup): string {
  let output = '';
  let cursor = 0;
  for (;;) {
    const dollar = input.indexOf('$', cursor);
    if (dollar === -1 || dollar === input.length - 1) return output + input.slice(cursor);
    output += input.slice(cursor, dollar);
    const next = input[dollar + 1];
    const close = next === '(' ? input.indexOf(')', dollar + 2) : -1;
    if (close !== -1) {
      output += lookup(input.slice(dollar + 2, close)) ?? input.slice(dollar, close + 1);
      cursor = close + 1;
    } else {
      output += next === '$' ? '$' : `$${next}`;
      cursor = dollar + 2;
    }
  }
}

/** As `expand`, and the names that had no value. */
export function expandStrict(input: string, lookup: Lookup): { value: string; missing: string[] } {
  const missing: string[] = [];
  const value = expand(input, (name) => {
    const found = lookup(name);
    if (found === undefined) missing.push(name);
    return found;
  });
  return { value, missing };
}
