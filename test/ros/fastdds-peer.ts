/** The Fast DDS peer: built from the distribution's library, once, and kept in the cache of the tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheDir } from '../peers/cache.ts';

const source = join(import.meta.dirname, 'fastdds-peer.cc');

/** Undefined where the library is not installed (another version of it has another interface). */
export function fastddsPeerProgram(): string | undefined {
  if (!existsSync('/usr/include/fastrtps/fastrtps_all.h')) return undefined;
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const program = join(cacheDir(), `fastdds-peer-${digest}`);
  if (existsSync(program)) return program;
  const fresh = `${program}.${process.pid}`;
  execFileSync('g++', ['-std=c++17', '-O1', '-o', fresh, source, '-lfastrtps', '-lfastcdr']);
  renameSync(fresh, program);
  return program;
}

export interface FastddsPeer {
  readonly pid: number;
  /** What it said. */
  readonly lines: readonly string[];
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

export function startFastddsPeer(program: string, domainId: number, ...args: string[]): FastddsPeer {
  const child: ChildProcess = spawn(program, [String(domainId), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  return {
    pid: child.pid!,
    lines,
    signal: (signal) => void child.kill(signal),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
