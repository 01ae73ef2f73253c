import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LogOptions, limited, readLog } from './read.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'roslet-logs-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const never = new AbortController().signal;

async function newDirectory(): Promise<string> {
  count += 1;
  const directory = join(root, String(count));
  await mkdir(directory);
  return directory;
}

const second = (index: number): string => new Date(1_700_000_000_000 + index * 1000).toISOString();
const line = (index: number, text: string, tag = 'F', stream = 'stdout'): string =>
  `${second(index)} ${stream} ${tag} ${text}\n`;

async function read(path: string, o: Partial<LogOptions> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readLog(path, { timestamps: false, ...o }, never)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A log of these files, oldest first; the last is the one written to, all but the last rotated one compressed. */
async function logOf(files: string[]): Promise<string> {
  const path = join(await newDirectory(), '0.log');
  for (const [index, content] of files.entries()) {
    const name = `${path}.20260101-00000${index}`;
    if (index === files.length - 1) await writeFile(path, content);
    else if (index === files.length - 2) await writeFile(name, content);
    else await writeFile(`${name}.gz`, gzipSync(content));
  }
  return path;
}

describe('readLog', () => {
  it('reads the rotated files too, the compressed ones first', async () => {
    const path = await logOf([line(0, 'a'), line(1, 'b'), line(2, 'c')]);
    expect(await read(path)).toBe('a\nb\nc\n');
  });

  it('reads a file once that is being compressed', async () => {
    const path = await logOf([line(0, 'a'), line(1, 'b'), line(2, 'c')]);
    await writeFile(`${path}.20260101-000001.gz`, gzipSync(line(1, 'b')));
    await writeFile(`${path}.20260101-000001.gz.tmp`, 'half');
    expect(await read(path)).toBe('a\nb\nc\n');
  });

  it('joins a line whose pieces are in two files', async () => {
    const path = await logOf([line(0, 'a', 'P'), line(1, 'b', 'P'), line(2, 'c') + line(3, 'd')]);
    expect(await read(path)).toBe('abc\nd\n');
    expect(await read(path, { tailLines: 2 })).toBe('abc\nd\n');
    expect(await read(path, { tailLines: 1 })).toBe('d\n');
  });

  it('finds the last lines however long they are and wherever the files were cut', async () => {
    const piece = fc.record({
      text: fc.constantFrom('', 'x', 'hello', 'y'.repeat(70_000)),
      tag: fc.constantFrom('F', 'P'),
    });
    const cases = fc.tuple(
      fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      fc.nat({ max: 12 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([files, tailLines]) => {
        let index = 0;
        const contents = files.map((pieces) =>
          pieces.map(({ text, tag }) => line(index++, text, tag)).join(''),
        );
        const path = await logOf(contents);
        const whole = await read(path);
        const lines = whole.split('\n');
        const last = lines.pop() ?? '';
        const all = [
          ...lines.map((each) => `${each}\n`),
          ...(files.flat().at(-1)?.tag === 'P' ? [last] : []),
        ];
        expect(await read(path, { tailLines })).toBe(tailLines === 0 ? '' : all.slice(-tailLines).join(''));
      }),
      { numRuns: 60 },
    );
  });

  it('opens no older file than the last lines need', async () => {
    const path = await logOf(['not compressed at all', line(1, 'b'), line(2, 'c') + line(3, 'd')]);
    await writeFile(`${path}.20260101-000000.gz`, 'not compressed at all');
    expect(await read(path, { tailLines: 2 })).toBe('c\nd\n');
    expect(await read(path, { tailLines: 1, sinceMs: 0 })).toBe('d\n');
    expect(await read(path, { sinceMs: Date.parse(second(2)) + 1 })).toBe('d\n');
    await expect(read(path)).rejects.toThrow();
  });

  it('leaves out what is older than asked, also in rotated files', async () => {
    const path = await logOf([line(0, 'a') + line(1, 'b'), line(2, 'c'), line(3, 'd')]);
    expect(await read(path, { sinceMs: Date.parse(second(1)) })).toBe('b\nc\nd\n');
  });

  it('shows times when asked, and lines in no format as they are', async () => {
    const path = await logOf([`torn stdout F x\n${line(1, 'b')}`]);
    expect(await read(path, { timestamps: true })).toBe(`torn stdout F x\n${second(1)} b\n`);
  });

  it('is empty when there is no log', async () => {
    expect(await read(join(await newDirectory(), '0.log'))).toBe('');
  });

  it('ends at the byte limit', async () => {
    const path = await logOf([line(0, 'hello') + line(1, 'world')]);
    const chunks: Buffer[] = [];
    for await (const chunk of limited(readLog(path, { timestamps: false }, never), 8)) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('hello\nwo');
  });
});

describe('readLog that follows', () => {
  it('goes on over rotations without losing or repeating a line, until it is told that the writer has ended', async () => {
    const path = await logOf([line(0, '0')]);
    const ended = new AbortController();
    const total = 400;
    const write = async (): Promise<void> => {
      for (let index = 1; index < total; index += 1) {
        await appendFile(path, line(index, String(index)));
        if (index % 97 === 0) {
          // As log-rotation.ts does it; the writer above opens the file anew each time.
          await rename(path, `${path}.20260101-000${String(index).padStart(3, '0')}`);
        }
      }
      ended.abort();
    };
    const [text] = await Promise.all([read(path, { followUntil: ended.signal }), write()]);
    expect(text.split('\n').slice(0, -1)).toEqual(Array.from({ length: total }, (_, index) => String(index)));
  });

  it('waits for a log that is not there yet', async () => {
    const path = join(await newDirectory(), '0.log');
    const ended = new AbortController();
    const reading = read(path, { followUntil: ended.signal });
    await writeFile(path, line(0, 'late'));
    ended.abort();
    expect(await reading).toBe('late\n');
  });

  it('begins anew when the file was emptied', async () => {
    const path = await logOf([line(0, 'before')]);
    const ended = new AbortController();
    const chunks: string[] = [];
    for await (const chunk of readLog(path, { timestamps: false, followUntil: ended.signal }, never)) {
      chunks.push(chunk.toString());
      if (chunks.join('') === 'before\n') await writeFile(path, line(1, 'now'));
      if (chunks.join('').endsWith('now\n')) ended.abort();
    }
    expect(chunks.join('')).toBe('before\nnow\n');
  });
});
