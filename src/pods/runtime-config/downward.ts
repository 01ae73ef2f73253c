/**
 * The downward API: what a fieldRef or a resourceFieldRef yields, in environment variables and in volumes.
 * Rules: core/v1 ObjectFieldSelector and ResourceFieldSelector.
 */
import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector } from '../../api/core.gen.ts';
import { parseQuantity } from '../../api/quantity.ts';
import { isHugepages, type ResourceAmounts } from '../../resources/amounts.ts';
import { podLevelAmounts } from '../../resources/qos.ts';
import { podName, podNamespace, podUid } from '../identity.ts';
import { ContainerConfigError } from './config-error.ts';

/** What pods may be told about the node that they run on. */
export interface NodeContext {
  nodeName: string;
  /** Primary first. */
  hostIps: readonly string[];
  /** Stands in for limits that are not set. */
  allocatable: ResourceAmounts;
}

/** Fields of the pod's metadata: the ones that a volume may show. */
export function metadataField(pod: Pod, fieldPath: string): string | undefined {
  const subscripted = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscripted !== null) return mapOf(pod, subscripted[1]!)[subscripted[2]!] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return podName(pod);
    case 'metadata.namespace':
      return podNamespace(pod);
    case 'metadata.uid':
      return podUid(pod);
    case 'metadata.labels':
    case 'metadata.annotations':
      return formatMap(mapOf(pod, fieldPath.slice('metadata.'.length)));
    default:
      return undefined;
  }
}

/** @throws ContainerConfigError for a field that is not offered. */
export function podField(
  pod: Pod,
  selector: ObjectFieldSelector,
  node: NodeContext,
  podIps: readonly string[],
): string {
  switch (selector.fieldPath) {
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? node.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? '';
    case 'status.hostIP':
      return node.hostIps[0] ?? '';
    case 'status.hostIPs':
      return node.hostIps.join(',');
    case 'status.podIP':
      return podIps[0] ?? '';
    case 'status.podIPs':
      return podIps.join(',');
    default: {
      const value = metadataField(pod, selector.fieldPath);
      if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${selector.fieldPath}`);
      return value;
    }
  }
}

/**
 * The request or limit divided by the divisor, rounded up. A limit that is 0 or not set is the whole pod's, without one of
 * that the node's allocatable.
 * @param container the one that asks; the selector may name another.
 */
export function resourceField(
  pod: Pod,
  container: Container | undefined,
  selector: ResourceFieldSelector,
  allocatable: ResourceAmounts,
): string {
  const target = selector.containerName ? findContainer(pod, selector.containerName) : container;
  if (target === undefined) throw new ContainerConfigError(`container ${selector.containerName} not found`);
  const [kind = '', resource = ''] = splitOnce(selector.resource, '.');
  if ((kind !== 'limits' && kind !== 'requests') || !isDownwardResource(resource)) {
    throw new ContainerConfigError(`unsupported container resource : ${selector.resource}`);
  }
  const own = nanosOf(target.resources?.[kind]?.[resource] ?? '0');
  const isLeftOut = own === 0n && kind === 'limits';
  const nanos = isLeftOut ? amountNanos(resource, wholeLimit(pod, resource, allocatable)) : own;
  const divisor = nanosOf(selector.divisor ?? '0') || 1_000_000_000n;
  return ((nanos + divisor - 1n) / divisor).toString();
}

/** What is told for a limit that a container does not have. Of huge pages a kubelet tells its own alone. */
function wholeLimit(pod: Pod, resource: string, allocatable: ResourceAmounts): number {
  if (isHugepages(resource)) return 0;
  return podLevelAmounts(pod.spec?.resources?.limits)[resource] || (allocatable[resource] ?? 0);
}

/** `key="value"` lines in the order of the keys, values quoted as Go quotes. */
export const formatMap = (map: Readonly<Record<string, string>>): string =>
  Object.keys(map)
    .sort(byCodePoint)
    .map((key) => `${key}=${quoteGo(map[key]!)}`)
    .join('\n');

function mapOf(pod: Pod, name: string): Record<string, string> {
  return (name === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations) ?? {};
}

function findContainer(pod: Pod, name: string): Container | undefined {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(
    (container) => container.name === name,
  );
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

const isDownwardResource = (resource: string): boolean =>
  resource === 'cpu' || resource === 'memory' || resource === 'ephemeral-storage' || isHugepages(resource);

const amountNanos = (resource: string, amount: number): bigint =>
  BigInt(amount) * (resource === 'cpu' ? 1_000_000n : 1_000_000_000n);

function nanosOf(text: string): bigint {
  const quantity = parseQuantity(text);
  if (quantity === undefined)
    throw new ContainerConfigError(`"${text}" is not a quantity such as 100m or 64Mi`);
  return quantity.nano;
}

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const shortEscapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quoteGo(text: string): string {
  const body = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (char) => {
    const code = char.codePointAt(0)!;
    if (shortEscapes[char] !== undefined) return shortEscapes[char];
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${body}"`;
}
