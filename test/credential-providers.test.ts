/** Credential providers as the flags of the kubelet name them: real programs, what they are asked, how long it is kept. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { ConfigError } from '../src/config/problems.ts';
import { type CredentialProvider, createCredentialProvider } from '../src/images/credential-provider.ts';
import { type ImageReference, parseImageReference } from '../src/images/reference.ts';
import { silentLogger } from '../src/log.ts';

const api = 'credentialprovider.kubelet.k8s.io/v1';
const registry = '123.dkr.ecr.eu-west-1.amazonaws.com';

let dir: string;
let nowMs: number;
let warned: { said: string }[];
const log = Object.assign(silentLogger(), { warn: (fields: { said: string }) => void warned.push(fields) });
const { signal } = new AbortController();

beforeEach(async () => {
  nowMs = 1_000_000;
  warned = [];
  dir = await mkdtemp(join(tmpdir(), 'roslet-providers-'));
  await mkdir(join(dir, 'bin'));
});
afterEach(() => rm(dir, { recursive: true }));

/** A program that notes what it is asked and gives that answer. */
async function program(name: string, answer: object | string, before = ''): Promise<void> {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  const script = `#!/bin/sh\n${before}\n{ cat; echo; } >> ${dir}/asked\ncat <<'END'\n${text}\nEND\n`;
  await writeFile(join(dir, 'bin', name), script, { mode: 0o755 });
}

const response = (fields: object) => ({
  apiVersion: api,
  kind: 'CredentialProviderResponse',
  cacheKeyType: 'Registry',
  auth: { [registry]: { username: 'AWS', password: 'secret' } },
  ...fields,
});

/** In their order, as the agent has them. */
async function load(providers: string, file = 'providers.yaml'): Promise<CredentialProvider[]> {
  await writeFile(
    join(dir, file),
    `apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n${providers}\n`,
  );
  return loadFlags(join(dir, file));
}

async function loadFlags(path: string): Promise<CredentialProvider[]> {
  const { config } = await loadConfig([
    '--hostname-override=robot',
    `--image-credential-provider-config=${path}`,
    `--image-credential-provider-bin-dir=${join(dir, 'bin')}`,
  ]);
  return config.imageCredentialProviders.map((provider) =>
    createCredentialProvider(provider, () => nowMs, log),
  );
}

const ecr = (more = '') => `
- name: ecr
  matchImages: ["*.dkr.ecr.*.amazonaws.com"]
  defaultCacheDuration: 12h
  apiVersion: ${api}
  ${more}`;

function image(text: string): ImageReference {
  const reference = parseImageReference(text);
  if (reference === undefined) throw new Error(`${text} is no reference`);
  return reference;
}

