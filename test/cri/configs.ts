/** The shortest sandbox and container configurations that run, for tests to vary. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerConfig, ContainerSecurityContext, PodSandboxConfig } from '../../runtime/runtime.ts';
import type { TestContainerd } from '../peers/containerd.ts';
import { busyboxImage } from '../peers/images.ts';

export function sandboxConfig(
  containerd: TestContainerd,
  name: string,
  change: Partial<PodSandboxConfig> = {},
): PodSandboxConfig {
  const logDirectory = join(containerd.root, 'logs', name);
  mkdirSync(logDirectory, { recursive: true });
  return {
    metadata: { name, namespace: 'test', uid: `uid-${name}`, attempt: 0 },
    hostname: name,
    logDirectory,
    portMappings: [],
    labels: {},
    annotations: {},
    cgroupParent: `${containerd.cgroupParent}/${name}`,
    sysctls: {},
    securityContext: {
      namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
      readonlyRootfs: false,
      supplementalGroups: [],
      privileged: false,
      seccomp: { type: 'RuntimeDefault' },
    },
    ...change,
  };
}

export const securityContext = (
  change: Partial<ContainerSecurityContext> = {},
): ContainerSecurityContext => ({
  privileged: false,
  capabilities: { add: [], drop: [] },
  namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
  readonlyRootfs: false,
  supplementalGroups: [],
  noNewPrivs: false,
  maskedPaths: [],
  readonlyPaths: [],
  seccomp: { type: 'RuntimeDefault' },
  ...change,
});

export function containerConfig(
  name: string,
  script: string,
  change: Partial<ContainerConfig> = {},
): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: busyboxImage,
    userSpecifiedImage: busyboxImage,
    runtimeHandler: '',
    command: ['/bin/sh', '-c', script],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    labels: {},
    annotations: {},
    logPath: `${name}.log`,
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    securityContext: securityContext(),
    rlimits: [],
    ...change,
  };
}
