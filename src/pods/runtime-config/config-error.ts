/** Why a container or a sandbox cannot be configured as its pod asks, in the kubelet's words. */
export type ContainerConfigReason = 'CreateContainerConfigError' | 'CreateContainerError';

/** `message` goes into the container's waiting state as it is. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
  readonly reason: ContainerConfigReason;
  constructor(message: string, reason: ContainerConfigReason = 'CreateContainerConfigError') {
    super(message);
    this.reason = reason;
  }
}

/** Something that the user should hear of as a Warning event, though the pod goes on. */
export interface ConfigWarning {
  /** Event reason, e.g. `InvalidEnvironmentVariableNames`. */
  reason: string;
  message: string;
}
