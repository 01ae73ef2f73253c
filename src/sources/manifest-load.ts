/** One manifest text as the objects that it asks for, and what of it is refused and why. */
import {
  type DecodedObject,
  decodeManifest,
  type ManifestError,
  type ManifestObject,
} from '../api/decode.ts';
import { defaultConfigMap, defaultPod, defaultSecret } from '../api/defaults.ts';
import { formatFieldError } from '../api/errors.ts';
import { objectErrors } from '../api/lint.ts';
import { staticPod, staticPodName } from './static-pod.ts';

export interface RefusedManifest {
  file: string;
  line?: number;
  /** Path of the field that is wrong. */
  path?: string;
  /** The object meant, as far as it could be read. A pod's name is that of the static pod. */
  kind?: string;
  namespace?: string;
  name?: string;
  /** A sentence for the user, with the field's path. */
  message: string;
}

export type LoadedObject = ManifestObject & { key: string; file: string; line: number };

export interface LoadedManifest {
  objects: LoadedObject[];
  refused: RefusedManifest[];
}

export interface LoadContext {
  nodeName: string;
  /** When the pod of this uid was first seen. */
  seenAtMs: (uid: string) => number;
}

export function loadManifest(text: string, file: string, context: LoadContext): LoadedManifest {
  if (text.trim() === '') {
    return {
      objects: [],
      refused: [{ file, message: 'is empty; delete the file to remove what it asked for' }],
    };
  }
  const { objects, errors } = decodeManifest(text, file);
  const loaded: LoadedObject[] = [];
  for (const decoded of objects) {
    const problems = objectErrors(decoded, context.nodeName);
    if (problems.length === 0) loaded.push(loadObject(decoded, context));
    errors.push(...problems);
  }
  return { objects: loaded, refused: refusalsOf(errors, file, context.nodeName) };
}

const objectKey = (kind: string, namespace: string | undefined, name: string): string =>
  `${kind} ${namespace || 'default'}/${name}`;

/** Undefined when it is not known which object the refusal is about. */
export const refusedKey = ({ kind, name, namespace }: RefusedManifest): string | undefined =>
  kind === undefined || name === undefined ? undefined : objectKey(kind, namespace, name);

function loadObject(decoded: DecodedObject, { nodeName, seenAtMs }: LoadContext): LoadedObject {
  const { file, line } = decoded;
  switch (decoded.kind) {
    case 'Pod': {
      const pod = staticPod(decoded.object, { file, nodeName, seenAtMs });
      return { kind: 'Pod', object: defaultPod(pod), ...keyed('Pod', pod.metadata), file, line };
    }
    case 'ConfigMap': {
      const object = defaultConfigMap(decoded.object);
      return { kind: 'ConfigMap', object, ...keyed('ConfigMap', object.metadata), file, line };
    }
    case 'Secret': {
      const object = defaultSecret(decoded.object);
      return { kind: 'Secret', object, ...keyed('Secret', object.metadata), file, line };
    }
  }
}

const keyed = (
  kind: string,
  metadata: { name?: string; namespace?: string } | undefined,
): { key: string } => ({
  key: objectKey(kind, metadata?.namespace, metadata?.name ?? ''),
});

/** A file that is something else altogether would have an error a line; the first say what is wrong with it. */
const MAX_REFUSALS = 50;

function refusalsOf(errors: readonly ManifestError[], file: string, nodeName: string): RefusedManifest[] {
  const refusals = errors.slice(0, MAX_REFUSALS).map((error) => refusedBy(error, nodeName));
  const others = errors.length - refusals.length;
  return others === 0 ? refusals : [...refusals, { file, message: `has ${others} more errors` }];
}

function refusedBy(error: ManifestError, nodeName: string): RefusedManifest {
  const { file, kind, line, name, namespace, path } = error;
  return {
    file,
    line,
    path,
    kind,
    namespace: namespace ?? (name === undefined ? undefined : 'default'),
    name: kind === 'Pod' && name !== undefined ? staticPodName(name, nodeName) : name,
    message: formatFieldError(error),
  };
}
