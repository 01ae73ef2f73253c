/**
 * What a request to the kubelet's endpoints needs to be allowed: a verb on a subresource of this node, as the kubelet
 * maps them. Some paths have two subresources: the fine-grained one of Kubernetes 1.33, and `proxy`, which is all.
 */

export interface NodeAccess {
  /** As in RBAC rules; empty for a method that stands for none. */
  verb: string;
  /** One of them is enough; the narrowest first. */
  subresources: readonly string[];
}

export function nodeAccess(method: string, path: string): NodeAccess {
  const fine = narrow.find(([prefix]) => isAtOrBelow(path, prefix))?.[1];
  const own = separate.find(([prefix]) => isAtOrBelow(path, prefix))?.[1];
  const wide = own ?? 'proxy';
  return { verb: verbs.get(method) ?? '', subresources: fine === undefined ? [wide] : [fine, wide] };
}

const verbs: ReadonlyMap<string, string> = new Map([
  ['GET', 'get'],
  ['POST', 'create'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);

/** Allowed by their own subresource or by `proxy`. */
const narrow = [
  ['/pods', 'pods'],
  ['/runningpods', 'pods'],
  ['/healthz', 'healthz'],
  ['/configz', 'configz'],
] as const;

/** Allowed by their own subresource alone. */
const separate = [
  ['/stats', 'stats'],
  ['/metrics', 'metrics'],
  ['/logs', 'log'],
  ['/checkpoint', 'checkpoint'],
] as const;

const isAtOrBelow = (path: string, prefix: string): boolean =>
  path === prefix || path.startsWith(`${prefix}/`);
