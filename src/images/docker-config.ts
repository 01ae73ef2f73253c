/**
 * Registry credentials in the formats of the Docker client: `config.json` (`{"auths": {…}}`) and the older
 * `.dockercfg`, and which of them are meant for an image, by registry, path prefix and wildcards as the kubelet does.
 */
import type { ImageAuth } from '../../runtime/runtime.ts';
import { defaultRegistry, type ImageReference, legacyDefaultRegistry, repositoryOf } from './reference.ts';

export interface RegistryCredential {
  /** Host with optional path, wildcards within a label of the host: `*.example.com/team`. */
  registry: string;
  auth: ImageAuth;
}

export class DockerConfigError extends Error {
  override readonly name = 'DockerConfigError';
}

/** @throws DockerConfigError, never with a secret in its message. */
export function parseDockerConfig(text: string, format: 'config.json' | 'dockercfg'): RegistryCredential[] {
  const root = parseObject(text);
  const entries = format === 'config.json' ? (root.auths ?? {}) : root;
  if (!isRecord(entries)) throw new DockerConfigError('auths is not an object');
  return Object.entries(entries).map(([registry, entry]) => {
    if (!isRecord(entry)) throw new DockerConfigError(`the entry of ${registry} is not an object`);
    return { registry: normalizeRegistry(registry), auth: toAuth(registry, entry) };
  });
}

/** The credentials for an image, the most specific registry first. */
export function matchingCredentials(
  credentials: readonly RegistryCredential[],
  image: ImageReference,
): ImageAuth[] {
  const matching = credentials
    .filter(({ registry }) => matchesRepository(registry, repositoryOf(image)))
    .sort((a, b) => (a.registry < b.registry ? 1 : a.registry > b.registry ? -1 : 0));
  if (matching.length > 0 || image.domain !== defaultRegistry) return matching.map(({ auth }) => auth);
  return credentials.filter(({ registry }) => registry === legacyDefaultRegistry).map(({ auth }) => auth);
}

function parseObject(text: string): Record<string, unknown> {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text, which holds secrets.
    throw new DockerConfigError('it is not JSON');
  }
  if (!isRecord(root)) throw new DockerConfigError('it is not a JSON object');
  return root;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** No server address: a runtime would use the credentials only for exactly that host, not for a mirror of it. */
function toAuth(registry: string, entry: Record<string, unknown>): ImageAuth {
  const field = (name: string) => {
    const value = entry[name];
    if (value === undefined || typeof value === 'string') return value === '' ? undefined : value;
    throw new DockerConfigError(`${name} of ${registry} is not a string`);
  };
  const auth = field('auth');
  const [username, password] =
    auth === undefined ? [field('username'), field('password')] : decodeAuth(registry, auth);
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...optional('identityToken', field('identitytoken')),
    ...optional('registryToken', field('registrytoken')),
  };
}

const optional = (name: 'identityToken' | 'registryToken', value: string | undefined): ImageAuth =>
  value === undefined ? {} : { [name]: value };

/** base64 of `user:password`, sometimes padded with zero bytes. */
function decodeAuth(registry: string, auth: string): [string, string] {
  const decoded = Buffer.from(auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new DockerConfigError(`auth of ${registry} is not base64 of user:password`);
  return [decoded.slice(0, colon), decoded.slice(colon + 1).replace(/\0+$/, '')];
}

/** `https://host/v1/` and `host` mean the same; `host/team/` leaves `host/teammate` alone. */
export function normalizeRegistry(registry: string): string {
  const withoutScheme = registry.replace(/^https?:\/\//, '');
  return withoutScheme.replace(/^([^/]*)\/v[12](?=\/|$)/, '$1').replace(/^([^/]*)\/$/, '$1');
}

export function matchesRepository(registry: string, repository: string): boolean {
  const [wantedHost, wantedPath] = splitAtSlash(registry);
  const [host, path] = splitAtSlash(repository);
  return matchesHost(wantedHost, host) && path.startsWith(wantedPath);
}

function splitAtSlash(text: string): [host: string, path: string] {
  const slash = text.indexOf('/');
  return slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash)];
}

/** A wildcard stands for characters within one label; the port must be the same. */
function matchesHost(pattern: string, host: string): boolean {
  const [wanted, wantedPort] = splitPort(pattern);
  const [name, port] = splitPort(host);
  const wantedLabels = wanted.split('.');
  const labels = name.split('.');
  return (
    wantedPort === port &&
    wantedLabels.length === labels.length &&
    wantedLabels.every((label, index) => matchesLabel(label, labels[index] ?? ''))
  );
}

function splitPort(host: string): [name: string, port: string] {
  const port = /:(\d+)$/.exec(host);
  return port === null ? [host, ''] : [host.slice(0, port.index), port[1] ?? ''];
}

function matchesLabel(pattern: string, label: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|\\[\]]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(label);
}
