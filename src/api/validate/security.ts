/** Security contexts of pods and containers. */
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
} from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { posixId, sysctlName } from '../names.ts';
import { relativePath } from './paths.ts';

export function validatePodSecurity(
  context: PodSecurityContext,
  spec: PodSpec,
  path: string,
  errors: FieldErrors,
): void {
  validateIds(context, ['fsGroup', 'runAsUser', 'runAsGroup'], path, errors);
  for (const [position, group] of (context.supplementalGroups ?? []).entries()) {
    errors.check(index(child(path, 'supplementalGroups'), position), group, posixId);
  }
  validateSysctls(context, spec, child(path, 'sysctls'), errors);
  errors.checkOneOf(child(path, 'fsGroupChangePolicy'), context.fsGroupChangePolicy, [
    'OnRootMismatch',
    'Always',
  ]);
  errors.checkOneOf(child(path, 'supplementalGroupsPolicy'), context.supplementalGroupsPolicy, [
    'Merge',
    'Strict',
  ]);
  errors.checkOneOf(child(path, 'seLinuxChangePolicy'), context.seLinuxChangePolicy, [
    'Recursive',
    'MountOption',
  ]);
  validateProfiles(context, path, errors);
}

export function validateContainerSecurity(
  context: SecurityContext,
  isHostUsers: boolean,
  path: string,
  errors: FieldErrors,
): void {
  validateIds(context, ['runAsUser', 'runAsGroup'], path, errors);
  errors.checkOneOf(child(path, 'procMount'), context.procMount, ['Default', 'Unmasked']);
  if (context.procMount === 'Unmasked' && isHostUsers) {
    errors.invalid(child(path, 'procMount'), 'Unmasked', 'needs spec.hostUsers to be false');
  }
  if (context.allowPrivilegeEscalation === false) {
    const fieldPath = child(path, 'allowPrivilegeEscalation');
    if (context.privileged === true) {
      errors.invalid(fieldPath, false, 'must not be false for a privileged container');
    }
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true) {
      errors.invalid(fieldPath, false, 'must not be false for a container with the capability CAP_SYS_ADMIN');
    }
  }
  validateProfiles(context, path, errors);
}

function validateIds<F extends string>(
  context: { [field in F]?: number },
  fields: readonly F[],
  path: string,
  errors: FieldErrors,
): void {
  for (const field of fields) {
    const id = context[field];
    if (id !== undefined) errors.check(child(path, field), id, posixId);
  }
}

/** Sysctls of namespaces that the pod shares with the host would change the host. */
const NETWORK_SYSCTLS = /^net\./;
const IPC_SYSCTLS = /^(kernel\.shm|kernel\.msg|fs\.mqueue\.)|^kernel\.sem$/;

function validateSysctls(
  context: PodSecurityContext,
  spec: PodSpec,
  path: string,
  errors: FieldErrors,
): void {
  const seen = new Set<string>();
  for (const [position, { name }] of (context.sysctls ?? []).entries()) {
    const namePath = child(index(path, position), 'name');
    const dotted = name.replaceAll('/', '.');
    if (!errors.checkName(namePath, name, sysctlName)) continue;
    if (seen.has(name)) errors.duplicate(namePath, name, `${name} is already set`);
    seen.add(name);
    if (spec.hostNetwork === true && NETWORK_SYSCTLS.test(dotted)) {
      errors.invalid(namePath, name, `must not be set with hostNetwork: it would change the host's ${name}`);
    }
    if (spec.hostIPC === true && IPC_SYSCTLS.test(dotted)) {
      errors.invalid(namePath, name, `must not be set with hostIPC: it would change the host's ${name}`);
    }
  }
}

const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function validateProfiles(
  { appArmorProfile, seccompProfile }: { appArmorProfile?: AppArmorProfile; seccompProfile?: SeccompProfile },
  path: string,
  errors: FieldErrors,
): void {
  if (seccompProfile !== undefined) {
    const profilePath = child(path, 'seccompProfile');
    validateProfile(seccompProfile, profilePath, errors);
    const { localhostProfile, type } = seccompProfile;
    if (type === 'Localhost' && localhostProfile !== undefined) {
      errors.check(child(profilePath, 'localhostProfile'), localhostProfile, relativePath);
    }
  }
  if (appArmorProfile !== undefined) {
    const profilePath = child(path, 'appArmorProfile');
    validateProfile(appArmorProfile, profilePath, errors);
    const { localhostProfile, type } = appArmorProfile;
    if (type === 'Localhost' && localhostProfile !== undefined) {
      errors.check(child(profilePath, 'localhostProfile'), localhostProfile, appArmorName);
    }
  }
}

function validateProfile(
  { localhostProfile, type }: { localhostProfile?: string; type: string },
  path: string,
  errors: FieldErrors,
): void {
  errors.checkOneOf(child(path, 'type'), type, PROFILE_TYPES);
  const profilePath = child(path, 'localhostProfile');
  if (type === 'Localhost' && localhostProfile === undefined) {
    errors.required(profilePath, 'name the profile on the node');
  }
  if (type !== 'Localhost' && localhostProfile !== undefined) {
    errors.invalid(profilePath, localhostProfile, 'must be left out unless type is Localhost');
  }
}

const MAX_PROFILE_NAME = 4095;

function appArmorName(name: string): string | undefined {
  if (name.trim() !== name) return 'must not have spaces around it';
  return name === '' || name.length > MAX_PROFILE_NAME
    ? `must have between 1 and ${MAX_PROFILE_NAME} characters`
    : undefined;
}
