/**
 * Writes docs/configuration.md from the tables that the configuration is read by. `--check` fails when the committed
 * file is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { formatDuration } from '../src/config/duration.ts';
import { laterFlags, mootFlags } from '../src/config/flags.ts';
import { agentFlagNotes } from '../src/config/help.ts';
import { type FieldSpec, kubeletFields } from '../src/config/kubelet-fields.ts';
import { laterFields, mootFields } from '../src/config/later-fields.ts';
import { rosletFields } from '../src/config/roslet-fields.ts';
import type { FieldKind } from '../src/config/values.ts';

const OUT = new URL('../docs/configuration.md', import.meta.url);

const kindNames: Record<FieldKind, string> = {
  string: 'string',
  bool: 'boolean',
  int: 'number',
  float: 'number',
  duration: 'duration',
  quantity: 'quantity',
  strings: 'list of strings',
  stringMap: 'map of strings',
  labels: 'map of strings',
  durationOrNs: 'duration',
  boolMap: 'map of booleans',
  durationMap: 'map of durations',
  quantityMap: 'map of quantities',
  thresholdMap: 'map of quantities or percentages',
  taints: 'list of taints',
  list: 'list',
  listMap: 'map of lists',
};

/** What the table cannot say. */
const notes: Partial<Record<string, string>> = {
  registerNode: 'in a cluster: whether the Node object is created when there is none',
  registerWithTaints: 'of a Node object that is created',
  nodeStatusMaxImages: '-1: all',
  nodeStatusReportFrequency: 'how often the status is told when nothing changed',
  podLogsDir: 'unset: `log/pods` in the root directory, not `/var/log/pods`',
  evictionHard: "unset: the kubelet's own thresholds",
  serializeImagePulls: 'unset: true unless `maxParallelImagePulls` is 2 or more',
  rotateCertificates: 'of the client certificate',
  serverTLSBootstrap: 'requests the serving certificate from the cluster, where it has to be approved',
  port: 'of the HTTPS API; unset: 10250 with `--kubeconfig`, else not served',
  readOnlyPort: 'without TLS and credentials; 0: not served',
  tlsCertFile: 'unset: self-signed, kept in `pki` below the root directory; files are read anew every minute',
  tlsCipherSuites: 'empty: those with forward secrecy; of TLS 1.3 all are always there',
  streamingConnectionIdleTimeout: '0 as the flag: never; in a file: the default',
  'authentication.x509.clientCAFile': 'read anew every minute',
  cgroupDriver: '`systemd` needs cgroup v2; the container engine must say the same',
  cgroupRoot: 'pods are in `<cgroupRoot>/kubepods`',
  podPidsLimit: '-1: no limit',
  oomScoreAdj: 'unset: as the unit has it (`OOMScoreAdjust`), not -999',
  'logging.format': 'unset: text on a terminal, JSON elsewhere',
  'logging.verbosity': '4: debugging, 6: everything',
  'crashLoopBackOff.maxContainerRestartPeriod': '1 s to 5 min',
  cpuManagerPolicy: '`none`: another is refused',
  memoryManagerPolicy: '`None`: another is refused',
  imageServiceEndpoint: 'that of the runtime: another is refused',
  'crashLoopBackOff.initialPeriod':
    'before the second restart of a container that crashes; doubled from there',
  'runtime.default':
    'where pods without a runtimeClassName run: `cri`, `process`, or `auto` (cri in a cluster, where `containerRuntimeEndpoint` is set or a socket is at its default; else process)',
  nodeName: 'unset: the host name, in lower case',
  'ros.transport':
    'the ROS 2 bridge ([ros.md](ros.md)): `cyclone` is built in, `rclnodejs` runs on the ROS 2 that is sourced, `auto` takes that where it can, `off` costs nothing',
  'ros.rclnodejsPath':
    'directory in whose `node_modules` rclnodejs is; unset: beside the agent, or on `NODE_PATH`',
  'ros.robotName': 'first part of the names on the ROS graph; unset: the name of the node',
  'ros.domainId': 'unset: `ROS_DOMAIN_ID` of the environment, else 0',
  'ros.discoveryRange': 'unset: `ROS_AUTOMATIC_DISCOVERY_RANGE` or `ROS_LOCALHOST_ONLY`, else `subnet`',
  'ros.staticPeers': 'unset: `ROS_STATIC_PEERS`',
  'ros.requests':
    'what anybody on the ROS domain may ask for: `read`; `control`: change lifecycle states, restart and delete, too; `all`: apply, which is as good as being root; `auto`: `all` where discovery does not leave this machine, else `control`',
  'ros.diagnosticsPeriod': 'of `/diagnostics`; 0: none',
  socketGroup: 'may use the API socket; that is as good as being root',
};

