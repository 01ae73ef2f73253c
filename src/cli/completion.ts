/** `roslet completion`: scripts for the shells, which ask the CLI itself what may come next (`roslet __complete`). */
import type { Command, Option } from 'commander';
import type { Pod } from '../api/core.gen.ts';
import { type Client, resourcePath } from './client.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

export function completion(shell: Shell): number {
  print(scripts[shell]);
  return 0;
}

/**
 * Prints what the last of the words may become, a line each. The client is only asked for names, and an agent that
 * does not answer has none: completion never fails.
 */
export async function complete(program: Command, client: Client, words: readonly string[]): Promise<number> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const name = before.find((word) => program.commands.some((each) => each.name() === word));
  const command = program.commands.find((each) => each.name() === name) ?? program;
  const option = optionOf(program, command, before.at(-1) ?? '');
  const candidates = await candidatesFor(program, command, option, current, client);
  for (const each of candidates) if (each.startsWith(current)) print(each);
  return 0;
}

/** Commands whose argument is a pod. */
const takePods: ReadonlySet<string> = new Set([
  'pods',
  'logs',
  'exec',
  'attach',
  'describe',
  'delete',
  'lifecycle',
]);

async function candidatesFor(
  program: Command,
  command: Command,
  option: Option | undefined,
  current: string,
  client: Client,
): Promise<string[]> {
  if (option) {
    if (option.long === '--namespace')
      return [...new Set((await pods(client)).map((pod) => pod.metadata?.namespace ?? ''))];
    if (option.long === '--container')
      return (await pods(client)).flatMap((pod) => pod.spec?.containers ?? []).map((each) => each.name);
    // Without candidates of ours the shell offers files.
    return option.argChoices ?? [];
  }
  if (current.startsWith('-')) {
    return [...command.options, ...program.options]
      .flatMap(({ short, long }) => [long, short])
      .filter((each) => each !== undefined);
  }
  if (command === program)
    return program.commands.map((each) => each.name()).filter((each) => !each.startsWith('__'));
  if (command.name() === 'completion') return [...shells];
  if (!takePods.has(command.name())) return [];
  const names = (await pods(client)).map((pod) => pod.metadata?.name ?? '');
  return command.name() === 'describe' ? ['node', ...names] : names;
}

/** The option whose value is to be completed. */
function optionOf(program: Command, command: Command, word: string): Option | undefined {
  const option = [...command.options, ...program.options].find(
    ({ short, long }) => word === long || word === short,
  );
  return option?.required ? option : undefined;
}

async function pods(client: Client): Promise<Pod[]> {
  try {
    return (await client.json<{ items: Pod[] }>('GET', resourcePath('pods'))).items;
  } catch (err) {
    if (err instanceof CliError) return [];
    throw err;
  }
}

const scripts: Readonly<Record<Shell, string>> = {
  bash: `# roslet completion for bash: source <(roslet completion bash)
_roslet() {
  local IFS=$'\\n'
  COMPREPLY=($(roslet __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _roslet roslet`,
  zsh: `#compdef roslet
# roslet completion for zsh: source <(roslet completion zsh)
_roslet() {
  local -a candidates
  candidates=(\${(f)"$(roslet __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#candidates} )); then compadd -- $candidates; else _files; fi
}
compdef _roslet roslet`,
  fish: `# roslet completion for fish: roslet completion fish | source
function __roslet_complete
  set -l words (commandline -opc) (commandline -ct)
  roslet __complete -- $words[2..-1] 2>/dev/null
end
complete -c roslet -a '(__roslet_complete)'`,
};
