/** Containers of every kind: what is common to them, and what each kind may not have. */
import { isSidecar } from '../../pods/identity.ts';
import type { Container, EphemeralContainer, PodSpec, Volume, VolumeMount } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { dns1123Label } from '../names.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { type HandlerContext, validateLifecycle, validateProbes } from './handlers.ts';
import { validateHostPorts, validatePorts } from './network.ts';
import { relativePath } from './paths.ts';
import { validateResizePolicies, validateResources } from './resources.ts';
import { validateRestartPolicy } from './restart.ts';
import { validateContainerSecurity } from './security.ts';

export interface ContainerContext {
  spec: PodSpec;
  volumes: ReadonlyMap<string, Volume>;
  /** Host processes have no image, and so no entrypoint but their command. */
  isHostProcess: boolean;
}

export function validateContainers(context: ContainerContext, path: string, errors: FieldErrors): void {
  const { containers, ephemeralContainers = [], initContainers = [] } = context.spec;
  const names = new Set<string>();
  const containersPath = child(path, 'containers');
  const initPath = child(path, 'initContainers');
  const ephemeralPath = child(path, 'ephemeralContainers');
  if (containers.length === 0) errors.required(containersPath, 'a pod has at least one container');
  for (const [position, container] of containers.entries()) {
    const itemPath = index(containersPath, position);
    validateCommon(container, names, context, itemPath, errors);
    validateRunning(container, context, itemPath, errors);
    validateRestartPolicy(container, itemPath, errors);
  }
  validateHostPorts(containers, containersPath, errors);
  for (const [position, container] of initContainers.entries()) {
    const itemPath = index(initPath, position);
    validateCommon(container, names, context, itemPath, errors);
    if (isSidecar(container)) validateRunning(container, context, itemPath, errors);
    else
      forbidFields(
        container,
        INIT_FORBIDDEN,
        'an init container without restartPolicy Always',
        itemPath,
        errors,
      );
    validateRestartPolicy(container, itemPath, errors);
    // Init containers run one after the other: only their own ports can be in each other's way.
    validateHostPorts([container], itemPath, errors);
  }
  for (const [position, container] of ephemeralContainers.entries()) {
    validateEphemeral(container, names, context, index(ephemeralPath, position), errors);
  }
}

const INIT_FORBIDDEN = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const EPHEMERAL_FORBIDDEN = [
  ...INIT_FORBIDDEN,
  'ports',
  'resizePolicy',
  'resources',
  'restartPolicy',
  'restartPolicyRules',
] as const;

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MESSAGE_POLICIES = ['File', 'FallbackToLogsOnError'];

function validateCommon(
  container: Container | EphemeralContainer,
  names: Set<string>,
  context: ContainerContext,
  path: string,
  errors: FieldErrors,
): void {
  const { spec, volumes } = context;
  const { imagePullPolicy = '', name, securityContext, terminationMessagePolicy = '' } = container;
  errors.checkName(child(path, 'name'), name, dns1123Label);
  if (name !== '' && names.has(name)) {
    errors.duplicate(child(path, 'name'), name, `another container of the pod is already called "${name}"`);
  }
  names.add(name);
  validateImage(container, context.isHostProcess, path, errors);
  errors.checkOneOf(child(path, 'terminationMessagePolicy'), terminationMessagePolicy, MESSAGE_POLICIES);
  errors.checkOneOf(child(path, 'imagePullPolicy'), imagePullPolicy, PULL_POLICIES);
  validatePorts(container, spec.hostNetwork === true, child(path, 'ports'), errors);
  validateEnv(container.env ?? [], volumes, child(path, 'env'), errors);
  validateEnvFrom(container.envFrom ?? [], child(path, 'envFrom'), errors);
  validateMounts(container, volumes, path, errors);
  validateResources(container.resources ?? {}, child(path, 'resources'), errors);
  const { resizePolicy = [] } = container;
  validateResizePolicies(resizePolicy, spec.restartPolicy ?? '', child(path, 'resizePolicy'), errors);
  if (securityContext !== undefined) {
    const isHostUsers = spec.hostUsers !== false;
    validateContainerSecurity(securityContext, isHostUsers, child(path, 'securityContext'), errors);
  }
}

/** What only containers that keep running have. */
function validateRunning(
  container: Container,
  { spec }: ContainerContext,
  path: string,
  errors: FieldErrors,
): void {
  const context: HandlerContext = {
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 0,
    os: spec.os,
  };
  const { lifecycle } = container;
  if (lifecycle !== undefined) validateLifecycle(lifecycle, context, child(path, 'lifecycle'), errors);
  validateProbes(container, context, path, errors);
}

function validateImage(
  { command, image = '' }: Container | EphemeralContainer,
  isHostProcess: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (image !== image.trim()) {
    errors.invalid(child(path, 'image'), image, 'must not have spaces before or after it');
  }
  if (isHostProcess) {
    if ((command ?? []).length > 0) return;
    errors.required(child(path, 'command'), 'a host process has no image to take its command from');
  } else if (image === '') {
    const hint =
      'name an image, or run the pod as processes of the host with spec.runtimeClassName host-process';
    errors.required(child(path, 'image'), hint);
  }
}

