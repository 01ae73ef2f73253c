/**
 * Fields that an older runtime drops in silence, and what would then run is not what was asked for. Each is refused
 * where the runtime does not say (Status) or show (ContainerStatus) that it knows the field.
 */
import { capabilityNames, normalizedCapability } from '../capabilities.ts';
import { type ContainerConfig, RuntimeError } from '../runtime.ts';
import type { CallOptions, Connection } from './connection.ts';
import { decodeSignal } from './decode.ts';
import * as methods from './methods.ts';

/** Before the container is made. Asks the runtime only when a field needs it. */
export async function refuseUnknownFields(
  connection: Connection,
  config: ContainerConfig,
  options: CallOptions,
): Promise<void> {
  const name = config.metadata.name;
  if (config.rlimits.length > 0) {
    const types = config.rlimits.map((limit) => limit.type).join(', ');
    throw new RuntimeError(
      'InvalidArgument',
      `container ${name}: resource limits (${types}) cannot be set through CRI`,
    );
  }
  const { add, drop } = config.securityContext.capabilities;
  const unknown = [...add, ...drop].find((capability) => !isCapability(capability));
  if (unknown !== undefined) {
    throw new RuntimeError('InvalidArgument', `container ${name}: there is no capability ${unknown}`);
  }
  const strict = config.securityContext.supplementalGroupsPolicy === 'Strict';
  const recursive = config.mounts.find((mount) => mount.recursiveReadOnly);
  if (!strict && !recursive) return;

  const status = await connection.call(methods.status, { verbose: false }, options);
  if (strict && !status.features?.supplementalGroupsPolicy) {
    throw new RuntimeError(
      'InvalidArgument',
      `container ${name}: the runtime does not know supplementalGroupsPolicy Strict`,
    );
  }
  const handler = status.runtimeHandlers.find((candidate) => candidate.name === config.runtimeHandler);
  if (recursive && !handler?.features?.recursiveReadOnlyMounts) {
    throw new RuntimeError(
      'InvalidArgument',
      `container ${name}: the runtime cannot mount ${recursive.containerPath} recursively read-only`,
    );
  }
}

const isCapability = (name: string): boolean =>
  normalizedCapability(name) === 'ALL' || capabilityNames.includes(normalizedCapability(name));

/** After it was made: a runtime that knows the stop signal tells it back. One that does not loses the container. */
export async function refuseIgnoredStopSignal(
  connection: Connection,
  containerId: string,
  config: ContainerConfig,
  options: CallOptions,
): Promise<void> {
  if (config.stopSignal === undefined) return;
  const { status } = await connection.call(methods.containerStatus, { containerId, verbose: false }, options);
  if (status && decodeSignal(status.stopSignal) === config.stopSignal) return;
  await connection.call(methods.removeContainer, { containerId }, options);
  throw new RuntimeError(
    'InvalidArgument',
    `container ${config.metadata.name}: the runtime does not know stopSignal ${config.stopSignal}; leave it out, or set STOPSIGNAL in the image`,
  );
}
