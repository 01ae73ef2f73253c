/** What `roslet run --help` shows: every flag that has an effect, from the tables that flags are read by. */
import { formatDuration } from './duration.ts';
import type { agentFlags } from './flags.ts';
import { type FieldSpec, kubeletFields } from './kubelet-fields.ts';
import type { FieldKind } from './values.ts';

export const agentFlagNotes: Readonly<Record<keyof typeof agentFlags, string>> = {
  config: 'the configuration file',
  'config-dir': 'a directory of *.conf files that are merged over it',
  'root-dir': 'where the agent keeps everything, its socket included; default /var/lib/roslet',
  'hostname-override': "the node's name; wins over nodeName",
  'node-ip': "the node's addresses, separated by commas",
  kubeconfig: 'how to reach the cluster that this machine is a node of; none: no cluster',
  'bootstrap-kubeconfig':
    'how to ask for a client certificate when the kubeconfig has none that holds; it is then written',
  'cert-dir': 'where issued and self-signed certificates are kept; default pki in the root directory',
  'cloud-provider': 'external: a cloud controller makes the node usable',
  'image-credential-provider-config':
    'a CredentialProviderConfig, or a directory of them: programs that are asked for the credentials of images',
  'image-credential-provider-bin-dir': 'where those programs are',
  'node-labels': "name=value,...: labels of the node, for pods' nodeSelector",
};

export function runHelp(): string {
  const agentRows = Object.entries(agentFlagNotes).map(([name, note]) => [`--${name}`, note]);
  const fieldRows = Object.entries<FieldSpec>(kubeletFields)
    .flatMap(([path, spec]) =>
      spec.flag ? [[`--${spec.flag} ${placeholders[spec.kind]}`, fieldNote(path, spec)]] : [],
    )
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  return `Usage: roslet run [flags]

Runs the agent in the foreground until it is told to end; its pods go on without it.

Examples:
  roslet run --config /etc/roslet/config.yaml
  roslet run --root-dir /tmp/robot --cgroup-root /robot --pod-manifest-path examples

Flags:
${table(agentRows)}

Flags that override a field of the configuration, named as the kubelet's (those of it that have no effect yet are taken too,
with a warning):
${table(fieldRows)}
`;
}

const placeholders: Readonly<Record<FieldKind, string>> = {
  string: 'TEXT',
  bool: '[=false]',
  int: 'NUMBER',
  float: 'NUMBER',
  duration: 'DURATION',
  quantity: 'QUANTITY',
  strings: 'A,B',
  stringMap: 'A=B,...',
  labels: 'A=B,C,...',
  durationOrNs: 'DURATION',
  boolMap: 'A=true,...',
  durationMap: 'A=1m,...',
  quantityMap: 'A=1Gi,...',
  thresholdMap: 'A<1Gi,...',
  taints: 'A=B:EFFECT,...',
  list: 'A,B',
  listMap: 'A:B,...',
};

function fieldNote(path: string, { kind, default: value, oneOf }: FieldSpec): string {
  const choices = oneOf ? ` (${oneOf.join(', ')})` : '';
  if (value === undefined || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)) {
    return `${path}${choices}`;
  }
  const shown = kind === 'duration' ? formatDuration(Number(value)) : String(value);
  return `${path}${choices}; default ${shown}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([left = '']) => left.length));
  return rows.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
