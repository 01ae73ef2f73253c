/**
 * A credential provider: a program that is asked for the credentials of an image (credentialprovider.kubelet.k8s.io,
 * KEP-2133). The request goes to its standard input, the answer comes on its standard output and is kept for as long as
 * it says, for the image, its registry or all images.
 */
import { parseDuration } from '../config/duration.ts';
import { JoinedRuns } from '../joined-runs.ts';
import type { Logger } from '../log.ts';
import { matchesRepository, normalizeRegistry, type RegistryCredential } from './docker-config.ts';
import { type ProviderProgram, runProvider } from './provider-program.ts';
import { type ImageReference, repositoryOf } from './reference.ts';

export interface ImageCredentialProvider extends ProviderProgram {
  /** Of KubeletConfiguration's credentialprovider API: what the program is spoken to in, and must answer in. */
  apiVersion: string;
  /** Asked only for images that match one of these: host with wildcards, port, begin of the path. */
  matchImages: readonly string[];
  /** Where an answer does not say how long it holds; 0: not kept. */
  defaultCacheMs: number;
}

export interface CredentialProvider {
  readonly name: string;
  /** @throws ProviderError, never with a secret in its message. */
  credentials(image: ImageReference, signal: AbortSignal): Promise<readonly RegistryCredential[]>;
}

export class ProviderError extends Error {
  override readonly name = 'ProviderError';
}

/** @param now epoch in milliseconds */
export function createCredentialProvider(
  provider: ImageCredentialProvider,
  now: () => number,
  log: Logger,
): CredentialProvider {
  const { name, apiVersion } = provider;
  const patterns = provider.matchImages.map(normalizeRegistry);
  const kept = new Map<string, Kept>();
  const asking = new JoinedRuns<readonly RegistryCredential[]>();

  /** Also not when the clock was set back: for how long the answer is there nobody knows then. */
  const holds = ({ sinceMs, durationMs }: Kept): boolean => {
    const ageMs = now() - sinceMs;
    return ageMs >= 0 && ageMs < durationMs;
  };

  const keep = (key: string, credentials: readonly RegistryCredential[], durationMs: number): void => {
    for (const [other, entry] of kept) if (!holds(entry)) kept.delete(other);
    if (durationMs > 0) kept.set(key, { credentials, sinceMs: now(), durationMs });
  };

  const ask = async (image: ImageReference, signal: AbortSignal): Promise<readonly RegistryCredential[]> => {
    const request = { apiVersion, kind: 'CredentialProviderRequest', image: repositoryOf(image) };
    const answer = parseAnswer(await runProvider(provider, JSON.stringify(request), log, signal), apiVersion);
    keep(
      keyOf(answer.cacheKeyType, image),
      answer.credentials,
      answer.cacheDurationMs ?? provider.defaultCacheMs,
    );
    return answer.credentials;
  };

  return {
    name,
    credentials: async (image, signal) => {
      if (!patterns.some((pattern) => matchesRepository(pattern, repositoryOf(image)))) return [];
      for (const type of cacheKeyTypes) {
        const entry = kept.get(keyOf(type, image));
        if (entry !== undefined && holds(entry)) return entry.credentials;
      }
      return asking.run(repositoryOf(image), (shared) => ask(image, shared), signal);
    },
  };
}

interface Kept {
  credentials: readonly RegistryCredential[];
  sinceMs: number;
  durationMs: number;
}

interface Answer {
  cacheKeyType: CacheKeyType;
  /** Undefined: as configured. */
  cacheDurationMs: number | undefined;
  credentials: RegistryCredential[];
}

/** In the order in which what is kept is looked up. */
const cacheKeyTypes = ['Image', 'Registry', 'Global'] as const;

type CacheKeyType = (typeof cacheKeyTypes)[number];

function keyOf(type: CacheKeyType, image: ImageReference): string {
  if (type === 'Global') return type;
  return `${type} ${type === 'Image' ? repositoryOf(image) : image.domain}`;
}

function parseAnswer(text: string, apiVersion: string): Answer {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text, which holds secrets.
    throw new ProviderError('its answer is not JSON');
  }
  if (!isRecord(root)) throw new ProviderError('its answer is not a JSON object');
  if (root.apiVersion !== apiVersion || root.kind !== 'CredentialProviderResponse') {
    throw new ProviderError(`its answer is no CredentialProviderResponse of ${apiVersion}`);
  }
  const cacheKeyType = cacheKeyTypes.find((type) => type === root.cacheKeyType);
  if (cacheKeyType === undefined) {
    throw new ProviderError(`cacheKeyType of its answer is none of ${cacheKeyTypes.join(', ')}`);
  }
  return {
    cacheKeyType,
    cacheDurationMs: durationOf(root.cacheDuration),
    credentials: credentialsOf(root.auth),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function durationOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const ms = typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms === undefined || ms < 0) throw new ProviderError('cacheDuration of its answer is no duration');
  return ms;
}

/** None at all is an answer, too: the image needs none, or the program has none for it. */
function credentialsOf(auth: unknown): RegistryCredential[] {
  if (auth === undefined || auth === null) return [];
  if (!isRecord(auth)) throw new ProviderError('auth of its answer is not an object');
  return Object.entries(auth).map(([registry, entry]) => {
    const { username = '', password = '' } = isRecord(entry) ? entry : {};
    if (!isRecord(entry) || typeof username !== 'string' || typeof password !== 'string') {
      throw new ProviderError(`auth of its answer has no username and password for ${registry}`);
    }
    return { registry: normalizeRegistry(registry), auth: { username, password } };
  });
}
