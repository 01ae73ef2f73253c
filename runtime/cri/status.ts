/**
 * The runtime's own condition, its handlers and its cgroup driver. The last two are newer parts of CRI; a runtime
 * without them is asked in the older way, or not at all.
 */
import type { RuntimeHandler, RuntimeStatus } from '../runtime.ts';
import type { CallOptions, Connection } from './connection.ts';
import { hasCode } from './errors.ts';
import * as cri from './gen/runtime.ts';
import * as methods from './methods.ts';

export async function runtimeStatus(connection: Connection, options: CallOptions): Promise<RuntimeStatus> {
  const [response, cgroupDriver] = await Promise.all([
    connection.call(methods.status, { verbose: false }, options),
    askCgroupDriver(connection, options),
  ]);
  return {
    conditions: response.status?.conditions ?? [],
    runtimeHandlers: withDefault(
      response.runtimeHandlers.length > 0
        ? response.runtimeHandlers.map(decodeHandler)
        : await handlersFromInfo(connection, options),
    ),
    supplementalGroupsPolicy: response.features?.supplementalGroupsPolicy ?? false,
    cgroupDriver,
  };
}

async function askCgroupDriver(
  connection: Connection,
  options: CallOptions,
): Promise<RuntimeStatus['cgroupDriver']> {
  try {
    const { linux } = await connection.call(methods.runtimeConfig, {}, options);
    if (!linux) return undefined;
    return linux.cgroupDriver === cri.CgroupDriver.SYSTEMD ? 'systemd' : 'cgroupfs';
  } catch (error) {
    if (hasCode(error, 'Unimplemented')) return undefined;
    throw error;
  }
}

function decodeHandler({ name, features }: cri.RuntimeHandler): RuntimeHandler {
  return {
    name,
    recursiveReadOnlyMounts: features?.recursiveReadOnlyMounts ?? false,
    userNamespaces: features?.userNamespaces ?? false,
  };
}

/** containerd 1.x lists its handlers only in the debug information of its status: its configuration as JSON. */
async function handlersFromInfo(connection: Connection, options: CallOptions): Promise<RuntimeHandler[]> {
  const { info } = await connection.call(methods.status, { verbose: true }, options);
  return handlerNames(info.config).map((name) => ({
    name,
    recursiveReadOnlyMounts: false,
    userNamespaces: false,
  }));
}

export function handlerNames(configJson: string | undefined): string[] {
  if (configJson === undefined) return [];
  const config: unknown = JSON.parse(configJson);
  const runtimes = member(member(config, 'containerd'), 'runtimes');
  return typeof runtimes === 'object' && runtimes !== null ? Object.keys(runtimes) : [];
}

const member = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;

const withDefault = (handlers: RuntimeHandler[]): RuntimeHandler[] =>
  handlers.some((handler) => handler.name === '')
    ? handlers
    : [{ name: '', recursiveReadOnlyMounts: false, userNamespaces: false }, ...handlers];
