/**
 * YAML and JSON texts as trees with positions. Scalars are read as Kubernetes' own YAML reader does (YAML 1.1:
 * `0644` is octal, `yes` is a boolean, dates stay strings), so that a manifest means here what it means to kubectl.
 * Aliases and merge keys are expanded within limits. Never throws, whatever the text.
 */
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { type MapEntry, maxDepth, type Position, type Tree } from './tree.ts';

export interface YamlError {
  at: Position;
  message: string;
}

export interface YamlDocument {
  /** From 0, empty documents counted. */
  index: number;
  at: Position;
  /** Undefined when errors were found. */
  tree?: Tree;
  errors: YamlError[];
}

/** The documents of a text; empty ones are left out. */
export function parseYaml(text: string): YamlDocument[] {
  const lines = new LineCounter();
  let documents: Document.Parsed[];
  try {
    documents = parseWithinLimits(text, lines);
  } catch (error) {
    const message = refusalOf(error);
    return [{ index: 0, at: { line: 1, column: 1 }, errors: [{ at: { line: 1, column: 1 }, message }] }];
  }
  return documents.flatMap((document, index) => readDocument(document, index, lines) ?? []);
}

/** Scalars stay text (`failsafe`): they are resolved here, by Kubernetes' rules instead of the library's. */
const PARSE_OPTIONS = {
  schema: 'failsafe',
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

/** More than any real file has. What is small can take seconds to parse, and the agent does nothing else meanwhile. */
const MAX_DOCUMENTS = 1000;
const MAX_TOKENS = 400_000;

class TooMuch extends Error {}

/** Piece by piece, to stop as soon as it is too much. */
function parseWithinLimits(text: string, lines: LineCounter): Document.Parsed[] {
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer(PARSE_OPTIONS);
  const documents: Document.Parsed[] = [];
  const take = (composed: Iterable<Document.Parsed>): void => {
    for (const document of composed) {
      if (documents.push(document) > MAX_DOCUMENTS) {
        throw new TooMuch(`holds more than ${MAX_DOCUMENTS} documents: use several files`);
      }
    }
  };
  lines.addNewLine(0);
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++tokens > MAX_TOKENS) throw new TooMuch(`holds more than ${MAX_TOKENS} words and signs of YAML`);
    for (const token of parser.next(lexeme)) take(composer.next(token));
  }
  for (const token of parser.end()) take(composer.next(token));
  take(composer.end());
  return documents;
}

function refusalOf(error: unknown): string {
  if (error instanceof TooMuch) return error.message;
  return error instanceof RangeError ? 'is nested too deeply' : `cannot be parsed: ${String(error)}`;
}

/** More than any real file has; an alias bomb reaches it at once. */
const MAX_NODES = 200_000;

function readDocument(
  document: Document.Parsed,
  index: number,
  lines: LineCounter,
): YamlDocument | undefined {
  const root = document.contents as Node | null;
  const at = positionAt(lines, root?.range?.[0] ?? document.range[0]);
  // After the first syntax error the rest is mostly noise that the first one caused.
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    const error = { at: positionAt(lines, syntaxError.pos[0]), message: sentence(syntaxError.message) };
    return { index, at, errors: [error] };
  }
  if (root === null || (isScalar(root) && root.value === '' && root.type === 'PLAIN')) return undefined;
  const reader = new TreeReader(lines);
  const tree = reader.read(root, 0);
  return reader.errors.length === 0 ? { index, at, tree, errors: [] } : { index, at, errors: reader.errors };
}

/** Turns the library's nodes into a tree; collects what is wrong with them. */
class TreeReader {
  readonly errors: YamlError[] = [];
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  readonly #openAliases = new Set<string>();
  #nodeCount = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  read(node: unknown, depth: number): Tree {
    const at = this.#position(node);
    if (++this.#nodeCount > MAX_NODES) {
      if (this.#nodeCount === MAX_NODES + 1) {
        this.#fail(at, `holds more than ${MAX_NODES} values once its aliases are expanded`);
      }
      return nullAt(at);
    }
    if (depth > maxDepth) return this.#fail(at, `is nested deeper than ${maxDepth} levels`);
    if (isAlias(node)) return this.#readAlias(node.source, at, depth);
    if (isNode(node) && node.anchor !== undefined) this.#remember(node.anchor, node);
    if (isMap(node)) return { kind: 'map', at, entries: this.#readEntries(node, depth) };
    if (isSeq(node)) return { kind: 'list', at, items: node.items.map((item) => this.read(item, depth + 1)) };
    if (isScalar(node)) return this.#readScalar(node, at);
    return nullAt(at);
  }

