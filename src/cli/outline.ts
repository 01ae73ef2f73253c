/** Indented `name: value` lines, the values below each other; what is not there is left out. */
import { type Cell, paint } from './output.ts';
import { visible } from './visible.ts';

export type Outline = readonly OutlineEntry[];
/** A value, several lines, or a section of its own. */
export type OutlineEntry = readonly [
  name: string,
  value: string | number | undefined | readonly string[] | Cell | { section: Outline },
];

const indentStep = 2;

export function formatOutline(entries: Outline, indent = 0): string[] {
  const plain = entries.filter(([, value]) => !isSection(value) && !isEmpty(value));
  const width = Math.max(0, ...plain.map(([name]) => visible(name).length)) + 2;
  const margin = ' '.repeat(indent);
  return entries.flatMap(([name, value]) => {
    if (isSection(value)) {
      const inner = formatOutline(value.section, indent + indentStep);
      return inner.length > 0 ? [`${margin}${paint('bold', `${visible(name)}:`)}`, ...inner] : [];
    }
    if (isEmpty(value)) return [];
    const [first = '', ...rest] = linesOf(value);
    const below = ' '.repeat(indent + width);
    return [`${margin}${`${visible(name)}:`.padEnd(width)}${first}`, ...rest.map((line) => below + line)];
  });
}

const isSection = (value: OutlineEntry[1]): value is { section: Outline } =>
  typeof value === 'object' && value !== null && 'section' in value;

const isCell = (value: OutlineEntry[1]): value is Cell =>
  typeof value === 'object' && value !== null && 'text' in value;

/** A line break of the value must not begin a line that looks like an entry. */
function linesOf(value: OutlineEntry[1]): string[] {
  if (isCell(value)) return [value.style ? paint(value.style, visible(value.text)) : visible(value.text)];
  return [value].flat().flatMap((each) => visible(String(each)).split('\n'));
}

const isEmpty = (value: OutlineEntry[1]): boolean =>
  value === undefined || value === '' || (Array.isArray(value) && value.length === 0);

export const mapLines = (map: Record<string, string> | undefined, separator: string): string[] =>
  Object.entries(map ?? {}).map(([key, value]) => `${key}${separator}${value}`);
