/** Which sysctls a pod may set: those that are namespaced and cannot hurt others, and those that the node's owner allows. */
import type { Pod } from '../api/core.gen.ts';

/** Says why a sysctl of the pod is forbidden; undefined when none is. */
export function forbiddenSysctl(pod: Pod, allowedUnsafe: readonly string[]): string | undefined {
  const { hostNetwork = false, hostIPC = false, securityContext } = pod.spec ?? {};
  for (const { name: written } of securityContext?.sysctls ?? []) {
    const name = dotted(written);
    const namespace = namespaceOf(name);
    if (!safeSysctls.has(name) && !allowedUnsafe.some((pattern) => matches(dotted(pattern), name))) {
      return `"${name}" not allowlisted`;
    }
    if (namespace === 'ipc' && hostIPC) return `"${name}" not allowed with host ipc enabled`;
    if (namespace === 'net' && hostNetwork) return `"${name}" not allowed with host net enabled`;
    if (namespace === undefined) return `"${name}" is not namespaced: it would be set for the whole machine`;
  }
  return undefined;
}

const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

/** `net/ipv4/x` is another way of writing `net.ipv4.x`; an interface name may then hold dots, as `a/b` holds a dot. */
function dotted(name: string): string {
  const firstSeparator = name.search(/[./]/);
  if (firstSeparator < 0 || name[firstSeparator] === '.') return name;
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

function namespaceOf(name: string): 'ipc' | 'net' | undefined {
  if (name.startsWith('net.')) return 'net';
  return /^kernel\.(shm|msg|sem)/.test(name) || name.startsWith('fs.mqueue.') ? 'ipc' : undefined;
}

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
