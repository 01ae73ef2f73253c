/**
 * A decoded text before it is given a type: the same shape for YAML, JSON and parsed request bodies, so that there
 * is one strict decoder. YAML knows the line and column of everything; a parsed body has none.
 */
export interface Position {
  /** From 1; 0 when the value did not come from a text. */
  line: number;
  column: number;
}

export interface MapEntry {
  key: string;
  at: Position;
  value: Tree;
}

export type Tree =
  | { kind: 'map'; at: Position; entries: MapEntry[] }
  | { kind: 'list'; at: Position; items: Tree[] }
  /** `source` is the text of an unquoted YAML scalar: what the user meant when it should have been quoted. */
  | { kind: 'scalar'; at: Position; value: string | number | boolean | null; source?: string };

export const nowhere: Position = { line: 0, column: 0 };

/** Deeper nesting than any manifest has, and shallow enough for recursion. */
export const maxDepth = 100;

/** A plain JSON value as a tree. Undefined when it nests deeper than `maxDepth`. */
export function treeOf(value: unknown, depth = 0): Tree | undefined {
  if (depth > maxDepth) return undefined;
  if (Array.isArray(value)) {
    const items = value.map((item) => treeOf(item, depth + 1));
    return items.every((item) => item !== undefined) ? { kind: 'list', at: nowhere, items } : undefined;
  }
  if (typeof value === 'object' && value !== null) {
    const entries: MapEntry[] = [];
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      const tree = treeOf(item, depth + 1);
      if (tree === undefined) return undefined;
      entries.push({ key, at: nowhere, value: tree });
    }
    return { kind: 'map', at: nowhere, entries };
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', at: nowhere, value };
  }
  // undefined, functions and the like cannot come out of JSON.parse; null is what JSON would make of them.
  return { kind: 'scalar', at: nowhere, value: null };
}

/** The value of a key, first entry wins. */
export const entryOf = (tree: Tree | undefined, key: string): Tree | undefined =>
  tree?.kind === 'map' ? tree.entries.find((entry) => entry.key === key)?.value : undefined;

export function textOf(tree: Tree | undefined): string | undefined {
  return tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined;
}
