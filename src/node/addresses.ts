/** The addresses that a node has when nobody configured them: those of its own interfaces, IPv4 first. */
import { networkInterfaces } from 'node:os';

/** Primary first. A machine without a network is reached by its loopback address. */
export function machineAddresses(interfaces = networkInterfaces()): string[] {
  const all = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter((a) => !a.internal && !a.address.startsWith('fe80:') && !a.address.startsWith('169.254.'));
  const first = (family: string) => all.find((a) => a.family === family)?.address;
  const found = [first('IPv4'), first('IPv6')].filter((a) => a !== undefined);
  return found.length > 0 ? found : ['127.0.0.1'];
}

/** Without those that container engines and virtual machines make: nobody outside finds the machine there. */
export const outwardInterfaces = (interfaces = networkInterfaces()): typeof interfaces =>
  Object.fromEntries(Object.entries(interfaces).filter(([name]) => !inward.test(name)));

const inward =
  /^(docker|br-|veth|cni|cali|flannel|podman|virbr|vnet|lxc|lxd|weave|cilium|kube-|nodelocaldns)/;
