/**
 * What tells a scheduler where a pod may run. One node has no use for it, but a manifest that a cluster would refuse
 * is refused here as well.
 */
import type {
  Affinity,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../names.ts';
import { validateLabelSelector, validateLabels, validateOperator } from './metadata.ts';

export function validateScheduling(spec: PodSpec, path: string, errors: FieldErrors): void {
  validateLabels(spec.nodeSelector ?? {}, child(path, 'nodeSelector'), errors);
  if (spec.affinity !== undefined) validateAffinity(spec.affinity, child(path, 'affinity'), errors);
  validateTolerations(spec.tolerations ?? [], child(path, 'tolerations'), errors);
  validateSpread(spec.topologySpreadConstraints ?? [], child(path, 'topologySpreadConstraints'), errors);
  validateGates(spec, child(path, 'schedulingGates'), errors);
}

const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTolerations(tolerations: readonly Toleration[], path: string, errors: FieldErrors): void {
  for (const [position, toleration] of tolerations.entries()) {
    const itemPath = index(path, position);
    const { effect = '', key = '', operator = '', tolerationSeconds, value = '' } = toleration;
    if (key !== '') errors.check(child(itemPath, 'key'), key, qualifiedName);
    else if (operator !== 'Exists') {
      errors.invalid(
        child(itemPath, 'operator'),
        operator,
        'must be Exists when no key is given: it then means all',
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.invalid(child(itemPath, 'effect'), effect, 'must be NoExecute when tolerationSeconds is set');
    }
    if (operator === '' || operator === 'Equal') errors.check(child(itemPath, 'value'), value, labelValue);
    else if (operator === 'Exists') {
      if (value !== '')
        errors.invalid(child(itemPath, 'value'), value, 'must be left out with operator Exists');
    } else errors.notSupported(child(itemPath, 'operator'), operator, ['Equal', 'Exists']);
    errors.checkOneOf(child(itemPath, 'effect'), effect, ['', ...TAINT_EFFECTS]);
  }
}

function validateAffinity(affinity: Affinity, path: string, errors: FieldErrors): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required !== undefined) {
    const termsPath = child(
      path,
      'nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms',
    );
    const terms = required.nodeSelectorTerms;
    if (terms.length === 0) errors.required(termsPath, 'give at least one term');
    for (const [position, term] of terms.entries())
      validateNodeTerm(term, true, index(termsPath, position), errors);
  }
  const preferred = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  for (const [position, { preference, weight }] of preferred.entries()) {
    const itemPath = index(
      child(path, 'nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution'),
      position,
    );
    errors.check(child(itemPath, 'weight'), weight, affinityWeight);
    validateNodeTerm(preference, false, child(itemPath, 'preference'), errors);
  }
  if (podAffinity !== undefined) validatePodAffinity(podAffinity, child(path, 'podAffinity'), errors);
  if (podAntiAffinity !== undefined)
    validatePodAffinity(podAntiAffinity, child(path, 'podAntiAffinity'), errors);
}

const affinityWeight = (weight: number): string | undefined =>
  weight >= 1 && weight <= 100 ? undefined : 'must be between 1 and 100';

const NODE_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];

function validateNodeTerm(
  term: NodeSelectorTerm,
  isRequired: boolean,
  path: string,
  errors: FieldErrors,
): void {
  for (const [position, requirement] of (term.matchExpressions ?? []).entries()) {
    const itemPath = index(child(path, 'matchExpressions'), position);
    validateOperator(requirement, NODE_OPERATORS, itemPath, errors);
    errors.check(child(itemPath, 'key'), requirement.key, qualifiedName);
    // A preference for a label that cannot be is pointless, but allowed.
    if (!isRequired) continue;
    for (const [at, value] of (requirement.values ?? []).entries()) {
      errors.check(index(child(itemPath, 'values'), at), value, labelValue);
    }
  }
  for (const [position, { key, operator, values = [] }] of (term.matchFields ?? []).entries()) {
    const itemPath = index(child(path, 'matchFields'), position);
    const isKnown = errors.checkOneOf(child(itemPath, 'operator'), operator, ['In', 'NotIn']);
    if (isKnown && values.length !== 1)
      errors.required(child(itemPath, 'values'), 'a field is compared with exactly one value');
    if (errors.checkOneOf(child(itemPath, 'key'), key, ['metadata.name']))
      for (const [at, value] of values.entries()) {
        errors.check(index(child(itemPath, 'values'), at), value, dns1123Subdomain);
      }
  }
}

