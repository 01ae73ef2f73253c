/**
 * The Container Network Interface, as a runtime speaks it (CNI specification 1.0): plugins are programs that get their
 * configuration on standard input and answer with a result. A chain is added in order and deleted in reverse.
 */
import { spawn } from 'node:child_process';
import { access, constants, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../runtime.ts';
import { hasCode } from './files.ts';
import { cancelled } from './watch.ts';

export interface NetworkList {
  name: string;
  cniVersion: string;
  plugins: readonly PluginConfig[];
}

interface PluginConfig {
  type: string;
  capabilities?: Record<string, boolean>;
}

export interface CniResult {
  cniVersion?: string;
  ips?: { address: string }[];
}

export interface Attachment {
  containerId: string;
  /** Empty when the namespace is gone already: plugins then free what they keep themselves. */
  netns: string;
  args: string;
  /** By capability: given to the plugins that declare it. */
  runtimeConfig: Record<string, unknown>;
}

const interfaceName = 'eth0';
/** A plugin that hangs must not hold up a pod, nor its removal, for ever. */
const pluginTimeoutMs = 60_000;

/** The first list of the directory in the order of names; undefined when it holds none. */
export async function loadNetworkList(confDir: string): Promise<NetworkList | undefined> {
  let names: string[];
  try {
    names = await readdir(confDir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const name = names.filter((file) => /\.(conflist|conf|json)$/.test(file)).sort()[0];
  return name === undefined ? undefined : parseNetworkList(await readFile(join(confDir, name), 'utf8'), name);
}

export function parseNetworkList(text: string, file: string): NetworkList {
  const invalid = (why: string): RuntimeError =>
    new RuntimeError('FailedPrecondition', `CNI configuration ${file} ${why}`);
  let list: Partial<NetworkList> & Partial<PluginConfig>;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new RuntimeError('FailedPrecondition', `CNI configuration ${file} is not JSON`, { cause });
  }
  if (typeof list !== 'object' || list === null || !list.name) throw invalid('has no name');
  const plugins = list.plugins ?? (list.type ? [list as PluginConfig] : []);
  if (!Array.isArray(plugins) || plugins.length === 0 || plugins.some((plugin) => !plugin?.type))
    throw invalid('names no plugins');
  return { name: list.name, cniVersion: list.cniVersion ?? '0.2.0', plugins };
}

export async function addNetwork(
  list: NetworkList,
  attachment: Attachment,
  binDirs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<CniResult> {
  let result: CniResult | undefined;
  for (const plugin of list.plugins)
    result = parseResult(await runPlugin('ADD', list, plugin, attachment, result, binDirs, signal), plugin);
  return result ?? {};
}

/** Asks every plugin, also when one fails. @throws AggregateError of what failed. */
export async function deleteNetwork(
  list: NetworkList,
  attachment: Attachment,
  result: CniResult | undefined,
  binDirs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const errors: unknown[] = [];
  for (const plugin of [...list.plugins].reverse()) {
    try {
      await runPlugin('DEL', list, plugin, attachment, result, binDirs, signal);
    } catch (error) {
      // A plugin that is not there cannot be asked, now or ever; its devices go with the namespace.
      if (!(error instanceof RuntimeError && error.code === 'FailedPrecondition')) errors.push(error);
    }
  }
  if (errors.length > 0)
    throw new AggregateError(errors, errors.map((error) => (error as Error).message).join('; '));
}

async function runPlugin(
  command: 'ADD' | 'DEL',
  list: NetworkList,
  plugin: PluginConfig,
  attachment: Attachment,
  prevResult: CniResult | undefined,
  binDirs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const wanted = Object.entries(attachment.runtimeConfig).filter(([name]) => plugin.capabilities?.[name]);
  const input = {
    ...plugin,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(prevResult && { prevResult }),
    ...(wanted.length > 0 && { runtimeConfig: Object.fromEntries(wanted) }),
  };
  const env = {
    PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    CNI_COMMAND: command,
    CNI_CONTAINERID: attachment.containerId,
    CNI_NETNS: attachment.netns,
    CNI_IFNAME: interfaceName,
    CNI_ARGS: attachment.args,
    CNI_PATH: binDirs.join(':'),
  };
  const { exitCode, stdout, stderr } = await runWithInput(
    await findPlugin(plugin.type, binDirs),
    JSON.stringify(input),
    env,
    signal,
  );
  if (exitCode === 0) return stdout;
  throw new RuntimeError(
    'Unknown',
    `CNI plugin ${plugin.type} failed to ${command}: ${reasonOf(stdout, stderr)}`,
  );
}

async function findPlugin(type: string, binDirs: readonly string[]): Promise<string> {
  for (const directory of binDirs) {
    const path = join(directory, type);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    }
  }
  throw new RuntimeError('FailedPrecondition', `CNI plugin ${type} is in none of ${binDirs.join(', ')}`);
}

/** @throws RuntimeError for what is no result: it is kept, and looked at whenever somebody asks for the addresses */
export function parseResult(text: string, plugin: Pick<PluginConfig, 'type'>): CniResult {
  let result: unknown;
  try {
    result = JSON.parse(text);
  } catch (cause) {
    throw new RuntimeError('Unknown', `CNI plugin ${plugin.type} answered with no JSON`, { cause });
  }
  if (!isResult(result))
    throw new RuntimeError(
      'Unknown',
      `CNI plugin ${plugin.type} answered with no result: ${text.slice(0, 200)}`,
    );
  return result;
}

function isResult(value: unknown): value is CniResult {
  if (typeof value !== 'object' || value === null) return false;
  const { ips = [] } = value as { ips?: unknown };
  return Array.isArray(ips) && ips.every((ip) => typeof ip?.address === 'string');
}

/** An error is a JSON object with a message on standard output. */
function reasonOf(stdout: string, stderr: string): string {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string };
    return [msg, details].filter(Boolean).join(': ');
  } catch {
    return stdout.trim() || stderr.trim() || 'it said nothing';
  }
}

function runWithInput(
  path: string,
  input: string,
  env: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(pluginTimeoutMs);
    const stop = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const child = spawn(path, [], { env, stdio: 'pipe', cwd: '/', signal: stop, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', (cause) => {
      if (signal?.aborted) reject(cancelled());
      else if (timeout.aborted)
        reject(new RuntimeError('DeadlineExceeded', `${path} did not answer in ${pluginTimeoutMs / 1000} s`));
      else
        reject(new RuntimeError('Unknown', `cannot run the CNI plugin ${path}: ${cause.message}`, { cause }));
    });
    child.once('close', (code) => resolve({ exitCode: code ?? 128, stdout, stderr }));
    // A plugin that fails early does not read its input; its exit code tells.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