const asked = async (): Promise<string[]> => {
  const text = await readFile(join(dir, 'asked'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
};

const users = async (provider: CredentialProvider | undefined, name: string) =>
  ((await provider?.credentials(image(name), signal)) ?? []).map(({ auth }) => auth.username);

describe('a credential provider', () => {
  it('is asked for images that match, by their repository, and for no others', async () => {
    await program('ecr', response({}));
    const [provider] = await load(ecr());
    expect(await users(provider, `${registry}/team/app:1.2`)).toEqual(['AWS']);
    expect(await users(provider, 'ghcr.io/team/app')).toEqual([]);
    expect(await users(provider, `${registry}:5000/team/app`)).toEqual([]);
    expect((await asked()).map((text) => JSON.parse(text))).toEqual([
      { apiVersion: api, kind: 'CredentialProviderRequest', image: `${registry}/team/app` },
    ]);
  });

  it('gets its arguments, its variables and those of the agent', async () => {
    await program('ecr', 'nonsense', 'echo "$1 $2 $REGION $' + '{PATH:+path}" >&2; [ "$1" = get ] && exit 3');
    const [provider] = await load(ecr('args: [get, --verbose]\n  env: [{name: REGION, value: eu}]'));
    // What it said is for the log alone: why it failed becomes an event.
    await expect(users(provider, `${registry}/app`)).rejects.toThrow(/^it ended with 3$/);
    expect(warned).toEqual([{ provider: 'ecr', said: 'get --verbose eu path' }]);
  });

  it.each([
    ['Image', [`${registry}/a`, `${registry}/b`]],
    ['Registry', [`${registry}/a`, `9${registry}/b`]],
    ['Global', [`${registry}/a`]],
  ])('is not asked again for what its answer holds for: %s', async (cacheKeyType, repositories) => {
    await program('ecr', response({ cacheKeyType }));
    const [provider] = await load(ecr());
    const names = [`${registry}/a:1`, `${registry}/a:2`, `${registry}/b`, `9${registry}/b`].slice(
      0,
      cacheKeyType === 'Image' ? 3 : 4,
    );
    for (const name of names) await users(provider, name);
    expect((await asked()).map((text) => JSON.parse(text).image)).toEqual(repositories);
  });

  it.each<[string, object, number, number]>([
    ['as long as it says', { cacheDuration: '5m0s' }, 300_000, 2],
    ['as long as is configured', {}, 12 * 3600_000, 2],
    ['never', { cacheDuration: '0s' }, 1, 3],
  ])('has its answer kept %s', async (_, fields, durationMs, times) => {
    await program('ecr', response(fields));
    const [provider] = await load(ecr());
    await users(provider, `${registry}/a`);
    nowMs += durationMs - 1;
    await users(provider, `${registry}/a`);
    nowMs += 1;
    await users(provider, `${registry}/a`);
    expect(await asked()).toHaveLength(times);
  });

  it('is asked again when the clock was set back', async () => {
    await program('ecr', response({}));
    const [provider] = await load(ecr());
    await users(provider, `${registry}/a`);
    nowMs -= 3600_000;
    await users(provider, `${registry}/a`);
    expect(await asked()).toHaveLength(2);
  });

  it('is asked once for all who want the same image at once', async () => {
    await program('ecr', response({ cacheDuration: '0s' }), 'sleep 0.2');
    const [provider] = await load(ecr());
    const all = await Promise.all([1, 2, 3].map(() => users(provider, `${registry}/a`)));
    expect(all).toEqual([['AWS'], ['AWS'], ['AWS']]);
    expect(await asked()).toHaveLength(1);
  });

  it('may have no credentials', async () => {
    await program('ecr', response({ auth: null }));
    const [provider] = await load(ecr());
    expect(await users(provider, `${registry}/a`)).toEqual([]);
  });

  it.each<[string, object | string, RegExp]>([
    ['is no JSON', 'password secret', /^its answer is not JSON$/],
    ['is of another version', response({ apiVersion: `${api}beta1` }), /no CredentialProviderResponse of/],
    ['has no key type', response({ cacheKeyType: 'All' }), /none of Image, Registry, Global$/],
    ['has a wrong duration', response({ cacheDuration: 300 }), /cacheDuration of its answer is no duration/],
    ['has wrong credentials', response({ auth: { r: { username: 1 } } }), /no username and password for r$/],
  ])('whose answer %s is told without a secret, and asked again', async (_, answer, message) => {
    await program('ecr', answer);
    const [provider] = await load(ecr());
    await expect(users(provider, `${registry}/a`)).rejects.toThrow(message);
    await expect(users(provider, `${registry}/a`)).rejects.not.toThrow(/secret/);
    expect(await asked()).toHaveLength(2);
  });

  it('ends when nobody waits for it any more', async () => {
    await program('ecr', response({}), `echo $$ > ${dir}/pid; exec sleep 1000`);
    const [provider] = await load(ecr());
    const waiting = new AbortController();
    const answer = provider?.credentials(image(`${registry}/a`), waiting.signal);
    const pid = async () => Number(await readFile(join(dir, 'pid'), 'utf8').catch(() => ''));
    await expect.poll(pid, { timeout: 10_000 }).toBeGreaterThan(0);
    waiting.abort(new Error('the pod is gone'));
    await expect(answer).rejects.toThrow('the pod is gone');
    const running = await pid();
    await expect.poll(() => isRunning(running), { timeout: 10_000 }).toBe(false);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the configuration of credential providers', () => {
  it('may be a directory, read by the order of its names', async () => {
    await program('one', response({}));
    await program('two', response({}));
    const of = (name: string) =>
      `apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- ${JSON.stringify({
        name,
        matchImages: ['*.io'],
        defaultCacheDuration: '0s',
        apiVersion: api,
      })}\n`;
    await mkdir(join(dir, 'conf'));
    await writeFile(join(dir, 'conf', 'README'), 'not for the kubelet');
    await expect(loadFlags(join(dir, 'conf'))).rejects.toThrow('has no .json, .yaml or .yml file');
    await writeFile(join(dir, 'conf', '20-one.yml'), of('one'));
    await writeFile(join(dir, 'conf', '10-two.json'), of('two'));
    expect((await loadFlags(join(dir, 'conf'))).map(({ name }) => name)).toEqual(['two', 'one']);
  });

  it.each<[string, string, string]>([
    ['a program that is not there', ecr().replace('ecr', 'gone'), 'has no program to run: ENOENT'],
    ['a field nobody knows', ecr('argz: [a]'), 'providers[0].argz is not a known field'],
    ['no images', ecr().replace(/matchImages.*/, 'matchImages: []'), '.matchImages must name at least one'],
    ['no duration', ecr().replace(/defaultCacheDuration.*/, ''), '.defaultCacheDuration must be set'],
    ['a path', ecr().replace('ecr', '../ecr'), '.name must be the name of a program in'],
    ['another API', ecr().replace(api, 'v1'), '.apiVersion must be one of credentialprovider.kubelet.k8s.io'],
    ['a name twice', `${ecr()}\n${ecr()}`, "has two providers named 'ecr'"],
    ['a token', ecr('tokenAttributes: {requireServiceAccount: true}'), 'tokenAttributes is not implemented'],
    ['nothing', '  []', 'providers must be a list of at least one'],
  ])('with %s is refused before anything starts', async (_, providers, message) => {
    await program('ecr', response({}));
    const loading = load(providers);
    await expect(loading).rejects.toBeInstanceOf(ConfigError);
    await expect(loading).rejects.toThrow(message);
  });

  it.each([
    ['--image-credential-provider-config=/etc/providers.yaml', 'needs --image-credential-provider-bin-dir'],
    ['--image-credential-provider-bin-dir=/usr/bin', 'needs --image-credential-provider-config beside it'],
  ])('needs both flags: %s', async (flag, message) => {
    await expect(loadConfig(['--hostname-override=robot', flag])).rejects.toThrow(message);
  });
});
