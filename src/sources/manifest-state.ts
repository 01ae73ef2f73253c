/**
 * What all manifest files together ask for. A file that turns bad keeps what it asked for before, object by object,
 * until it is mended or deleted; of two files that ask for the same object the first by name has it.
 */
import { basename } from 'node:path';
import { type LoadedManifest, type LoadedObject, type RefusedManifest, refusedKey } from './manifest-load.ts';
import type { SourceSnapshot } from './source.ts';

export class ManifestState {
  readonly #files = new Map<string, LoadedManifest>();

  /** Takes in a file's new content. */
  update(file: string, loaded: LoadedManifest): void {
    this.#files.set(file, keepRefused(loaded, this.#files.get(file)?.objects ?? []));
  }

  /** What a file asks for, with what is kept of its last good version. */
  objects(file: string): readonly LoadedObject[] {
    return this.#files.get(file)?.objects ?? [];
  }

  /** Forgets every file but these, and returns those forgotten. */
  retain(files: ReadonlySet<string>): string[] {
    const gone = [...this.#files.keys()].filter((file) => !files.has(file));
    for (const file of gone) this.#files.delete(file);
    return gone;
  }

  result(): { snapshot: SourceSnapshot; refused: RefusedManifest[] } {
    const snapshot: SourceSnapshot = { pods: [], configMaps: [], secrets: [] };
    const refused: RefusedManifest[] = [];
    const owners = new Map<string, LoadedObject>();
    for (const [, manifest] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      refused.push(...manifest.refused);
      for (const object of manifest.objects) {
        const claims = claimsOf(object);
        const owner = claims.map((claim) => owners.get(claim)).find((other) => other !== undefined);
        if (owner !== undefined) {
          refused.push(refuseDuplicate(object, owner));
          continue;
        }
        for (const claim of claims) owners.set(claim, object);
        addTo(snapshot, object);
      }
    }
    return { snapshot, refused };
  }
}

/** Adds the objects of before that are not deleted but refused now, and says so in the refusal. */
function keepRefused({ objects, refused }: LoadedManifest, before: readonly LoadedObject[]): LoadedManifest {
  if (refused.length === 0) return { objects, refused };
  const present = new Set(objects.map(({ key }) => key));
  const refusedKeys = new Set(refused.map(refusedKey));
  // A refusal without a name may be about any object that the file no longer shows.
  const isAnyRefused = refusedKeys.has(undefined);
  const kept = before.filter(({ key }) => !present.has(key) && (isAnyRefused || refusedKeys.has(key)));
  if (kept.length === 0) return { objects, refused };
  const keptKeys = new Set(kept.map(({ key }) => key));
  return {
    objects: [...objects, ...kept],
    refused: refused.map((item) => {
      const key = refusedKey(item);
      const isKept = key === undefined || keptKeys.has(key);
      return isKept ? { ...item, message: `${item.message}${keptNote(key, kept)}` } : item;
    }),
  };
}

const keptNote = (key: string | undefined, kept: readonly LoadedObject[]): string =>
  `; its last good version stays in force${key === undefined ? ` (${kept.map((object) => object.key).join(', ')})` : ''}`;

/** Names that only one object may have: its own, and for a pod its uid. */
const claimsOf = (object: LoadedObject): string[] =>
  object.kind === 'Pod' ? [object.key, `uid ${object.object.metadata?.uid}`] : [object.key];

function refuseDuplicate(object: LoadedObject, owner: LoadedObject): RefusedManifest {
  const { file, kind, line, key } = object;
  const { name, namespace } = object.object.metadata ?? {};
  const what = owner.key === key ? key : `the uid of ${owner.key}`;
  return {
    file,
    line,
    path: owner.key === key ? 'metadata.name' : 'metadata.uid',
    kind,
    namespace,
    name,
    message: `${what} is there twice: ${basename(owner.file)} line ${owner.line} has it, ${basename(file)} line ${line} is left out`,
  };
}

function addTo(snapshot: SourceSnapshot, object: LoadedObject): void {
  switch (object.kind) {
    case 'Pod':
      snapshot.pods.push(object.object);
      return;
    case 'ConfigMap':
      snapshot.configMaps.push(object.object);
      return;
    case 'Secret':
      snapshot.secrets.push(object.object);
      return;
  }
}
