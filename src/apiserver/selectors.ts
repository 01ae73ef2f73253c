/** Label and field selectors in the Kubernetes API's grammar. */
import { badRequest } from '../server/errors.ts';
import type { ApiObject, ResourceName } from './resources.ts';

export type Selector = (object: ApiObject) => boolean;

type Matcher = (value: string | undefined) => boolean;

/** Fields by which each resource may be selected, besides metadata.name and metadata.namespace. */
const selectableFields: Readonly<Record<ResourceName, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'status.phase',
    'status.podIP',
  ],
  events: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  secrets: ['type'],
  nodes: ['spec.unschedulable'],
  configmaps: [],
  namespaces: ['status.phase'],
};

/** Longer than any that a person or a controller writes. */
const maxSelectorLength = 4096;

/** @throws ApiError BadRequest */
export function labelSelector(text: string): Selector {
  if (text.length > maxSelectorLength) {
    throw badRequest(`the label selector has more than ${maxSelectorLength} characters`);
  }
  const requirements = splitOutsideParentheses(text).map(labelRequirement);
  return (object) => {
    const labels = object.metadata?.labels ?? {};
    return requirements.every(({ key, matches }) =>
      matches(Object.hasOwn(labels, key) ? labels[key] : undefined),
    );
  };
}

/** @throws ApiError BadRequest */
export function fieldSelector(resource: ResourceName, text: string): Selector {
  const known = ['metadata.name', 'metadata.namespace', ...selectableFields[resource]];
  const terms = text.split(',').filter((term) => term.trim() !== '');
  const requirements = terms.map((term) => {
    const match = /^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(term);
    if (!match) throw badRequest(`invalid field selector "${term}": write field=value or field!=value`);
    const [, field = '', operator, wanted] = match;
    if (!known.includes(field)) {
      throw badRequest(
        `field label not supported: "${field}": ${resource} are selected by ${known.join(', ')}`,
      );
    }
    const negated = operator === '!=';
    return (object: ApiObject) => (fieldValue(object, field) === wanted) !== negated;
  });
  return (object) => requirements.every((matches) => matches(object));
}

function fieldValue(object: ApiObject, field: string): string {
  if (field === 'source') return fieldValue(object, 'source.component');
  let value: unknown = object;
  for (const name of field.split('.')) {
    value =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  }
  if (field === 'spec.unschedulable') return String(value ?? false);
  return value === undefined || value === null ? '' : String(value);
}

const keyPattern = '[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?';
const valuePattern = '([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?';

function labelRequirement(term: string): { key: string; matches: Matcher } {
  const set = new RegExp(`^(?<key>${keyPattern})\\s+(?<op>in|notin)\\s*\\((?<values>.*)\\)$`).exec(
    term,
  )?.groups;
  if (set) {
    const values = new Set((set.values ?? '').split(',').map((value) => value.trim()));
    for (const value of values) checkValue(value, term);
    const isIn: Matcher = (value) => value !== undefined && values.has(value);
    return { key: set.key!, matches: set.op === 'in' ? isIn : (value) => !isIn(value) };
  }
  const equality = new RegExp(`^(?<key>${keyPattern})\\s*(?<op>==|=|!=)\\s*(?<value>.*)$`).exec(term)?.groups;
  if (equality) {
    const wanted = checkValue(equality.value ?? '', term);
    const isEqual: Matcher = (value) => value === wanted;
    return { key: equality.key!, matches: equality.op === '!=' ? (value) => !isEqual(value) : isEqual };
  }
  const existence = new RegExp(`^(?<not>!?)\\s*(?<key>${keyPattern})$`).exec(term)?.groups;
  if (existence) {
    const wanted = existence.not === '';
    return { key: existence.key!, matches: (value) => (value !== undefined) === wanted };
  }
  throw badRequest(
    `unable to parse label selector "${term}": write key=value, key!=value, key in (a,b), key or !key`,
  );
}

function checkValue(value: string, term: string): string {
  if (new RegExp(`^${valuePattern}$`).test(value) && value.length <= 63) return value;
  throw badRequest(`unable to parse label selector "${term}": "${value}" cannot be the value of a label`);
}

function splitOutsideParentheses(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (char === ',' && depth === 0) {
      terms.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  terms.push(text.slice(start).trim());
  return terms.filter((term) => term !== '');
}
