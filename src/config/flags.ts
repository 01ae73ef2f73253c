/**
 * The command line of `roslet run`: the kubelet's flags, read as its flag library does (`--name value`,
 * `--name=value`, `--bool`, `_` for `-`, lists and mappings add up over repetitions), so that a kubelet's command line
 * works here. Flags win over files.
 */
import { nearestName } from '../api/nearest.ts';
import { knownKubeletFields } from './document.ts';
import type { ConfigProblem } from './problems.ts';
import { isZero, limitProblem, mergeMappings, type Settings } from './settings.ts';
import {
  type FieldKind,
  type FieldValue,
  flagTree,
  type KindValues,
  readValue,
  ValueError,
} from './values.ts';

export interface ParsedFlags {
  /** KubeletConfiguration fields set by flags. */
  settings: Settings;
  /** Values of the flags that are no fields. */
  agent: AgentFlags;
  warnings: string[];
  problems: ConfigProblem[];
}

export type AgentFlags = {
  [Name in keyof typeof agentFlags]?: KindValues[(typeof agentFlags)[Name]];
};

/** Flags that stand for no configuration field. */
export const agentFlags = {
  config: 'string',
  'config-dir': 'string',
  'root-dir': 'string',
  'hostname-override': 'string',
  'node-ip': 'strings',
  'node-labels': 'labels',
  kubeconfig: 'string',
  'bootstrap-kubeconfig': 'string',
  'cert-dir': 'string',
  'cloud-provider': 'string',
  'image-credential-provider-config': 'string',
  'image-credential-provider-bin-dir': 'string',
} as const satisfies Record<string, FieldKind>;

export function parseFlags(argv: readonly string[]): ParsedFlags {
  const parsed: ParsedFlags = { settings: new Map(), agent: {}, warnings: [], problems: [] };
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const match = /^(?:--(?<long>[^=]+)|-(?<short>v)(?<level>\d+)?)(?:=(?<value>.*))?$/s.exec(word)?.groups;
    const name = (match?.long ?? match?.short)?.replaceAll('_', '-');
    const attached = match?.value ?? match?.level;
    const flag = name === undefined ? undefined : flagByName(name);
    if (name === undefined) fail(parsed, '', `'${word}' is no flag; roslet run takes only flags`);
    else if (!flag) {
      fail(parsed, `--${name}`, unknownFlag(name));
      // What follows is most likely its value: no problem of its own.
      if (attached === undefined && !words[0]?.startsWith('-')) words.shift();
    } else {
      const text = attached ?? (flag.kind === 'bool' ? 'true' : words.shift());
      if (text === undefined) fail(parsed, `--${name}`, 'needs a value');
      else apply(parsed, name, flag, text);
    }
  }
  return parsed;
}

type Flag = { kind: FieldKind } & (
  | { use: 'field'; path: string }
  | { use: 'agent' }
  | { use: 'later' }
  | { use: 'none' }
);

/** Kubelet flags that are known and not followed. */
export const laterFlags: Readonly<Record<string, FieldKind>> = {
  'azure-container-registry-config': 'string',
  'exit-on-lock-contention': 'bool',
  'experimental-allocatable-ignore-eviction': 'bool',
  'experimental-mounter-path': 'string',
  'lock-file': 'string',
  'maximum-dead-containers': 'int',
  'maximum-dead-containers-per-container': 'int',
  'minimum-container-ttl-duration': 'duration',
};

/** Kubelet flags, those of some older ones too, that ask for nothing that could be done here, or that it ignores itself. */
export const mootFlags: Readonly<Record<string, FieldKind>> = {
  // The container runtime knows its own, and keeps it.
  'pod-infra-container-image': 'string',
  // For cloud providers that were built in, and for volumes that outlived their pods.
  'cloud-config': 'string',
  'keep-terminated-pod-volumes': 'bool',
  'iptables-drop-bit': 'int',
  'iptables-masquerade-bit': 'int',
  // Of the library that the kubelet measures with.
  'application-metrics-count-limit': 'int',
  'boot-id-file': 'string',
  'container-hints': 'string',
  containerd: 'string',
  'containerd-namespace': 'string',
  'enable-load-reader': 'bool',
  'event-storage-age-limit': 'string',
  'event-storage-event-limit': 'string',
  'global-housekeeping-interval': 'duration',
  'housekeeping-interval': 'duration',
  'log-cadvisor-usage': 'bool',
  'machine-id-file': 'string',
  'runtime-cgroups': 'string',
  'storage-driver-buffer-duration': 'duration',
  'storage-driver-db': 'string',
  'storage-driver-host': 'string',
  'storage-driver-password': 'string',
  'storage-driver-secure': 'bool',
  'storage-driver-table': 'string',
  'storage-driver-user': 'string',
};

const fieldsByFlag: ReadonlyMap<string, string> = new Map(
  Object.entries(knownKubeletFields).flatMap(([path, { flag }]) => (flag ? [[flag, path] as const] : [])),
);

function flagByName(name: string): Flag | undefined {
  const path = fieldsByFlag.get(name);
  if (path !== undefined) return { use: 'field', path, kind: knownKubeletFields[path]!.kind };
  if (Object.hasOwn(agentFlags, name)) return { use: 'agent', kind: agentFlags[name as keyof AgentFlags] };
  if (Object.hasOwn(laterFlags, name)) return { use: 'later', kind: laterFlags[name]! };
  return Object.hasOwn(mootFlags, name) ? { use: 'none', kind: mootFlags[name]! } : undefined;
}

function apply(parsed: ParsedFlags, name: string, flag: Flag, text: string): void {
  const source = `--${name}`;
  try {
    const value: FieldValue = readValue(flag.kind, flagTree(flag.kind, text));
    switch (flag.use) {
      case 'field':
        applyField(parsed, source, flag.path, value);
        return;
      case 'agent':
        Object.assign(parsed.agent, { [name]: addUp(parsed.agent[name as keyof AgentFlags], value) });
        return;
      case 'later':
        parsed.warnings.push(`the flag ${source} is known but not implemented yet; it has no effect`);
    }
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    fail(parsed, source, error.message);
  }
}

function applyField(parsed: ParsedFlags, source: string, path: string, value: FieldValue): void {
  const spec = knownKubeletFields[path]!;
  const problem = spec.zeroIsValue || !isZero(value) ? limitProblem(spec, value) : undefined;
  if (problem) fail(parsed, source, problem);
  const before = parsed.settings.get(path)?.value;
  parsed.settings.set(path, { value: addUp(before, value), source });
}

/** A flag given again adds to a list or mapping and replaces anything else. */
function addUp(before: FieldValue | undefined, value: FieldValue): FieldValue {
  if (before === undefined) return value;
  if (Array.isArray(before) && Array.isArray(value)) return [...before, ...value] as FieldValue;
  return mergeMappings(before, value) ?? value;
}

function unknownFlag(name: string): string {
  const others = [agentFlags, laterFlags, mootFlags].flatMap((table) => Object.keys(table));
  const known = [...fieldsByFlag.keys(), ...others];
  const meant = nearestName(name, known);
  return meant ? `is no known flag; did you mean --${meant}?` : 'is no known flag; see roslet run --help';
}

function fail(parsed: ParsedFlags, source: string, message: string): void {
  parsed.problems.push({ source, path: '', message });
}
