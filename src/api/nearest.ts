/** The known name that a misspelt one was most likely meant to be. */

/** Undefined when nothing is near enough to be worth suggesting. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const candidates = [...known];
  return misspelt(name, candidates) ?? abridged(name, candidates);
}

/** The known name with the fewest edits, when they are few for its length. */
function misspelt(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, lower.length) / 3));
    const limit = Math.min(allowed, bestDistance - 1);
    if (limit < 0 || Math.abs(lower.length - wanted.length) > limit) continue;
    const distance = editDistance(wanted, lower);
    if (distance <= limit) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The shortest known name that has this one in it, or the longest that is in this one: `mounts`, `environment`. */
function abridged(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  if (wanted.length < MIN_ABRIDGED) return undefined;
  const lengths = (a: string, b: string): number => a.length - b.length;
  const longer = known.filter((candidate) => candidate.toLowerCase().includes(wanted)).sort(lengths);
  const shorter = known.filter(
    (candidate) => candidate.length >= MIN_ABRIDGED && wanted.includes(candidate.toLowerCase()),
  );
  return longer[0] ?? shorter.sort(lengths).at(-1);
}

/** Shorter pieces are in many names by chance. */
const MIN_ABRIDGED = 3;

/** Damerau-Levenshtein (optimal string alignment): a swap of neighbours counts as one edit. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let cost = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (isSame ? 0 : 1),
      );
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