function validateMounts(
  { securityContext, volumeDevices = [], volumeMounts = [] }: Container | EphemeralContainer,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  errors: FieldErrors,
): void {
  const owners = new Map<string, string>();
  for (const [position, mount] of volumeMounts.entries()) {
    const itemPath = index(child(path, 'volumeMounts'), position);
    validateVolumeName(mount.name, volumes, itemPath, errors);
    validateMountPlace(mount.mountPath, 'mountPath', owners, itemPath, errors);
    validateMountOptions(mount, securityContext?.privileged === true, itemPath, errors);
  }
  for (const [position, device] of volumeDevices.entries()) {
    const itemPath = index(child(path, 'volumeDevices'), position);
    validateVolumeName(device.name, volumes, itemPath, errors);
    validateMountPlace(device.devicePath, 'devicePath', owners, itemPath, errors);
  }
}

function validateVolumeName(
  name: string,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  errors: FieldErrors,
): void {
  if (name === '') errors.required(child(path, 'name'), 'name one of the volumes of the pod');
  else if (!volumes.has(name)) {
    const known = volumes.size === 0 ? 'it has none' : `it has ${[...volumes.keys()].join(', ')}`;
    errors.notFound(child(path, 'name'), name, `the pod has no volume called "${name}"; ${known}`);
  }
}

function validateMountPlace(
  place: string,
  field: 'mountPath' | 'devicePath',
  owners: Map<string, string>,
  path: string,
  errors: FieldErrors,
): void {
  const placePath = child(path, field);
  if (place === '') {
    errors.required(placePath, 'give a path inside the container');
    return;
  }
  const owner = owners.get(place);
  if (owner !== undefined)
    errors.invalid(placePath, place, `must be unique: ${owner} is at ${place} as well`);
  else owners.set(place, path);
}

const PROPAGATIONS = ['None', 'HostToContainer', 'Bidirectional'];
const RECURSIVE_READ_ONLY = ['Disabled', 'IfPossible', 'Enabled'];

function validateMountOptions(
  mount: VolumeMount,
  isPrivileged: boolean,
  path: string,
  errors: FieldErrors,
): void {
  const { mountPropagation = 'None', readOnly = false, recursiveReadOnly = 'Disabled' } = mount;
  const { subPath, subPathExpr } = mount;
  if (subPath) errors.check(child(path, 'subPath'), subPath, relativePath);
  if (subPathExpr) {
    errors.check(child(path, 'subPathExpr'), subPathExpr, relativePath);
    if (subPath)
      errors.invalid(child(path, 'subPathExpr'), subPathExpr, 'must be left out when subPath is set');
  }
  const propagationPath = child(path, 'mountPropagation');
  errors.checkOneOf(propagationPath, mountPropagation, PROPAGATIONS);
  if (mountPropagation === 'Bidirectional' && !isPrivileged) {
    errors.forbidden(propagationPath, 'Bidirectional is only for privileged containers');
  }
  const recursivePath = child(path, 'recursiveReadOnly');
  const isKnown = errors.checkOneOf(recursivePath, recursiveReadOnly, RECURSIVE_READ_ONLY);
  if (!isKnown || recursiveReadOnly === 'Disabled') return;
  if (!readOnly) errors.forbidden(recursivePath, 'needs readOnly to be true');
  if (mountPropagation !== 'None') errors.forbidden(recursivePath, 'needs mountPropagation to be None');
}

function validateEphemeral(
  container: EphemeralContainer,
  names: Set<string>,
  context: ContainerContext,
  path: string,
  errors: FieldErrors,
): void {
  const { containers, initContainers = [] } = context.spec;
  validateCommon(container, names, context, path, errors);
  forbidFields(container, EPHEMERAL_FORBIDDEN, 'an ephemeral container', path, errors);
  const { targetContainerName, volumeMounts = [] } = container;
  if (
    targetContainerName &&
    ![...containers, ...initContainers].some(({ name }) => name === targetContainerName)
  ) {
    const message = `the pod has no container called "${targetContainerName}"`;
    errors.notFound(child(path, 'targetContainerName'), targetContainerName, message);
  }
  for (const [position, mount] of volumeMounts.entries()) {
    const mountPath = index(child(path, 'volumeMounts'), position);
    forbidFields(mount, ['subPath', 'subPathExpr'], 'an ephemeral container', mountPath, errors);
  }
}

function forbidFields<F extends string>(
  holder: { [field in F]?: unknown },
  fields: readonly F[],
  holderName: string,
  path: string,
  errors: FieldErrors,
): void {
  for (const field of fields) {
    if (holder[field] === undefined) continue;
    errors.forbidden(child(path, field), `must be left out: ${holderName} cannot have it`);
  }
}
