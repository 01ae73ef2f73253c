/** resolv.conf(5) of a pod, from its CRI DNS configuration. */
import type { DnsConfig } from '../runtime.ts';

export function renderResolvConf({ servers, searches, options }: DnsConfig): string {
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