function defaultText({ kind, default: value }: FieldSpec): string {
  if (value === undefined) return '';
  return `\`${kind === 'duration' ? formatDuration(value as number) : JSON.stringify(value)}\``;
}

function fieldTable(fields: Readonly<Record<string, FieldSpec>>): string {
  const rows = Object.entries(fields).map(([path, spec]) => {
    const flag = spec.flag ? `\`--${spec.flag}\`` : '';
    const values = spec.oneOf
      ? `${spec.oneOf.map((value) => `\`${value}\``).join(', ')}`
      : kindNames[spec.kind];
    return `| \`${path}\` | ${values} | ${defaultText(spec)} | ${flag} | ${notes[path] ?? ''} |`;
  });
  return `| field | value | default | flag | |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

const codeList = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

const agentFlagRows = Object.entries(agentFlagNotes).map(([name, note]) => `| \`--${name}\` | ${note} |`);

const text = `# Configuration

Written by \`scripts/generate-config-doc.ts\` from the tables in \`src/config/\`: do not edit.

roslet reads the kubelet's own configuration format and takes the kubelet's flags. A file holds one or several YAML or JSON
documents:

\`\`\`yaml
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /etc/roslet/manifests
maxPods: 50
crashLoopBackOff:
  maxContainerRestartPeriod: 30s
---
apiVersion: roslet.dev/v1alpha1
kind: RosletConfiguration
runtime:
  default: process
\`\`\`

\`\`\`sh
roslet run --config /etc/roslet/config.yaml --config-dir /etc/roslet/config.d --max-pods 20
\`\`\`

In this order, later ones win: defaults, the file of \`--config\`, the \`*.conf\` files below \`--config-dir\` by the order of
their names (mappings are merged, lists and everything else replaced, \`null\` puts the default back), flags (which replace
mappings too). Relative paths in a file start at the file's directory. A zero or empty value means "not set" where it does
for the kubelet.

Nothing is dropped in silence: an unknown or misspelt field or flag, a wrong type and a value out of range are refused
before anything starts, all at once, each with file, line, column and the nearest known name. What the agent really follows
is at \`/configz\`.

## KubeletConfiguration

These fields are followed, with the kubelet's meaning and, but where a note says otherwise, its defaults.

${fieldTable(kubeletFields)}
## RosletConfiguration

${fieldTable(rosletFields)}
## Flags that are no fields

| flag | |
|---|---|
${agentFlagRows.join('\n')}

## Known, not followed yet

These fields of KubeletConfiguration are checked for their type; setting one to anything but its zero value or the kubelet's default
is warned of once, by name: ${codeList(Object.keys(laterFields))}.

So are these flags: ${codeList(Object.keys(laterFlags).map((name) => `--${name}`))}.

## Taken, with nothing to do

These ask for nothing that could be done here, so that nothing is said of them:

| field | why |
|---|---|
${Object.entries(mootFields)
  .map(([name, { why }]) => `| \`${name}\` | ${why} |`)
  .join('\n')}

The same of flags: ${codeList(Object.keys(mootFlags).map((name) => `--${name}`))}.
`;

if (process.argv.includes('--check')) {
  if (readFileSync(OUT, 'utf8') !== text) {
    console.error('docs/configuration.md is out of date: run node scripts/generate-config-doc.ts');
    process.exit(1);
  }
} else writeFileSync(OUT, text);
