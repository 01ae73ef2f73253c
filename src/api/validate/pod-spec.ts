/** The pod's spec as a whole; its parts are in the modules beside. */
import { hostProcessRuntimeClass } from '../../pods/identity.ts';
import type { PodSpec } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { dns1123Subdomain, qualifiedName } from '../names.ts';
import { validateContainers } from './containers.ts';
import { validateNetwork } from './network.ts';
import { validateOverhead } from './resources.ts';
import { validateScheduling } from './scheduling.ts';
import { validatePodSecurity } from './security.ts';
import { validateVolumes } from './volumes.ts';

export function validatePodSpec(spec: PodSpec, path: string, errors: FieldErrors): void {
  const {
    activeDeadlineSeconds,
    os,
    overhead,
    readinessGates = [],
    restartPolicy = '',
    securityContext,
  } = spec;
  const volumes = validateVolumes(spec.volumes ?? [], child(path, 'volumes'), errors);
  const isHostProcess = spec.runtimeClassName === hostProcessRuntimeClass;
  validateContainers({ spec, volumes, isHostProcess }, path, errors);
  errors.checkOneOf(child(path, 'restartPolicy'), restartPolicy, ['Always', 'OnFailure', 'Never']);
  validateNetwork(spec, path, errors);
  validateNamespaces(spec, path, errors);
  if (securityContext !== undefined) {
    validatePodSecurity(securityContext, spec, child(path, 'securityContext'), errors);
  }
  validateScheduling(spec, path, errors);
  for (const [position, { conditionType }] of readinessGates.entries()) {
    const gatePath = child(index(child(path, 'readinessGates'), position), 'conditionType');
    errors.check(gatePath, conditionType, qualifiedName);
  }
  for (const field of ['serviceAccountName', 'nodeName', 'priorityClassName'] as const) {
    const name = spec[field];
    if (name) errors.check(child(path, field), name, dns1123Subdomain);
  }
  if (spec.runtimeClassName !== undefined) {
    errors.check(child(path, 'runtimeClassName'), spec.runtimeClassName, dns1123Subdomain);
  }
  if (
    activeDeadlineSeconds !== undefined &&
    (activeDeadlineSeconds < 1 || activeDeadlineSeconds > MAX_INT32)
  ) {
    const message = `must be between 1 and ${MAX_INT32}`;
    errors.invalid(child(path, 'activeDeadlineSeconds'), activeDeadlineSeconds, message);
  }
  errors.checkOneOf(child(path, 'preemptionPolicy'), spec.preemptionPolicy, [
    'PreemptLowerPriority',
    'Never',
  ]);
  if (overhead !== undefined) validateOverhead(overhead, child(path, 'overhead'), errors);
  errors.checkOneOf(child(path, 'os.name'), os?.name, ['linux', 'windows']);
}

const MAX_INT32 = 2 ** 31 - 1;

function validateNamespaces(spec: PodSpec, path: string, errors: FieldErrors): void {
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.invalid(
      child(path, 'shareProcessNamespace'),
      true,
      'must not be set with hostPID: the host has one for all',
    );
  }
  if (spec.hostUsers !== false) return;
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
    if (spec[field] === true) errors.forbidden(child(path, field), 'must not be set when hostUsers is false');
  }
}
