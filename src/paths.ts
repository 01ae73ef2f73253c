/** Where an agent keeps what it writes: everything is below the root directory, so that agents can run side by side. */
import { join } from 'node:path';

export interface Paths {
  readonly rootDir: string;
  /** pods/<uid>/{volumes,containers,etc-hosts,…} as in the kubelet's root directory. */
  readonly podsDir: string;
  /** The agent's own; those of pods are in it unless configured. */
  readonly logDir: string;
  readonly podLogsDir: string;
  readonly storeDir: string;
  /** State of the embedded process runtime. */
  readonly processDir: string;
  readonly socketPath: string;
  readonly lockPath: string;
}

export function agentPaths(rootDir: string, podLogsDir?: string): Paths {
  return {
    rootDir,
    podsDir: join(rootDir, 'pods'),
    logDir: join(rootDir, 'log'),
    podLogsDir: podLogsDir ?? join(rootDir, 'log', 'pods'),
    storeDir: join(rootDir, 'store'),
    processDir: join(rootDir, 'process'),
    socketPath: join(rootDir, 'roslet.sock'),
    lockPath: join(rootDir, 'roslet.lock'),
  };
}

export const podDir = (paths: Paths, uid: string): string => join(paths.podsDir, oneName(uid));

/** Directory of a pod's container logs, as the kubelet names it. */
export const podLogDir = (paths: Paths, namespace: string, name: string, uid: string): string =>
  join(paths.podLogsDir, oneName(`${namespace}_${name}_${uid}`));

/** Names come from users; none may lead out of its directory. */
function oneName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new TypeError(`${JSON.stringify(name)} cannot be the name of a directory`);
  }
  return name;
}

export const defaultRootDir = '/var/lib/roslet';
