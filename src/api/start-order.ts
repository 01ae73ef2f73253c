/**
 * The annotation `roslet.dev/after`: what must be there before a pod's containers start. Conditions are separated by
 * commas: `pod/NAME [inactive|active|finalized]`, also `pod/NAMESPACE/NAME`, `topic /NAME`, `node /NAME`, `service /NAME`.
 */
import { dns1123Label, dns1123Subdomain } from './names.ts';
import { nearestName } from './nearest.ts';

export type StartCondition =
  /** The pod is in this state, or further up: an active pod is inactive enough. */
  | { kind: 'pod'; namespace?: string; name: string; state: PodConditionState }
  /** Fully qualified. */
  | { kind: 'topic' | 'node' | 'service'; name: string };

export type PodConditionState = (typeof podStates)[number];

/** What is wrong with one condition, as the end of a sentence. */
export class StartOrderError extends Error {
  override readonly name = 'StartOrderError';
}

const podStates = ['inactive', 'active', 'finalized'] as const;
const rosKinds = ['topic', 'node', 'service'] as const;

/** @throws StartOrderError */
export function parseStartOrder(text: string): StartCondition[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === '')) {
    throw new StartOrderError(
      'must be conditions separated by single commas, such as "pod/localization active, topic /map"',
    );
  }
  return parts.map(parseCondition);
}

/** As it was written, in its full form. */
export function formatCondition(condition: StartCondition): string {
  if (condition.kind !== 'pod') return `${condition.kind} ${condition.name}`;
  const { name, namespace, state } = condition;
  return `pod/${namespace === undefined ? '' : `${namespace}/`}${name} ${state}`;
}

function parseCondition(text: string): StartCondition {
  const [subject = '', ...rest] = text.split(/\s+/);
  if (subject.startsWith('pod/')) return podCondition(text, subject.slice('pod/'.length), rest);
  const kind = rosKinds.find((each) => each === subject);
  if (kind === undefined) {
    const meant = nearestName(subject.split('/')[0]!, ['pod', ...rosKinds]);
    const hint =
      meant === undefined ? '' : `; did you mean "${meant === 'pod' ? 'pod/NAME' : `${meant} /NAME`}"?`;
    throw new StartOrderError(
      `must have conditions pod/NAME [STATE], topic /NAME, node /NAME or service /NAME, not "${text}"${hint}`,
    );
  }
  const [name, ...more] = rest;
  if (name === undefined || more.length > 0) {
    throw new StartOrderError(`must name one ${kind}, as in "${kind} /name", not "${text}"`);
  }
  const problem = rosNameProblem(name);
  if (problem !== undefined) throw new StartOrderError(`has the ${kind} "${name}", which ${problem}`);
  return { kind, name };
}

function podCondition(text: string, path: string, rest: readonly string[]): StartCondition {
  const [state = 'active', ...more] = rest;
  const known = podStates.find((each) => each === state);
  if (known === undefined || more.length > 0) {
    throw new StartOrderError(`must have one state of ${podStates.join(', ')} behind a pod, not "${text}"`);
  }
  const names = path.split('/');
  const [name = '', namespace] = names.reverse();
  const problem =
    names.length > 2
      ? 'must be pod/NAME or pod/NAMESPACE/NAME'
      : (dns1123Subdomain(name) ?? (namespace === undefined ? undefined : dns1123Label(namespace)));
  if (problem !== undefined) throw new StartOrderError(`has the pod "${path}", whose name ${problem}`);
  return { kind: 'pod', ...(namespace === undefined ? {} : { namespace }), name, state: known };
}

/** What keeps a text from being a fully qualified ROS 2 name, as the end of a sentence. */
function rosNameProblem(name: string): string | undefined {
  if (!name.startsWith('/')) return `must be fully qualified: "/${name}"`;
  if (/^(\/[A-Za-z_][A-Za-z0-9_]*)+$/.test(name)) return undefined;
  return 'must be parts of letters, digits and "_" behind single "/", none starting with a digit';
}
