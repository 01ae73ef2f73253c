/**
 * All that can be said about a manifest before it runs: decoding, the API server's rules, and what roslet supports.
 * The manifest directory and `roslet lint` use the same checks, so that what one accepts the other does.
 */
import { whyDeafAsWritten } from '../pods/runtime-config/dds-env.ts';
import { staticPod } from '../sources/static-pod.ts';
import { type DecodedObject, decodeManifest, formatManifestError, type ManifestError } from './decode.ts';
import { defaultConfigMap, defaultPod, defaultSecret } from './defaults.ts';
import { child, type FieldError, index } from './errors.ts';
import { unsupportedFields } from './support.ts';
import { validateConfigMap, validatePod, validateSecret } from './validate.ts';

export interface LintReport {
  errors: ManifestError[];
  /** What can be had, but hardly is what is meant. */
  warnings: ManifestError[];
  /** What the file asks for, as `Pod default/talker`. */
  objects: string[];
  /** For people: one line an error, or what is fine. */
  text: string;
}

export function lintFile(file: string, text: string, { nodeName }: { nodeName: string }): LintReport {
  const decoded = decodeManifest(text, file);
  const errors = [...decoded.errors, ...decoded.objects.flatMap((object) => objectErrors(object, nodeName))];
  errors.sort((a, b) => a.line - b.line || a.column - b.column);
  const warnings = decoded.objects.flatMap((object) => located(object, fieldWarnings(object)));
  const objects = decoded.objects.map(describe);
  const isDoubtful = ({ document }: DecodedObject) => warnings.some((each) => each.document === document);
  const fine = decoded.objects.filter((object) => !isDoubtful(object)).map(describe);
  return { errors, warnings, objects, text: reportText(file, fine, errors, warnings) };
}

/** What is wrong with an object that could be decoded. */
export function objectErrors(decoded: DecodedObject, nodeName: string): ManifestError[] {
  return located(decoded, fieldErrors(decoded, nodeName));
}

function located(
  { document, file, kind, locate, object }: DecodedObject,
  errors: readonly FieldError[],
): ManifestError[] {
  return errors.map((error) => ({
    file,
    ...locate(error.path),
    document,
    kind,
    namespace: object.metadata?.namespace ?? 'default',
    name: object.metadata?.name,
    ...error,
  }));
}

function fieldErrors(decoded: DecodedObject, nodeName: string): FieldError[] {
  switch (decoded.kind) {
    case 'Pod': {
      const { file, object } = decoded;
      // As it would run: a name that is too long only with the node's name behind it is too long.
      const pod = defaultPod(staticPod(object, { file, nodeName, seenAtMs: () => 0 }));
      return [...wrongNode(object.spec?.nodeName, nodeName), ...validatePod(pod), ...unsupportedFields(pod)];
    }
    case 'ConfigMap':
      return validateConfigMap(defaultConfigMap(decoded.object));
    case 'Secret':
      return validateSecret(defaultSecret(decoded.object));
  }
}

function fieldWarnings({ kind, object }: DecodedObject): FieldError[] {
  if (kind !== 'Pod') return [];
  return (['initContainers', 'containers'] as const).flatMap((list) =>
    (object.spec?.[list] ?? []).flatMap((container, position) => {
      const why = whyDeafAsWritten(object.spec, container);
      if (why === undefined) return [];
      const path = child(index(child('spec', list), position), 'env');
      return [{ path, reason: 'FieldValueInvalid' as const, message: why }];
    }),
  );
}

function wrongNode(asked: string | undefined, nodeName: string): FieldError[] {
  if (!asked || asked === nodeName) return [];
  const message = `asks for node ${asked}, and this is node ${nodeName}: leave it out or move the manifest`;
  return [
    {
      path: child('spec', 'nodeName'),
      reason: 'FieldValueInvalid',
      message,
      found: asked,
      expected: nodeName,
    },
  ];
}

function describe({ kind, object }: DecodedObject): string {
  const { name = '', namespace = 'default' } = object.metadata ?? {};
  return `${kind} ${namespace}/${name}`;
}

function reportText(
  file: string,
  fine: readonly string[],
  errors: readonly ManifestError[],
  warnings: readonly ManifestError[],
): string {
  const found = [
    ...errors.map(formatManifestError),
    ...warnings.map((warning) => `${formatManifestError(warning)} (a warning)`),
    ...(errors.length > 0 ? [] : fine.map((object) => `${file}: ${object} is fine`)),
  ];
  return found.length === 0 ? `${file}: asks for nothing` : found.join('\n');
}
