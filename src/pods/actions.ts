/** What a worker may be told to do for its pod, and what a plan says beside. */

export type ContainerKind = 'init' | 'sidecar' | 'app' | 'ephemeral';

export type Action =
  | { do: 'createSandbox'; attempt: number; replaces: string[] }
  | { do: 'stopSandbox'; podSandboxId: string }
  | {
      do: 'startContainer';
      name: string;
      kind: ContainerKind;
      podSandboxId: string;
      /** An instance that an earlier life of the agent made and may be starting still: it is the one to start. */
      containerId?: string;
      restartCount: number;
      /** Written on the instance, to tell later whether its spec changed. */
      hash: string;
      /** Delay that will apply when this instance ends. */
      backoffMs: number;
    }
  | {
      do: 'killContainer';
      containerId: string;
      name: string;
      reason: KillReason;
      message: string;
      /** From now; the container is killed hard then. */
      graceMs: number;
    }
  | { do: 'removeContainer'; containerId: string }
  /** Applies what is allocated to the pod's cgroup and to these containers, which go on. */
  | { do: 'resize'; names: string[] }
  /** Makes sure that the image of a container is there. */
  | { do: 'pullImage'; name: string };

export type KillReason = 'pod' | 'deactivated' | 'changed' | 'liveness' | 'startup' | 'unknown';

export interface Waiting {
  reason: string;
  message: string;
}

export interface Plan {
  actions: Action[];
  /** Why a container that should run does not yet. */
  waiting: Map<string, Waiting>;
  /** When the same facts would give another plan. */
  wakeAtMs?: number;
  /** Set when nothing of this pod will ever run again: it is to be stopped for good. */
  end?: { phase?: 'Failed'; reason?: string; message?: string };
  /** True when nothing of the pod is alive any more (only with the intents to stop and to clear). */
  stopped: boolean;
  /** True when containers could start at once: there is a sandbox, and the images that were to be prepared. */
  prepared: boolean;
}
