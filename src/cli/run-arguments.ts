/** Finds `run` among the global options, whose values it must not be taken for. */

/** What `run` is to be given, global options included; undefined when another command is meant. */
export function runArguments(argv: readonly string[]): string[] | undefined {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index]!;
    if (word === 'run') return [...argv.slice(0, index), ...argv.slice(index + 1)];
    if (!word.startsWith('-')) return undefined;
    // Only `--name value`, not `--name=value`, takes the next word.
    if (word === '--root-dir') index += 1;
    else if (!word.startsWith('--root-dir=')) return undefined;
  }
  return undefined;
}
