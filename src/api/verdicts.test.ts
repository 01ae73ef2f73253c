/**
 * Holds defaulting and validation against what the API server's own code said of the same pods, recorded in
 * testdata/api-server-verdicts.jsonl: three valid pods, each with one field changed.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Pod } from './core.gen.ts';
import { decodeTree } from './decode-value.ts';
import { defaultPod } from './defaults.ts';
import { treeOf } from './tree.ts';
import { validatePod } from './validate.ts';

interface Header {
  bases: Pod[];
  defaulted: Pod[];
}

interface Case {
  /** Which of the bases. */
  base: number;
  /** The field that was changed. */
  path: string[];
  /** Null: taken out. */
  value: unknown;
  /** Paths of the fields that the API server complained about; empty when it took the pod. */
  refused: string[];
}

const lines = readFileSync(new URL('testdata/api-server-verdicts.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const [header, ...cases] = lines.map((line) => JSON.parse(line) as unknown) as [Header, ...Case[]];

/** Refused here though a cluster takes them: nothing sensible could be done with such a pod on any node. */
const stricter: readonly { path: RegExp; why: string }[] = [
  { path: /^spec\.volumes\[\d+\]\.emptyDir\.medium$/, why: 'the kubelet knows no other medium either' },
  {
    path: /^spec\.volumes\[\d+\]\.projected\.sources\[\d+\]$/,
    why: 'a source without a source projects nothing',
  },
  { path: /\.(value|preference|seconds)$/, why: 'the schema requires it, as kubectl does' },
];

const errorPaths = (pod: unknown): string[] => {
  const { errors, value } = decodeTree('Pod', treeOf(pod)!);
  const problems = errors.length > 0 ? errors : validatePod(defaultPod(value as Pod));
  return problems.map((error) => error.path);
};

describe.each(header.bases.map((base, position) => ({ base, position })))(
  'pod $position',
  ({ base, position }) => {
    it('is defaulted as by the API server', () => {
      expect(comparable(defaultPod(base))).toEqual(comparable(header.defaulted[position]));
    });

    it.each(cases.filter((item) => item.base === position))('$path: $value', ({ path, refused, value }) => {
      const paths = errorPaths(changed(base, path, value));
      if (refused.length === 0) {
        expect(paths.filter((ours) => !stricter.some((known) => known.path.test(ours)))).toEqual([]);
      } else {
        const isSameComplaint = paths.some((ours) => refused.some((theirs) => isSameField(ours, theirs)));
        expect(isSameComplaint, `${paths.join()} for ${refused.join()}`).toBe(true);
      }
    });
  },
);

/** The API server sometimes names the field above, below or beside, and leaves indices out. */
function isSameField(ours: string, theirs: string): boolean {
  const [a, b] = [ours, theirs].map((path) =>
    path
      .replace(/\[[^\]]*\]/g, '')
      .replace('downwarAPI', 'downwardAPI')
      .replace('downwardAPI.items', 'downwardAPI'),
  );
  const parent = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('.'), 0));
  return a!.startsWith(b!) || b!.startsWith(a!) || parent(a!) === parent(b!);
}

function changed(base: Pod, path: string[], value: unknown): unknown {
  const pod = structuredClone(base) as unknown as Record<string, unknown>;
  const holder = path.slice(0, -1).reduce((object, key) => object[key] as Record<string, unknown>, pod);
  const last = path.at(-1)!;
  if (value !== null) holder[last] = value;
  else if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete holder[last];
  return pod;
}

/** Without what Go writes for nothing, and what the admission plugins of a cluster add later. */
const comparable = (pod: unknown): unknown =>
  JSON.parse(JSON.stringify(pod), (key, value: unknown) => {
    const isNothing =
      value === '' || (key === 'divisor' && value === '0') || (key === 'resources' && isEmpty(value));
    return isNothing || ['priority', 'preemptionPolicy', 'creationTimestamp'].includes(key)
      ? undefined
      : value;
  });

const isEmpty = (value: unknown): boolean => JSON.stringify(value) === '{}';
