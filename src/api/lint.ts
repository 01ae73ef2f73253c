/**
 * All that can be said about a manifest before it runs: decoding, the API server's rules, and what roslet supports.
 * The manifest directory and `roslet lint` use the same checks, so that what one accepts the other does.
 */
import { staticPod } from '../sources/static-pod.ts';
import { type DecodedObject, decodeManifest, formatManifestError, type ManifestError } from './decode.ts';
import { defaultConfigMap, defaultPod, defaultSecret } from './defaults.ts';
import { child, type FieldError } from './errors.ts';
import { unsupportedFields } from './support.ts';
import { validateConfigMap, validatePod, validateSecret } from './validate.ts';

export interface LintReport {
  errors: ManifestError[];
  /** What the file asks for, as `Pod default/talker`. */
  objects: string[];
  /** For people: one line an error, or what is fine. */
  text: string;
}

export function lintFile(file: string, text: string, { nodeName }: { nodeName: string }): LintReport {
  const decoded = decodeManifest(text, file);
  const errors = [...decoded.errors, ...decoded.objects.flatMap((object) => objectErrors(object, nodeName))];
  errors.sort((a, b) => a.line - b.line || a.column - b.column);
  const objects = decoded.objects.map(describe);
  return { errors, objects, text: reportText(file, objects, errors) };
}

/** What is wrong with an object that could be decoded. */
export function objectErrors(decoded: DecodedObject, nodeName: string): ManifestError[] {
  const { document, file, kind, locate, object } = decoded;
  return fieldErrors(decoded, nodeName).map((error) => ({
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

function reportText(file: string, objects: readonly string[], errors: readonly ManifestError[]): string {
  if (errors.length > 0) return errors.map(formatManifestError).join('\n');
  return objects.length === 0
    ? `${file}: asks for nothing`
    : objects.map((object) => `${file}: ${object} is fine`).join('\n');
}
