/**
 * Image references as people write them (`nginx`, `host:5000/a/b:tag@sha256:…`), normalized the way every container
 * engine does: docker.io and `library/` where no registry is named, `latest` where there is neither tag nor digest.
 * The grammar is that of the distribution project.
 */

export interface ImageReference {
  /** Registry host with port: `docker.io`, `127.0.0.1:5000`. */
  domain: string;
  /** Path in the registry: `library/nginx`. */
  path: string;
  tag?: string;
  /** `sha256:…` */
  digest?: string;
}

/** Undefined when the text is no reference. */
export function parseImageReference(text: string): ImageReference | undefined {
  const match = referenceGrammar.exec(text);
  const { name, tag, digest } = match?.groups ?? {};
  // A bare digest is an image id, not a name: it would be looked up in the default registry.
  if (name === undefined || /^[a-f0-9]{64}$/.test(text)) return undefined;
  const { domain, path } = splitDomain(name);
  if (!domainGrammar.test(domain) || !pathGrammar.test(path)) return undefined;
  if (domain.length + path.length + 1 > maxNameLength) return undefined;
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** What is wrong with a text that is no reference, in the words of the distribution project. */
export function whyNoReference(text: string): string {
  const name = referenceGrammar.exec(text)?.groups?.name ?? '';
  const { path } = splitDomain(name);
  const hint = path === path.toLowerCase() ? '' : `: repository name (${path}) must be lowercase`;
  return `invalid reference format${hint}`;
}

/** With the tag `latest` when it has neither tag nor digest: what is asked of the runtime. */
export const withDefaultTag = (reference: ImageReference): ImageReference =>
  reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;

/** What credentials are looked up by. */
export const repositoryOf = ({ domain, path }: ImageReference): string => `${domain}/${path}`;

export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return repositoryOf(reference) + tag + digest;
}

export const defaultRegistry = 'docker.io';
/** The name that the default registry had once, and still has in credentials. */
export const legacyDefaultRegistry = 'index.docker.io';

const maxNameLength = 255;
const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const pathGrammar = new RegExp(`^${component}(?:/${component})*$`);
const domainGrammar = new RegExp(
  `^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`,
);
const referenceGrammar =
  /^(?<name>[^@]+?)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$/;

/** The first segment is a registry only when it cannot be part of a path on the default one. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const named = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (slash > 0 && named && first !== defaultRegistry && first !== legacyDefaultRegistry) {
    return { domain: first, path: name.slice(slash + 1) };
  }
  const path = slash > 0 && named ? name.slice(slash + 1) : name;
  return { domain: defaultRegistry, path: path.includes('/') ? path : `library/${path}` };
}
