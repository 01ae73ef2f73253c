/**
 * ROS names of pods: `/<robot>/pods/<namespace>/<pod>`. `-` and `.` become `_`, never doubled, and what begins with a
 * digit gets an `n` before it. Pods that would have the same name are told apart by the beginning of their uid. Pure.
 */
import type { Pod } from '../../src/api/core.gen.ts';
import { podKey, podName, podNamespace, podUid } from '../../src/pods/identity.ts';

/** One part of a ROS name, from a name of Kubernetes. */
export function nameToken(text: string): string {
  const token = text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  return /^[A-Za-z]/.test(token) ? token : `n${token}`;
}

export interface PodNodeName {
  /** `/robot/pods/default` */
  namespace: string;
  /** `camera` */
  name: string;
}

export const fullName = ({ name, namespace }: PodNodeName): string => `${namespace}/${name}`;

/**
 * Names of all pods, by uid. A name that a pod has stays its own while it is there; of pods that come together the
 * oldest gets the plain name, so that another life of the agent gives the same.
 */
export function podNodeNames(
  robot: string,
  pods: readonly Pod[],
  before: ReadonlyMap<string, PodNodeName> = new Map(),
): Map<string, PodNodeName> {
  const names = new Map<string, PodNodeName>();
  const taken = new Set<string>();
  const give = (uid: string, name: PodNodeName) => {
    names.set(uid, name);
    taken.add(fullName(name));
  };
  for (const pod of pods) {
    const known = before.get(podUid(pod));
    if (known !== undefined) give(podUid(pod), known);
  }
  const since = (pod: Pod): string => pod.status?.startTime ?? '';
  const sorted = [...pods].sort(
    (a, b) => order(since(a), since(b)) || order(podKey(a), podKey(b)) || order(podUid(a), podUid(b)),
  );
  for (const pod of sorted) {
    const uid = podUid(pod);
    if (!names.has(uid)) give(uid, freeName(robot, pod, taken));
  }
  return names;
}

function freeName(robot: string, pod: Pod, taken: ReadonlySet<string>): PodNodeName {
  const namespace = `/${robot}/pods/${nameToken(podNamespace(pod))}`;
  const token = nameToken(podName(pod));
  const room = maxNodeName - namespace.length - 1;
  const plain = { namespace, name: token };
  if (token.length <= room && !taken.has(fullName(plain))) return plain;
  const suffix = podUid(pod)
    .replace(/[^A-Za-z0-9]/g, '')
    .toLowerCase();
  for (let length = shortSuffix; ; length += 1) {
    // Longer than the uid: another with the same letters has it.
    const end = `_${suffix.slice(0, length)}${'x'.repeat(Math.max(length - suffix.length, 0))}`;
    const name = { namespace, name: `${token.slice(0, room - end.length).replace(/_$/, '')}${end}` };
    if (!taken.has(fullName(name))) return name;
  }
}

const shortSuffix = 6;

/** Topics of DDS have at most 255 characters; the services of a node put up to 40 around its name. */
const maxNodeName = 210;

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