  /** An anchor holds from where it is until the next of its name; a copy of it by an alias changes nothing. */
  #remember(anchor: string, node: Node): void {
    if (this.#openAliases.size === 0) this.#anchors.set(anchor, node);
  }

  #readAlias(name: string, at: Position, depth: number): Tree {
    const target = this.#anchors.get(name);
    if (target === undefined) return this.#fail(at, `alias *${name} has no anchor &${name} before it`);
    if (this.#openAliases.has(name)) return this.#fail(at, `alias *${name} contains itself`);
    this.#openAliases.add(name);
    const tree = this.read(target, depth);
    this.#openAliases.delete(name);
    return tree;
  }

  #readEntries(map: YAMLMap, depth: number): MapEntry[] {
    const entries = new Map<string, MapEntry>();
    const merged: MapEntry[] = [];
    for (const pair of map.items) {
      const at = this.#position(pair.key);
      if (!isScalar(pair.key)) {
        this.#fail(at, 'a key must be plain text');
        continue;
      }
      if (pair.key.value === '<<' && pair.key.type === 'PLAIN') {
        merged.push(...this.#readMerge(pair.value, depth));
        continue;
      }
      if (pair.key.anchor !== undefined) this.#remember(pair.key.anchor, pair.key);
      const key = String(pair.key.value);
      const earlier = entries.get(key);
      const value = this.read(pair.value, depth + 1);
      if (earlier === undefined) entries.set(key, { key, at, value });
      else this.#fail(at, `key "${key}" is there twice; it was first set in line ${earlier.at.line}`);
    }
    // What the mapping sets itself wins over what it merges, and the first merged over later ones.
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    return [...entries.values()];
  }

  #readMerge(value: unknown, depth: number): MapEntry[] {
    const tree = this.read(value, depth + 1);
    const sources = tree.kind === 'list' ? tree.items : [tree];
    return sources.flatMap((source) => {
      if (source.kind === 'map') return source.entries;
      this.#fail(source.at, 'a merge key (<<) takes a mapping or a list of mappings');
      return [];
    });
  }

  #readScalar(node: Scalar, at: Position): Tree {
    const text = node.source ?? String(node.value);
    const isPlain = node.type === 'PLAIN';
    switch (node.tag) {
      case undefined:
        return isPlain
          ? { kind: 'scalar', at, value: resolvePlain(text), source: text }
          : { kind: 'scalar', at, value: text };
      case '!':
      case 'tag:yaml.org,2002:str':
        return { kind: 'scalar', at, value: text };
      case 'tag:yaml.org,2002:bool':
      case 'tag:yaml.org,2002:int':
      case 'tag:yaml.org,2002:float':
      case 'tag:yaml.org,2002:null':
        return { kind: 'scalar', at, value: resolvePlain(text), source: text };
      default:
        return this.#fail(at, `tag ${node.tag} is not supported in manifests`);
    }
  }

  #position(node: unknown): Position {
    return positionAt(this.#lines, isNode(node) ? (node.range?.[0] ?? 0) : 0);
  }

  #fail(at: Position, message: string): Tree {
    this.errors.push({ at, message });
    return nullAt(at);
  }
}

const BOOLEANS = new Map<string, boolean>(
  ['y', 'yes', 'true', 'on', 'n', 'no', 'false', 'off'].flatMap((word, position) =>
    [word, word.toUpperCase(), word[0]!.toUpperCase() + word.slice(1)].map((form) => [form, position < 4]),
  ),
);
const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const INTEGER = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

function resolvePlain(text: string): string | number | boolean | null {
  if (NULLS.has(text)) return null;
  const boolean = BOOLEANS.get(text);
  if (boolean !== undefined) return boolean;
  if (!/^[-+.0-9]/.test(text)) return text;
  const digits = text.replaceAll('_', '');
  if (INTEGER.test(digits)) return integerOf(digits);
  const float = FLOAT.test(digits) ? Number(digits) : Number.NaN;
  return Number.isFinite(float) ? float : text;
}

function integerOf(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const magnitude = text.replace(/^[-+]/, '');
  const octal = /^0[oO]?([0-7]+)$/.exec(magnitude);
  return sign * (octal === null ? Number(magnitude) : Number.parseInt(octal[1]!, 8));
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

const nullAt = (at: Position): Tree => ({ kind: 'scalar', at, value: null });

const sentence = (message: string): string => `YAML syntax: ${message.replace(/\s+/g, ' ').trim()}`;
