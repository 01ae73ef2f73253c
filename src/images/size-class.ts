/** The size of an image as the kubelet's `image_pull_duration_seconds` names it. */
export function sizeClass(sizeBytes: number): string {
  if (sizeBytes === 0) return 'N/A';
  return classes.findLast(([aboveBytes]) => sizeBytes > aboveBytes)![1];
}

const mib = 2 ** 20;
const gib = 2 ** 30;

const classes: readonly (readonly [number, string])[] = [
  [0, '0-10MB'],
  [10 * mib, '10MB-100MB'],
  [100 * mib, '100MB-500MB'],
  [500 * mib, '500MB-1GB'],
  [gib, '1GB-5GB'],
  [5 * gib, '5GB-10GB'],
  [10 * gib, '10GB-20GB'],
  [20 * gib, '20GB-30GB'],
  [30 * gib, '30GB-40GB'],
  [40 * gib, '40GB-60GB'],
  [60 * gib, '60GB-100GB'],
  [100 * gib, 'GT100GB'],
];
