/**
 * What a kubeconfig says of the cluster and of who we are (client-go's clientcmd/api/v1 Config): the current context
 * alone. Credentials that are named as files are read anew for every connection, because they are rotated.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { messageOf } from '../error-message.ts';
import type { Credentials } from './credentials.ts';
import { ExecCredentialError, execCredentials } from './exec-credentials.ts';

export interface ClusterAccess {
  /** `https://host:port`, perhaps with a path in front of all others. */
  server: URL;
  /** Expected in the server's certificate instead of the host of `server`. */
  tlsServerName?: string;
  insecureSkipTlsVerify: boolean;
  /** @throws KubeconfigError when a file is gone or cannot be read, or the program that is asked has none */
  credentials(): Promise<Credentials>;
  /** The server does not take what `credentials` gave: where a program gives them, it is asked anew. */
  refused(): void;
}

export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

/**
 * @param signal ends a program that is asked for credentials
 * @throws KubeconfigError that names the field and the file
 */
export async function readKubeconfig(file: string, signal: AbortSignal): Promise<ClusterAccess> {
  const path = resolve(file);
  return clusterAccess(await readText(path, 'the kubeconfig'), path, signal);
}

/** @param path of the file that `text` is of: what it names is relative to its directory */
export function clusterAccess(text: string, path: string, signal: AbortSignal): ClusterAccess {
  const fail = (what: string): never => {
    throw new KubeconfigError(`${path}: ${what}`);
  };
  let config: Kubeconfig;
  try {
    config = parse(text) as Kubeconfig;
  } catch (error) {
    return fail(`is no YAML: ${messageOf(error)}`);
  }
  if (config === null || typeof config !== 'object') return fail('is empty');
  const contextName = config['current-context'];
  if (!contextName) return fail('current-context: is not set, so it is not known which cluster is meant');
  const context = named(config.contexts, contextName)?.context ?? fail(`contexts: has no ${contextName}`);
  const cluster =
    named(config.clusters, context.cluster)?.cluster ?? fail(`clusters: has no ${context.cluster}`);
  const user = named(config.users, context.user)?.user ?? fail(`users: has no ${context.user}`);
  for (const field of unsupportedUserFields) {
    if (user[field] !== undefined)
      fail(`users[${context.user}].user.${field}: is not supported; use a client certificate or a token`);
  }
  for (const field of clusterTexts)
    if (!isText(cluster[field])) fail(`clusters[${context.cluster}].cluster.${field}: must be text`);
  for (const field of userTexts)
    if (!isText(user[field])) fail(`users[${context.user}].user.${field}: must be text`);
  if (cluster['proxy-url']) fail(`clusters[${context.cluster}].cluster.proxy-url: is not supported`);
  const url = cluster.server ?? '';
  const server = URL.canParse(url) ? new URL(url) : undefined;
  if (server?.protocol !== 'https:')
    return fail(
      `clusters[${context.cluster}].cluster.server: must be an https URL, not ${JSON.stringify(url)}`,
    );

  const inline = (data: string | undefined) => data && Buffer.from(data, 'base64').toString('utf8');
  const fileOf = async (name: string | undefined, what: string) =>
    name ? readText(resolve(dirname(path), name), what) : undefined;
  const caText = () =>
    inline(cluster['certificate-authority-data']) ??
    fileOf(cluster['certificate-authority'], 'certificate-authority');
  const namingFile = (error: unknown): never => {
    if (!(error instanceof ExecCredentialError)) throw error;
    throw new KubeconfigError(`${path}: users[${context.user}].user.${error.message}`, { cause: error });
  };
  const program = () =>
    execCredentials({
      exec: user.exec,
      path,
      cluster: async () => {
        const { 'certificate-authority': _file, extensions, ...entry } = cluster;
        const ca = await caText();
        const config = named(extensions, execExtension)?.extension;
        return {
          ...entry,
          server: url,
          ...(config === undefined || config === null ? {} : { config }),
          ...(ca ? { 'certificate-authority-data': Buffer.from(ca).toString('base64') } : {}),
        };
      },
      nowMs: Date.now,
      signal,
    });
  let exec: ReturnType<typeof program> | undefined;
  try {
    exec = user.exec === undefined || user.exec === null ? undefined : program();
  } catch (error) {
    namingFile(error);
  }
  return {
    server,
    refused: () => exec?.refused(),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    ...(cluster['tls-server-name'] ? { tlsServerName: cluster['tls-server-name'] } : {}),
    credentials: async () => {
      const [ca, cert, key, token] = await Promise.all([
        caText(),
        inline(user['client-certificate-data']) ?? fileOf(user['client-certificate'], 'client-certificate'),
        inline(user['client-key-data']) ?? fileOf(user['client-key'], 'client-key'),
        // A file wins, as in client-go: it is the one that is renewed.
        fileOf(user.tokenFile, 'tokenFile'),
      ]);
      const given = await exec?.get().catch(namingFile);
      return defined({ ca, cert, key, token: token?.trim() || user.token, ...given });
    },
  };
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context?: { cluster?: string; user?: string } }[];
  clusters?: { name: string; cluster?: ClusterEntry }[];
  users?: { name: string; user?: UserEntry }[];
}

interface ClusterEntry {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
  extensions?: { name: string; extension?: unknown }[];
}

/** Of a cluster: what a program that gives credentials is told beside, as the cluster's own. */
const execExtension = 'client.authentication.k8s.io/exec';

interface UserEntry {
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
  exec?: unknown;
  'auth-provider'?: unknown;
  username?: unknown;
}

const unsupportedUserFields = ['auth-provider', 'username'] as const;

const clusterTexts = [
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'tls-server-name',
] as const;

const userTexts = [
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
  'token',
  'tokenFile',
] as const;

/** What is not there is `null` where somebody left the value out. */
const isText = (value: unknown): boolean => typeof (value ?? '') === 'string';

/** Whatever the file holds there: it is written by people. */
const named = <T extends { name: string }>(list: T[] | undefined, name: string | undefined): T | undefined =>
  Array.isArray(list) ? list.find((entry) => entry?.name === name) : undefined;

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`${what} ${path} cannot be read: ${(error as Error).message}`);
  }
}

const defined = (fields: { [Name in keyof Credentials]: string | undefined }): Credentials =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
