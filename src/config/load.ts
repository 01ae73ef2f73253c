/**
 * The agent's configuration from its files and its command line, in the kubelet's order: defaults, the file of
 * --config, the *.conf files below --config-dir in lexical order, flags. Strict: every problem is found and told with
 * its place before anything starts; fields that are known but not followed are warned of by name.
 */
import { readdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { defaultRootDir } from '../paths.ts';
import { type AgentConfig, agentConfig } from './agent-config.ts';
import { configz } from './configz.ts';
import { readCredentialProviders } from './credential-providers.ts';
import { type ConfigDocument, knownKubeletFields, readConfigFile } from './document.ts';
import { type AgentFlags, parseFlags } from './flags.ts';
import { type KubeletFieldName, kubeletFields } from './kubelet-fields.ts';
import { laterFields } from './later-fields.ts';
import { ConfigError, type ConfigProblem } from './problems.ts';
import { type RosletValues, rosletFields } from './roslet-fields.ts';
import { effectiveSetting, mergeSettings, type Settings, valuesOf } from './settings.ts';
import { validateKubeletValues } from './validate.ts';

export interface LoadedConfig {
  config: AgentConfig;
  /** To be logged once there is a logger. */
  warnings: string[];
  /** The KubeletConfiguration in force, for `/configz`. */
  configz: object;
}

/** @throws ConfigError that names every problem. */
export async function loadConfig(argv: readonly string[]): Promise<LoadedConfig> {
  const { settings: flagSettings, agent: flags, warnings, problems } = parseFlags(argv);
  const kubelet: Settings = new Map();
  const roslet: Settings = new Map();
  for (const file of await configFiles(flags, problems)) {
    for (const { kind, settings } of await readDocuments(file, problems)) {
      mergeSettings(kind === 'KubeletConfiguration' ? kubelet : roslet, settings);
    }
  }
  // A flag replaces what files say, mappings included.
  for (const [path, setting] of flagSettings) kubelet.set(path, setting);

  const identity = {
    ...readIdentity(flags, valuesOf(rosletFields, roslet).nodeName, problems),
    imageCredentialProviders: await readCredentialProviders(
      flags['image-credential-provider-config'],
      flags['image-credential-provider-bin-dir'],
      problems,
    ),
  };
  const values = valuesOf(kubeletFields, kubelet);
  // Only what is right in itself can be compared.
  if (problems.length === 0) {
    for (const { path, message } of validateKubeletValues(values, identity.kubeconfig !== undefined)) {
      problems.push({ source: sourceOf(kubelet, path), path, message });
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    config: agentConfig(values, rosletValues(roslet, kubelet, identity.kubeconfig !== undefined), identity),
    warnings: [...warnings, ...laterWarnings(kubelet)],
    configz: configz(values),
  };
}

function rosletValues(roslet: Settings, kubelet: Settings, isOfCluster: boolean): RosletValues {
  const values = valuesOf(rosletFields, roslet);
  if (values['runtime.default'] !== 'auto') return values;
  // Who names an engine has one, and pods of a cluster are made for one, though it may come up after the agent.
  const isNamed = effectiveSetting(kubeletFields, kubelet, 'containerRuntimeEndpoint') !== undefined;
  return isNamed || isOfCluster ? { ...values, 'runtime.default': 'cri' } : values;
}

async function configFiles(flags: AgentFlags, problems: ConfigProblem[]): Promise<string[]> {
  const files = flags.config ? [resolve(flags.config)] : [];
  if (flags['config-dir'] === undefined) return files;
  try {
    return [...files, ...(await dropIns(resolve(flags['config-dir'])))];
  } catch (error) {
    problems.push({
      source: '--config-dir',
      path: '',
      message: `cannot be read: ${(error as Error).message}`,
    });
    return files;
  }
}

/** Depth first, each directory in the order of its names, as Go's WalkDir goes. */
async function dropIns(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) files.push(...(await dropIns(path)));
    else if (entry.name.endsWith('.conf')) files.push(path);
  }
  return files;
}

async function readDocuments(file: string, problems: ConfigProblem[]): Promise<ConfigDocument[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    problems.push({ source: file, path: '', message: `cannot be read: ${(error as Error).message}` });
    return [];
  }
  const read = readConfigFile(text, file);
  problems.push(...read.problems);
  return read.documents;
}

function readIdentity(flags: AgentFlags, configuredName: string | undefined, problems: ConfigProblem[]) {
  const nodeName = (flags['hostname-override'] || configuredName || hostname()).trim().toLowerCase();
  if (!isNodeName(nodeName)) {
    const message = `'${nodeName}' cannot be the node's name: lower case letters, digits, '-' and '.' only, at most 253; set nodeName or --hostname-override`;
    problems.push({ source: flags['hostname-override'] ? '--hostname-override' : '', path: '', message });
  }
  const nodeIps = flags['node-ip'] ?? [];
  for (const ip of nodeIps) {
    if (!isIP(ip)) problems.push({ source: '--node-ip', path: '', message: `'${ip}' is no IP address` });
  }
  const cloudProvider = flags['cloud-provider'] ?? '';
  if (!['', 'external'].includes(cloudProvider)) {
    const message = `must be external, not '${cloudProvider}': cloud providers are not built in`;
    problems.push({ source: '--cloud-provider', path: '', message });
  }
  const { kubeconfig, 'bootstrap-kubeconfig': bootstrap } = flags;
  if (bootstrap && !kubeconfig) {
    const message = 'needs --kubeconfig beside it: the path of the kubeconfig to write';
    problems.push({ source: '--bootstrap-kubeconfig', path: '', message });
  }
  const rootDir = resolve(flags['root-dir'] || defaultRootDir);
  return {
    nodeName,
    nodeIps,
    nodeLabels: flags['node-labels'] ?? {},
    rootDir,
    certDir: resolve(flags['cert-dir'] || join(rootDir, 'pki')),
    ...(kubeconfig ? { kubeconfig: resolve(kubeconfig) } : {}),
    ...(bootstrap ? { bootstrapKubeconfig: resolve(bootstrap) } : {}),
    externalCloudProvider: cloudProvider === 'external',
  };
}

/** A DNS subdomain, as the API server wants it (RFC 1123). */
const isNodeName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);

const sourceOf = (settings: Settings, path: KubeletFieldName): string => settings.get(path)?.source ?? '';

function laterWarnings(settings: Settings): string[] {
  return Object.entries(laterFields).flatMap(([path, spec]) => {
    const setting = effectiveSetting(knownKubeletFields, settings, path);
    if (!setting || setting.value === spec.default) return [];
    return [`${setting.source}: ${path} is known but not implemented yet; it has no effect`];
  });
}
