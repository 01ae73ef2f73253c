/**
 * What others wrote (names, messages, commands, files) as text that a terminal only shows: control characters, which
 * could move its cursor, retitle it or forge lines, are written as escapes.
 */

/** Lines and tabs stay. */
export const visible = (text: string): string => text.replace(control, escapeOf);

/** For a place of one line: line ends are written as escapes too. */
export const visibleLine = (text: string): string => visible(text).replaceAll('\n', '\\n');

/** For JSON and YAML, which write the other control characters as escapes themselves and take this one in quotes. */
export const visibleObject = (text: string): string => text.replace(late, (char) => `\\u00${hex(char)}`);

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const late = /[\x7f-\x9f]/g;

const escapeOf = (char: string): string => (char === '\r' ? '\\r' : `\\x${hex(char)}`);

const hex = (char: string): string => char.charCodeAt(0).toString(16).padStart(2, '0');
