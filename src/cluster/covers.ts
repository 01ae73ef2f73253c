/**
 * Whether an object of the API server already says what we would write: every field of ours is there with the same
 * value. What we do not tell does not matter, and an empty value is as good as none, as the server drops those.
 */
export function covers(theirs: unknown, ours: unknown): boolean {
  if (isEmpty(ours)) return isEmpty(theirs);
  if (Array.isArray(ours)) {
    return (
      Array.isArray(theirs) &&
      theirs.length === ours.length &&
      ours.every((item, i) => covers(theirs[i], item))
    );
  }
  if (typeof ours === 'object' && ours !== null) {
    if (typeof theirs !== 'object' || theirs === null) return false;
    return Object.entries(ours).every(([name, value]) =>
      covers((theirs as Record<string, unknown>)[name], value),
    );
  }
  return theirs === ours;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

/**
 * Whether the API server made `a` after `b`. Versions of one server are numbers that only grow (KEP-5504); one that was
 * restored from a backup begins with lower ones, so that nothing from before a list may be compared with what came after.
 */
export const isNewer = (a: Versioned, b: Versioned): boolean => versionOf(a) > versionOf(b);

interface Versioned {
  metadata?: { resourceVersion?: string };
}

const versionOf = ({ metadata }: Versioned): bigint => BigInt(metadata?.resourceVersion ?? '0');