function validatePodAffinity(affinity: PodAffinity, path: string, errors: FieldErrors): void {
  const required = affinity.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  for (const [position, term] of required.entries()) {
    const itemPath = index(child(path, 'requiredDuringSchedulingIgnoredDuringExecution'), position);
    validatePodTerm(term, itemPath, errors);
  }
  const preferred = affinity.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  for (const [position, { podAffinityTerm, weight }] of preferred.entries()) {
    const itemPath = index(child(path, 'preferredDuringSchedulingIgnoredDuringExecution'), position);
    errors.check(child(itemPath, 'weight'), weight, affinityWeight);
    validatePodTerm(podAffinityTerm, child(itemPath, 'podAffinityTerm'), errors);
  }
}

function validatePodTerm(term: PodAffinityTerm, path: string, errors: FieldErrors): void {
  validateLabelSelector(term.labelSelector, child(path, 'labelSelector'), errors);
  validateLabelSelector(term.namespaceSelector, child(path, 'namespaceSelector'), errors);
  for (const [position, namespace] of (term.namespaces ?? []).entries()) {
    errors.check(index(child(path, 'namespaces'), position), namespace, dns1123Label);
  }
  validateLabelKeys(term, path, errors);
  if (term.topologyKey === '') errors.required(child(path, 'topologyKey'), 'such as kubernetes.io/hostname');
  else errors.check(child(path, 'topologyKey'), term.topologyKey, qualifiedName);
}

function validateLabelKeys(
  term: Pick<PodAffinityTerm, 'labelSelector' | 'matchLabelKeys' | 'mismatchLabelKeys'>,
  path: string,
  errors: FieldErrors,
): void {
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    const keys = term[field] ?? [];
    const keysPath = child(path, field);
    if (keys.length > 0 && term.labelSelector === undefined)
      errors.forbidden(keysPath, 'needs a labelSelector');
    else
      for (const [position, key] of keys.entries())
        errors.check(index(keysPath, position), key, qualifiedName);
  }
  for (const [position, key] of (term.matchLabelKeys ?? []).entries()) {
    if (!(term.mismatchLabelKeys ?? []).includes(key)) continue;
    errors.invalid(
      index(child(path, 'matchLabelKeys'), position),
      key,
      `${key} is in mismatchLabelKeys as well`,
    );
  }
}

function validateSpread(
  constraints: readonly TopologySpreadConstraint[],
  path: string,
  errors: FieldErrors,
): void {
  const seen = new Set<string>();
  for (const [position, constraint] of constraints.entries()) {
    const itemPath = index(path, position);
    const { maxSkew, minDomains, topologyKey, whenUnsatisfiable } = constraint;
    if (maxSkew <= 0) errors.invalid(child(itemPath, 'maxSkew'), maxSkew, 'must be greater than 0');
    if (topologyKey === '') errors.required(child(itemPath, 'topologyKey'), 'such as kubernetes.io/hostname');
    errors.checkOneOf(child(itemPath, 'whenUnsatisfiable'), constraint.whenUnsatisfiable, [
      'DoNotSchedule',
      'ScheduleAnyway',
    ]);
    errors.checkOneOf(child(itemPath, 'nodeAffinityPolicy'), constraint.nodeAffinityPolicy, [
      'Honor',
      'Ignore',
    ]);
    errors.checkOneOf(child(itemPath, 'nodeTaintsPolicy'), constraint.nodeTaintsPolicy, ['Honor', 'Ignore']);
    if (minDomains !== undefined && (minDomains <= 0 || whenUnsatisfiable !== 'DoNotSchedule')) {
      const message = 'must be greater than 0, and is only for whenUnsatisfiable DoNotSchedule';
      errors.invalid(child(itemPath, 'minDomains'), minDomains, message);
    }
    const kind = `${topologyKey} ${whenUnsatisfiable}`;
    if (seen.has(kind)) {
      errors.duplicate(
        itemPath,
        kind,
        'there is already a constraint with this topologyKey and whenUnsatisfiable',
      );
    }
    seen.add(kind);
    validateLabelKeys(constraint, itemPath, errors);
    validateLabelSelector(constraint.labelSelector, child(itemPath, 'labelSelector'), errors);
  }
}

function validateGates({ schedulingGates = [] }: PodSpec, path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [position, { name }] of schedulingGates.entries()) {
    const namePath = child(index(path, position), 'name');
    errors.check(namePath, name, qualifiedName);
    if (seen.has(name)) errors.duplicate(namePath, name, `there is already a gate called ${name}`);
    seen.add(name);
  }
}
