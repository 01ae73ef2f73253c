/**
 * Where Node keeps what it compiled of the agent for the agent's next start: below its root directory, which is its own,
 * however it is started. Whoever can write there has the agent run what he likes, so it must be root's alone.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runArguments } from './cli/run-arguments.ts';
import { defaultRootDir } from './paths.ts';

/** Undefined when another command than `run` is meant, and where it cannot be. */
export function compileCacheDir(argv: readonly string[]): string | undefined {
  const args = runArguments(argv);
  if (args === undefined) return undefined;
  const rootDir = resolve(rootDirOf(args) ?? defaultRootDir);
  const dir = join(rootDir, 'compile-cache');
  try {
    // Made by the agent itself, once its configuration was found to be right.
    if (!isOursAlone(rootDir)) return undefined;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return isOursAlone(dir) ? dir : undefined;
  } catch {
    // The agent starts without. What is wrong with the directory it tells when it needs it.
    return undefined;
  }
}

/** The last one counts, as with all flags. */
function rootDirOf(args: readonly string[]): string | undefined {
  const at = args.findLastIndex((word) => /^--root[-_]dir(=|$)/.test(word));
  const [, given] = /=(.*)$/s.exec(args[at] ?? '') ?? [];
  return at < 0 ? undefined : (given ?? args[at + 1]);
}

function isOursAlone(dir: string): boolean {
  const { uid, mode } = statSync(dir);
  return uid === process.geteuid?.() && (mode & 0o022) === 0;
}
