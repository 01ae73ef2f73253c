/**
 * The credentials to pull an image with: those of the pod's imagePullSecrets, then the node's own Docker configuration
 * files, then what credential providers give for it. Secrets and files are read anew for every pull, so that a change
 * works at once.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageAuth } from '../../runtime/runtime.ts';
import type { Pod, Secret } from '../api/core.gen.ts';
import { messageOf } from '../error-message.ts';
import { podNamespace } from '../pods/identity.ts';
import type { ObjectReader } from '../sources/source.ts';
import type { CredentialProvider } from './credential-provider.ts';
import {
  DockerConfigError,
  matchingCredentials,
  parseDockerConfig,
  type RegistryCredential,
} from './docker-config.ts';
import type { ImageReference } from './reference.ts';

export interface Credentials {
  /** In the order in which they are to be tried. */
  auths: ImageAuth[];
  /** What could not be used, as sentences; the pull may succeed without. */
  problems: string[];
}

export interface CredentialSource {
  credentialsFor(pod: Pod, image: ImageReference, signal: AbortSignal): Promise<Credentials>;
}

export function createCredentialSource(options: {
  objects: ObjectReader;
  /** Docker `config.json` files; those that do not exist are passed over. */
  configPaths: readonly string[];
  providers: readonly CredentialProvider[];
}): CredentialSource {
  return {
    credentialsFor: async (pod, image, signal) => {
      const found: (readonly RegistryCredential[])[] = [];
      const problems: string[] = [];
      const collect = async (
        what: string,
        load: () => Promise<readonly RegistryCredential[] | undefined>,
        into = found,
      ) => {
        try {
          into.push((await load()) ?? []);
        } catch (error) {
          signal.throwIfAborted();
          problems.push(`${what}: ${messageOf(error)}`);
        }
      };
      for (const { name = '' } of pod.spec?.imagePullSecrets ?? []) {
        await collect(`secret ${podNamespace(pod)}/${name}`, async () =>
          credentialsOf(await options.objects.secret(podNamespace(pod), name, signal)),
        );
      }
      for (const path of options.configPaths) await collect(path, () => readConfig(path, signal));
      // One list: of two that have credentials for the image, the one that names it closest is tried first.
      const provided: (readonly RegistryCredential[])[] = [];
      for (const provider of options.providers) {
        const what = `credential provider ${provider.name}`;
        await collect(what, () => provider.credentials(image, signal), provided);
      }
      found.push(provided.flat());
      return { auths: found.flatMap((credentials) => matchingCredentials(credentials, image)), problems };
    },
  };
}

/** Where the node's credentials may lie, as for the kubelet and the Docker client. */
export function dockerConfigPaths(rootDir: string, env: NodeJS.ProcessEnv): string[] {
  const dirs = [
    rootDir,
    '/var/lib/kubelet',
    env.DOCKER_CONFIG,
    env.HOME === undefined ? undefined : join(env.HOME, '.docker'),
  ];
  const given = dirs.filter((dir): dir is string => dir !== undefined && dir !== '');
  return [...new Set(given.map((dir) => join(dir, 'config.json')))];
}

const secretFormats = [
  { type: 'kubernetes.io/dockerconfigjson', key: '.dockerconfigjson', format: 'config.json' },
  { type: 'kubernetes.io/dockercfg', key: '.dockercfg', format: 'dockercfg' },
] as const;

function credentialsOf(secret: Secret | undefined): RegistryCredential[] {
  if (secret === undefined) throw new DockerConfigError('it does not exist');
  const known = secretFormats.find(({ type }) => type === secret.type);
  if (known === undefined) {
    throw new DockerConfigError(
      `its type is ${secret.type ?? 'Opaque'}; a pull secret is of type ${secretFormats.map(({ type }) => type).join(' or ')}`,
    );
  }
  const data = secret.data?.[known.key];
  if (data === undefined) throw new DockerConfigError(`it has no key ${known.key}`);
  return parseDockerConfig(Buffer.from(data, 'base64').toString('utf8'), known.format);
}

async function readConfig(path: string, signal: AbortSignal): Promise<RegistryCredential[] | undefined> {
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseDockerConfig(text, 'config.json');
}
