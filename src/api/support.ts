/**
 * The one place that says what roslet does with each field of a PodSpec. The compiler proves that every field of every
 * type below has an entry; docs/podspec.md is written from it; a pod that uses what is refused is refused by it.
 */
import type { Pod } from './core.gen.ts';
import { child, type FieldError, index, shown } from './errors.ts';
import { FieldErrors } from './field-errors.ts';
import { type FieldType, fieldsOf, objectTypeOf } from './schema.ts';
import { annotationSupport, type Support, supportTables } from './support-tables.ts';

/**
 * What of a pod roslet cannot do. Empty: all of it is either done or has no effect on a single node.
 * @param inCluster whether the pod comes from a cluster, which provides what a standalone node has not
 */
export function unsupportedFields(pod: Pod, inCluster = false): FieldError[] {
  const errors = new FieldErrors();
  for (const name of Object.keys(pod.metadata?.annotations ?? {})) {
    if (inCluster && isOfKubernetes(name)) continue;
    const refused = annotationSupport.find(({ prefix }) => name.startsWith(prefix));
    if (refused !== undefined) errors.forbidden(index('metadata.annotations', name), refused.reason);
  }
  if (pod.spec !== undefined) checkObject('PodSpec', pod.spec, 'spec', { inCluster, errors });
  return errors.items;
}

const isOfKubernetes = (annotation: string): boolean =>
  (annotation.split('/')[0] ?? '').endsWith('kubernetes.io');

/** Undefined for a type that is only reached through fields that are refused or have no effect. */
export const supportOf = (typeName: string): Readonly<Record<string, Support>> | undefined =>
  (supportTables as Readonly<Record<string, Readonly<Record<string, Support>>>>)[typeName];

export interface SupportSection {
  typeName: string;
  /** Where the type occurs, such as `spec.containers[]`. */
  paths: string[];
  fields: { name: string; support: Support }[];
}

/** Every type that is reached from the PodSpec, in the order in which a reader meets them. */
export function supportSections(): SupportSection[] {
  const sections = new Map<string, SupportSection>();
  const visit = (typeName: string, path: string): void => {
    const known = sections.get(typeName);
    if (known !== undefined) {
      known.paths.push(path);
      return;
    }
    const table = supportOf(typeName);
    if (table === undefined) throw new Error(`support-tables.ts has no table for ${typeName} at ${path}`);
    const section: SupportSection = { typeName, paths: [path], fields: [] };
    sections.set(typeName, section);
    for (const field of fieldsOf(typeName).values()) {
      const support = table[field.name];
      if (support === undefined)
        throw new Error(`support-tables.ts says nothing about ${typeName}.${field.name}`);
      section.fields.push({ name: field.name, support });
      const inner = objectTypeOf(field.type);
      if (inner !== undefined && isLookedInto(support))
        visit(inner, `${child(path, field.name)}${suffixOf(field.type)}`);
    }
  };
  visit('PodSpec', 'spec');
  return [...sections.values()];
}

const isLookedInto = ({ level }: Support): boolean => level === 'supported' || level === 'partly';

const suffixOf = (type: FieldType): string => (type.kind === 'list' ? '[]' : '');

interface Check {
  inCluster: boolean;
  errors: FieldErrors;
}

function checkObject(typeName: string, value: object, path: string, check: Check): void {
  const { errors } = check;
  const table = supportOf(typeName) ?? {};
  for (const [name, item] of Object.entries(value as Record<string, unknown>)) {
    const field = fieldsOf(typeName).get(name);
    const support = table[name];
    // An empty list is what clients write for a field that is not used.
    const isUnset = item === undefined || (Array.isArray(item) && item.length === 0);
    if (field === undefined || support === undefined || isUnset) continue;
    const fieldPath = child(path, name);
    if (check.inCluster && 'inCluster' in support) continue;
    if (support.level === 'refused') errors.forbidden(fieldPath, `is not supported: ${support.note}`);
    else if (support.level === 'partly' && !isAllowed(support.values, item)) {
      errors.forbidden(fieldPath, `${shown(item)} is not supported: ${support.note}`);
    } else if (isLookedInto(support)) checkValue(field.type, item, fieldPath, check);
  }
}

const isAllowed = (values: readonly unknown[], item: unknown): boolean => values.includes(item);

function checkValue(type: FieldType, value: unknown, path: string, check: Check): void {
  if (type.kind === 'object') checkObject(type.typeName, value as object, path, check);
  else if (type.kind === 'list') {
    for (const [position, item] of (value as unknown[]).entries()) {
      checkValue(type.of, item, index(path, position), check);
    }
  }
}
