/** The commands with their options and help. What a command does is in the module that its action loads. */
import { hostname } from 'node:os';
import { Argument, Command, CommanderError, Option } from 'commander';
import { agentPaths, defaultRootDir } from '../paths.ts';
import { type LifecycleTransition, lifecycleTransitions } from '../pods/lifecycle-machine.ts';
import { type Client, createClient } from './client.ts';
import { complete, completion, type Shell, shells } from './completion.ts';
import type { DoctorAccess } from './doctor.ts';
import { CliError } from './errors.ts';
import { duration, examples, list, wholeNumber } from './option-values.ts';
import type { RosAccess } from './ros.ts';
import { addRosCommands } from './ros-commands.ts';
import { visible } from './visible.ts';

/** Runs any command but `run`. Returns the exit code; errors are printed. */
export async function runProgram(
  argv: readonly string[],
  access: ProgramAccess,
  signal: AbortSignal,
): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(access, signal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (err) {
    // Commander has printed its own errors, and help is none.
    if (err instanceof CommanderError) return err.exitCode;
    if (signal.aborted) return 130;
    if (!(err instanceof CliError)) throw err;
    process.stderr.write(visible(`${program.name()}: ${err.message}\n`));
    return err.exitCode;
  }
}

/** What commands reach that need no agent. */
export interface ProgramAccess {
  ros: RosAccess;
  doctor(): Promise<DoctorAccess>;
}

interface GlobalOptions {
  rootDir: string;
  socket?: string;
}

interface NamespaceOptions {
  namespace: string;
  allNamespaces?: boolean;
}

interface ProcessOptions {
  namespace: string;
  container?: string;
  stdin: boolean;
  tty: boolean;
}

