/** What host processes cannot do is refused before anything is made, with the field and the reason. */
import { isAbsolute, normalize } from 'node:path';
import {
  type ContainerConfig,
  type PodSandboxConfig,
  RuntimeError,
  type SecurityProfile,
  type SelinuxOptions,
} from '../runtime.ts';

const refuse = (message: string): never => {
  throw new RuntimeError('InvalidArgument', message);
};

export function checkSandbox(config: PodSandboxConfig, runtimeHandler: string): void {
  if (runtimeHandler !== '') refuse(`host processes have no runtime handler ${runtimeHandler}`);
  if (!config.cgroupParent.startsWith('/') || config.cgroupParent.split('/').includes('..'))
    refuse(`cgroupParent "${config.cgroupParent}" is not an absolute path`);
  if (config.hostname.length > 64) refuse(`hostname ${config.hostname} is longer than 64 characters`);
  const { network, ipc } = config.securityContext.namespaceOptions;
  if (config.portMappings.some(({ hostPort }) => hostPort > 0) && network !== 'POD')
    refuse('host ports of a pod on the host network need no mapping');
  for (const name of Object.keys(config.sysctls)) {
    const owner = sysctlNamespace(name);
    if (owner === undefined) refuse(`sysctl ${name} is not kept by pod: it would change the whole machine`);
    if ((owner === 'network' ? network : ipc) !== 'POD')
      refuse(`sysctl ${name} needs the pod's own ${owner} namespace`);
  }
  checkProfiles(config.securityContext);
}

/** Which namespace keeps the value, by sysctl(7) and namespaces(7). */
export function sysctlNamespace(name: string): 'network' | 'ipc' | undefined {
  if (!/^[a-z0-9_-]+([./][A-Za-z0-9_-]+)+$/.test(name)) return undefined;
  if (/^net[./]/.test(name)) return 'network';
  if (/^fs[./]mqueue[./]/.test(name)) return 'ipc';
  return /^kernel[./](shm|msg|sem)[a-z_]*$/.test(name) ? 'ipc' : undefined;
}

export function checkContainer(config: ContainerConfig): void {
  if (config.command.length + config.args.length === 0)
    refuse(
      `container ${config.metadata.name} has no command: a host process has no image that could name one`,
    );
  if (config.workingDir !== '' && !isAbsolute(config.workingDir))
    refuse(`workingDir ${config.workingDir} is not an absolute path`);
  for (const { key } of config.envs)
    if (key === '' || key.includes('=')) refuse(`"${key}" cannot be the name of an environment variable`);
  for (const mount of config.mounts) {
    if (mount.image) refuse(`${mount.containerPath}: host processes cannot mount the image ${mount.image}`);
    if (!isAbsolute(mount.containerPath) || mount.containerPath.split('/').includes('..'))
      refuse(`mount path ${mount.containerPath} is not an absolute path without ..`);
    if (normalize(mount.containerPath) === '/')
      refuse('mount path / would take the place of the host, which is what a host process runs on');
    if (!isAbsolute(mount.hostPath))
      refuse(`${mount.containerPath}: ${mount.hostPath} is not an absolute path`);
  }
  checkProfiles(config.securityContext);
}

function checkProfiles(context: {
  seccomp: SecurityProfile;
  apparmor?: SecurityProfile;
  selinuxOptions?: SelinuxOptions;
}): void {
  if (context.seccomp.type === 'Localhost')
    refuse('host processes take the seccomp profiles RuntimeDefault and Unconfined only, not Localhost');
  if (context.apparmor?.type === 'Localhost')
    refuse('host processes are not put under AppArmor profiles: use an image, or no Localhost profile');
  if (Object.values(context.selinuxOptions ?? {}).some(Boolean))
    refuse('host processes are not given SELinux labels: leave seLinuxOptions out');
}
