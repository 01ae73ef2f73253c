/**
 * Credentials from a program that the kubeconfig names (`users[].user.exec`, client.authentication.k8s.io), as clouds have
 * their nodes ask for them. What it gives is kept for as long as it says, or until the server does not take it.
 */
import { execFile } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { JoinedRuns } from '../joined-runs.ts';
import type { Credentials } from './credentials.ts';

export interface ExecCredentials {
  /** @throws ExecCredentialError */
  get(): Promise<Credentials>;
  /** The server does not take what was given last. */
  refused(): void;
}

export class ExecCredentialError extends Error {
  override readonly name = 'ExecCredentialError';
}

/** What a cluster's entry says of it, for programs that ask for it (`provideClusterInfo`). */
export interface ClusterInfo {
  server: string;
  'tls-server-name'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'certificate-authority-data'?: string;
  /** What the cluster's entry has for such programs. */
  config?: unknown;
}

export interface ExecOptions {
  /** `user.exec` of the file. */
  exec: unknown;
  /** Of the kubeconfig: a command with a slash in it is relative to its directory. */
  path: string;
  cluster: () => Promise<ClusterInfo>;
  nowMs: () => number;
  /** Ends a program that runs. */
  signal: AbortSignal;
}

/** @throws ExecCredentialError that names the field */
export function execCredentials(options: ExecOptions): ExecCredentials {
  const plan = readPlan(options.exec);
  const command = plan.command.includes('/') ? resolve(dirname(options.path), plan.command) : plan.command;
  const asking = new JoinedRuns<Credentials>();
  let kept: { credentials: Credentials; untilMs: number } | undefined;

  const ask = async (signal: AbortSignal): Promise<Credentials> => {
    const spec = {
      interactive: false,
      ...(plan.provideClusterInfo ? { cluster: await options.cluster() } : {}),
    };
    const request = { apiVersion: plan.apiVersion, kind: 'ExecCredential', spec };
    const env = { ...process.env, ...plan.env, KUBERNETES_EXEC_INFO: JSON.stringify(request) };
    const text = await run(command, plan, env, signal);
    const { credentials, expiresMs } = readAnswer(text, plan, command);
    const nowMs = options.nowMs();
    // Renewed a little before: what is asked meanwhile is not refused.
    kept = { credentials, untilMs: expiresMs - Math.min(mostEarlyMs, Math.max(expiresMs - nowMs, 0) / 10) };
    return credentials;
  };

  return {
    get: async () => {
      if (kept !== undefined && options.nowMs() < kept.untilMs) return kept.credentials;
      return asking.run('', ask, options.signal);
    },
    refused: () => {
      kept = undefined;
    },
  };
}

/** The connection looks at its credentials once a minute. */
const mostEarlyMs = 90_000;
const mostRunMs = 60_000;
const mostBytes = 1024 * 1024;
const mostShown = 500;

interface Plan {
  apiVersion: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  provideClusterInfo: boolean;
  installHint: string;
}

const versions = ['v1', 'v1beta1'].map((version) => `client.authentication.k8s.io/${version}`);

function readPlan(exec: unknown): Plan {
  const fail = (what: string): never => {
    throw new ExecCredentialError(what);
  };
  if (!isRecord(exec)) return fail('exec: must be a mapping of fields');
  const { apiVersion, command, args, env, provideClusterInfo, installHint, interactiveMode } = exec;
  if (typeof apiVersion !== 'string' || !versions.includes(apiVersion)) {
    return fail(`exec.apiVersion: must be one of ${versions.join(', ')}, not ${JSON.stringify(apiVersion)}`);
  }
  if (typeof command !== 'string' || command === '') return fail('exec.command: must name a program');
  if (interactiveMode === 'Always') {
    return fail(
      'exec.interactiveMode: is Always, and there is nobody to ask: it must be Never or IfAvailable',
    );
  }
  if (!isListOf(args, (each) => typeof each === 'string')) return fail('exec.args: must be a list of texts');
  const isVariable = (each: unknown) =>
    isRecord(each) && typeof each.name === 'string' && typeof (each.value ?? '') === 'string';
  if (!isListOf(env, isVariable)) return fail('exec.env: must be a list of variables with name and value');
  const variables = ((env ?? []) as { name: string; value?: string }[]).map(
    ({ name, value }) => [name, value ?? ''] as const,
  );
  return {
    apiVersion,
    command,
    args: (args ?? []) as string[],
    env: Object.fromEntries(variables),
    provideClusterInfo: provideClusterInfo === true,
    installHint: typeof installHint === 'string' ? installHint.trim() : '',
  };
}

function run(
  command: string,
  { args, installHint }: Plan,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> {
  const limits = { signal, timeout: mostRunMs, killSignal: 'SIGKILL', maxBuffer: mostBytes } as const;
  return new Promise((done, reject) => {
    const child = execFile(command, args, { ...limits, env }, (error, stdout, stderr) => {
      if (error === null) return done(stdout);
      const hint = error.code === 'ENOENT' && installHint !== '' ? `: ${installHint}` : '';
      const complaint = stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-mostShown)}`;
      reject(
        new ExecCredentialError(`exec: ${command} ${whyItFailed(error)}${hint}${complaint}`, {
          cause: error,
        }),
      );
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end();
  });
}

function whyItFailed(error: Error & { code?: string | number | null; killed?: boolean }): string {
  if (error.code === 'ENOENT') return 'is not there';
  if (typeof error.code === 'string') return `failed with ${error.code}`;
  if (error.killed) return `did not end within ${mostRunMs / 1000} s`;
  return typeof error.code === 'number' ? `ended with ${error.code}` : 'was killed';
}

/** @returns when they run out (epoch); infinite: they are not said to */
function readAnswer(
  text: string,
  { apiVersion }: Plan,
  command: string,
): { credentials: Credentials; expiresMs: number } {
  const fail = (what: string): never => {
    throw new ExecCredentialError(`exec: ${command} ${what}`);
  };
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text, which holds secrets.
    return fail('answered with something that is not JSON');
  }
  if (!isRecord(answer) || answer.kind !== 'ExecCredential' || answer.apiVersion !== apiVersion) {
    return fail(`did not answer with an ExecCredential of ${apiVersion}`);
  }
  const {
    token,
    clientCertificateData: cert,
    clientKeyData: key,
    expirationTimestamp,
  } = isRecord(answer.status) ? answer.status : {};
  if (!isText(token) || !isText(cert) || !isText(key))
    return fail('answered with credentials that are no text');
  if (!token && !cert) return fail('answered without a token and without a certificate');
  if (!cert !== !key) return fail('answered with a certificate without its key, or the other way round');
  const expiresMs =
    expirationTimestamp === undefined || expirationTimestamp === null
      ? Number.POSITIVE_INFINITY
      : Date.parse(String(expirationTimestamp));
  if (Number.isNaN(expiresMs)) return fail('answered with an expirationTimestamp that is no time');
  return { credentials: { ...(token ? { token } : {}), ...(cert && key ? { cert, key } : {}) }, expiresMs };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string | undefined => typeof (value ?? '') === 'string';

const isListOf = (value: unknown, isElement: (element: unknown) => boolean): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.every(isElement));