function buildProgram(
  { doctor: doctorAccess, ros }: ProgramAccess,
  signal: AbortSignal,
  exit: (code: number) => void,
): Command {
  const program = new Command('roslet')
    .description('Launches and supervises the pods of this machine.')
    .option('--root-dir <dir>', "the agent's directory; its socket is found there", defaultRootDir)
    .option('--socket <path>', "the agent's socket, when it is not in its root directory")
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('(add --help for the options)')
    .exitOverride();
  const clientAt = ({ rootDir, socket }: GlobalOptions): Client =>
    createClient(socket ?? agentPaths(rootDir).socketPath, signal);
  const client = (command: Command): Client => clientAt(command.optsWithGlobals<GlobalOptions>());

  // Only for the help: `run` never comes here, its flags are the agent's to read.
  program.command('run').description('run the agent (roslet run --help shows its flags)').helpOption(false);

  inNamespace(program.command('pods'))
    .argument('[name]', 'one pod')
    .description('list pods')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only pods with these labels: app=camera,tier!=test', '')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['wide', 'json', 'yaml', 'name'])
        .default('table', 'table'),
    )
    .option('-w, --watch', 'show changes as they come; redraws in place on a terminal')
    .addHelpText('after', examples('roslet pods', 'roslet pods -A -w', 'roslet pods camera -o yaml'))
    .action(async (name: string | undefined, _o, command: Command) => {
      const o = command.opts<NamespaceOptions & { selector: string; output: 'table'; watch?: boolean }>();
      const { pods } = await import('./pods.ts');
      const options = { ...o, name, namespace: namespaceOf(o), watch: o.watch ?? false };
      exit(await pods(client(command), options, signal));
    });

  inNamespace(program.command('logs'))
    .argument('<pod>')
    .argument('[container]', 'same as -c')
    .description("print a container's log")
    .option('-c, --container <name>', 'which container; the first one unless given')
    .option('-f, --follow', 'print what comes, over rotation and restarts of the container')
    .option('-p, --previous', "the log of the container's run before")
    .option('--since <duration>', 'only what is newer: 10s, 5m, 2h', duration)
    .option('--since-time <time>', 'only what is newer than this time (RFC 3339)')
    .option('--tail <lines>', 'only the last lines', wholeNumber)
    .option('--timestamps', 'with the time of each line')
    .option('--limit-bytes <bytes>', 'at most so much', wholeNumber)
    .addHelpText(
      'after',
      examples('roslet logs camera', 'roslet logs -f --tail 20 camera', 'roslet logs -p camera driver'),
    )
    .action(async (pod: string, container: string | undefined, _o, command: Command) => {
      const { logs } = await import('./logs.ts');
      const o = command.opts<NamespaceOptions & { container?: string }>();
      exit(await logs(client(command), { container, ...o, pod }, signal));
    });

  inNamespace(program.command('exec'))
    .argument('<pod>')
    .argument('<command...>')
    .usage('[options] <pod> -- <command...>')
    .description('run a command in a container; its exit code becomes ours')
    .option('-c, --container <name>', 'which container; the first one unless given')
    .option('-i, --stdin', 'pass our input on', false)
    .option('-t, --tty', 'with a terminal', false)
    .addHelpText('after', examples('roslet exec camera -- ls /dev', 'roslet exec -it camera -- sh'))
    .action(async (pod: string, words: string[], _o, command: Command) => {
      const { exec } = await import('./exec.ts');
      const o = command.opts<ProcessOptions>();
      exit(await exec(client(command), { ...o, pod }, words, signal));
    });

  inNamespace(program.command('attach'))
    .argument('<pod>')
    .description("join a container's main process")
    .option('-c, --container <name>', 'which container; the first one unless given')
    .option('-i, --stdin', 'pass our input on', false)
    .option('-t, --tty', 'with a terminal', false)
    .addHelpText('after', examples('roslet attach camera', 'roslet attach -it shell'))
    .action(async (pod: string, _o, command: Command) => {
      const { attach } = await import('./exec.ts');
      const o = command.opts<ProcessOptions>();
      exit(await attach(client(command), { ...o, pod }, signal));
    });

  inNamespace(program.command('events'))
    .description('list what happened, oldest first')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--for <object>', 'only about pod/NAME or node/NAME')
    .option('--types <types>', 'only these: Normal,Warning', list, [])
    .option('-w, --watch', 'go on with what happens', false)
    .addHelpText(
      'after',
      examples('roslet events', 'roslet events --for pod/camera -w', 'roslet events -A --types Warning'),
    )
    .action(async (_o, command: Command) => {
      const { events } = await import('./events.ts');
      const o = command.opts<NamespaceOptions & { for?: string; types: string[]; watch: boolean }>();
      exit(await events(client(command), { ...o, namespace: namespaceOf(o), about: o.for }, signal));
    });

  inNamespace(program.command('describe'))
    .argument('<what>', 'a pod, or node')
    .description('tell all about a pod or this node, with its events')
    .addHelpText('after', examples('roslet describe camera', 'roslet describe node'))
    .action(async (what: string, _o, command: Command) => {
      const { describe } = await import('./describe.ts');
      exit(await describe(client(command), command.opts<NamespaceOptions>().namespace, what));
    });

  program
    .command('top')
    .description('show what the pods and the node use')
    .option('-c, --containers', 'a line for each container', false)
    .addHelpText('after', examples('roslet top', 'roslet top --containers'))
    .action(async (_o, command: Command) => {
      const { top } = await import('./top.ts');
      exit(await top(client(command), command.opts<{ containers: boolean }>().containers, signal));
    });

  program
    .command('lint')
    .argument('<file...>', 'manifests, directories of manifests, or - for standard input')
    .description('check manifests; needs no agent')
    .option('--node-name <name>', 'as the node of this name', hostname().toLowerCase())
    .addHelpText('after', examples('roslet lint camera.yaml', 'roslet lint /etc/roslet/manifests'))
    .action(async (files: string[], _o, command: Command) => {
      const { lint } = await import('./lint.ts');
      exit(await lint(files, command.opts<{ nodeName: string }>().nodeName));
    });

  inNamespace(program.command('apply'))
    .description('create or change pods, config maps and secrets')
    .requiredOption('-f, --filename <path...>', 'manifest, directory of manifests or - for standard input')
    .option('--force', 'delete and create anew what cannot be changed in place')
    .option('--dry-run', 'check everything, keep nothing')
    .addHelpText('after', examples('roslet apply -f camera.yaml', 'cat camera.yaml | roslet apply -f -'))
    .action(async (_o, command: Command) => {
      const { apply } = await import('./apply.ts');
      const o = command.opts<NamespaceOptions & { filename: string[]; force?: boolean; dryRun?: boolean }>();
      exit(await apply(client(command), { force: false, dryRun: false, ...o }, signal));
    });

  inNamespace(program.command('delete'))
    .argument('[pod...]')
    .description('delete pods, or what manifests name')
    .option('-f, --filename <path...>', 'manifest, directory of manifests or - for standard input')
    .option('--grace-period <seconds>', 'time for the containers to end by themselves', wholeNumber)
    .option('--force', 'forget the object at once; the containers are killed')
    .option('--no-wait', 'return before it is gone')
    .addHelpText('after', examples('roslet delete camera', 'roslet delete -f camera.yaml --grace-period 5'))
    .action(async (names: string[], _o, command: Command) => {
      const { deleteObjects } = await import('./delete.ts');
      const o = command.opts<
        NamespaceOptions & { filename?: string[]; gracePeriod?: number; force?: boolean; wait: boolean }
      >();
      exit(await deleteObjects(client(command), { force: false, ...o, names }, signal));
    });

  addRosCommands(program.command('ros'), ros, signal, exit);

  inNamespace(program.command('lifecycle'))
    .argument('<pod>')
    .addArgument(new Argument('[transition]', 'what to do').choices(lifecycleTransitions))
    .description("tell or change a pod's state as a managed node of ROS")
    .addHelpText('after', examples('roslet lifecycle camera', 'roslet lifecycle camera deactivate'))
    .action(async (pod: string, transition: LifecycleTransition | undefined, _o, command: Command) => {
      const { lifecycle } = await import('./lifecycle.ts');
      exit(await lifecycle(client(command), command.opts<NamespaceOptions>().namespace, pod, transition));
    });

  program
    .command('doctor')
    .description('look at this machine, with or without an agent, and say what to do about it')
    .option('--config <file>', "the agent's configuration, where it has one")
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text', 'text'),
    )
    .addHelpText('after', examples('sudo roslet doctor', 'roslet doctor -o json'))
    .action(async (o: { config?: string; output: 'text' | 'json' }) => {
      const { doctor } = await import('./doctor.ts');
      exit(await doctor(await doctorAccess(), o));
    });

  program
    .command('version')
    .description('print the version of the CLI and of the agent')
    .action(async (_o, command: Command) => {
      const { version } = await import('./version.ts');
      exit(await version(client(command)));
    });

  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(shells))
    .description('print the completion script of a shell')
    .addHelpText('after', examples('source <(roslet completion bash)', 'roslet completion fish | source'))
    .action((shell: Shell) => exit(completion(shell)));

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const rootDir = valueAfter('--root-dir', words) ?? defaultRootDir;
      exit(await complete(program, clientAt({ rootDir, socket: valueAfter('--socket', words) }), words));
    });

  return program;
}

function valueAfter(option: string, words: readonly string[]): string | undefined {
  const index = words.indexOf(option);
  return index < 0 ? undefined : words[index + 1];
}

const inNamespace = (command: Command): Command =>
  command.option('-n, --namespace <name>', 'namespace', 'default');

const namespaceOf = (o: NamespaceOptions): string | undefined => (o.allNamespaces ? undefined : o.namespace);
