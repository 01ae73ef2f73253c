/** Credentials that a program of the kubeconfig gives, as on clouds. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubeClient } from '../../src/cluster/client.ts';
import { readKubeconfig } from '../../src/cluster/kubeconfig.ts';
import { nodeName, TestAgent, until } from '../agent.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { failure, json, ScriptedApi } from './api-script.ts';
import { nodeReady } from './steps.ts';

let dir: string;
let life: AbortController;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-exec-'));
  life = new AbortController();
});
afterEach(async () => {
  life.abort();
  await rm(dir, { recursive: true });
});

/** Puts a program in the place of the user's credentials; it notes each run. */
async function withProgram(kubeconfig: string, script: string, more = ''): Promise<string> {
  await mkdir(join(dir, 'bin'), { recursive: true });
  const program = join(dir, 'bin', 'get-token');
  await writeFile(program, `#!/bin/sh\necho "$@" "$WHO" >> ${dir}/runs\n${script}\n`, { mode: 0o755 });
  const exec = `{apiVersion: client.authentication.k8s.io/v1, command: ./bin/get-token, args: [node],
  env: [{name: WHO, value: robot}], interactiveMode: Never${more}}`;
  const written = await readFile(kubeconfig, 'utf8');
  const text = written.replace(/^(users: .* user: ){.*?}/m, (_, before) => `${before}{exec: ${exec}}`);
  await writeFile(join(dir, 'cert.pem'), await readFile(join(kubeconfig, '..', 'cert.pem')).catch(() => ''));
  const path = join(dir, 'kubeconfig');
  await writeFile(path, text);
  return path;
}

const credential = (status: string) =>
  `echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": ${status}}'`;
const runs = async () =>
  existsSync(join(dir, 'runs')) ? (await readFile(join(dir, 'runs'), 'utf8')).trim().split('\n') : [];

describe('a program that is asked for credentials', () => {
  let api: ScriptedApi;
  const clients: KubeClient[] = [];
  beforeEach(async () => {
    api = await ScriptedApi.start();
    api.answer = ({ token }, response) => json(response, 200, { token });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await api.stop();
  });
  const clientOf = async (script: string, more?: string) => {
    const path = await withProgram(await api.kubeconfig('unused'), script, more);
    const client = new KubeClient(await readKubeconfig(path, life.signal), 'test');
    clients.push(client);
    return client;
  };
  const ask = (client: KubeClient) => client.get('/version', AbortSignal.timeout(20_000));

  it('is asked once for as long as they hold, with what the kubeconfig says', async () => {
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const client = await clientOf(credential(`{"token": "one", "expirationTimestamp": "${later}"}`));
    expect(await Promise.all([ask(client), ask(client)])).toEqual([{ token: 'one' }, { token: 'one' }]);
    api.cutConnections();
    await until('it is reached again', () => ask(client).then(() => true));
    expect(await runs()).toEqual(['node robot']);
  });

  it('is asked anew when the server does not take them, or they have run out', async () => {
    const client = await clientOf(`n=$(wc -l < ${dir}/runs)\n${credential('{"token": "\'$n\'"}')}`);
    api.answer = ({ token }, response) =>
      token === '1' ? json(response, 401, failure(401, 'Unauthorized')) : json(response, 200, { token });
    await expect(ask(client)).rejects.toMatchObject({ code: 401 });
    expect(await ask(client)).toEqual({ token: '2' });
    expect(await ask(client)).toEqual({ token: '2' });
    const short = await clientOf(
      credential('{"token": "past", "expirationTimestamp": "2020-01-01T00:00:00Z"}'),
    );
    await ask(short);
    api.cutConnections();
    await until('it is reached again', () => ask(short).then(() => true));
    expect((await runs()).length).toBeGreaterThan(3);
  });

  it('is told which cluster it is for where it wants to know', async () => {
    const client = await clientOf(
      `echo "$KUBERNETES_EXEC_INFO" > ${dir}/info\n${credential('{"token": "t"}')}`,
      ', provideClusterInfo: true',
    );
    await ask(client);
    const info = JSON.parse(await readFile(join(dir, 'info'), 'utf8'));
    expect(info).toMatchObject({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: client.server } },
    });
    const ca = Buffer.from(info.spec.cluster['certificate-authority-data'], 'base64').toString();
    expect(ca).toBe(await readFile(join(api.dir, 'cert.pem'), 'utf8'));
  });

  it.each([
    ['ends with an error', 'echo no network >&2; exit 3', /user\.exec: .*get-token ended with 3: no network/],
    ['says nothing', 'true', /answered with something that is not JSON/],
    [
      'answers in another version',
      credential('{}').replace('v1"', 'v1beta1"'),
      /did not answer with an ExecCredential/,
    ],
    ['has none', credential('{}'), /answered without a token and without a certificate/],
    ['has half a pair', credential('{"clientCertificateData": "c"}'), /a certificate without its key/],
    [
      'says nonsense of the time',
      credential('{"token": "secret", "expirationTimestamp": "soon"}'),
      /no time/,
    ],
  ])('that %s is told of so', async (_, script, message) => {
    const failed = ask(await clientOf(script)).catch((error: Error) => error.message);
    expect(await failed).toMatch(message);
    expect(await failed).not.toContain('secret');
  });

  it('ends with the agent', async () => {
    const client = await clientOf(`echo $$ > ${dir}/pid; exec sleep 1000`);
    const asked = ask(client).catch(() => undefined);
    const pid = await until('it runs', async () => Number(await readFile(join(dir, 'pid'), 'utf8')));
    life.abort();
    await asked;
    await until('it has ended', () => !existsSync(`/proc/${pid}`));
  });
});

it('lets a node join a cluster', async () => {
  await using started = new AsyncDisposableStack();
  const tokens = join(dir, 'tokens.csv');
  await writeFile(tokens, `node-token,system:node:${nodeName},uid,"system:nodes"\n`);
  const plane = await ControlPlane.start({ flags: { 'kube-apiserver': [`--token-auth-file=${tokens}`] } });
  started.defer(() => plane.stop());
  const kubeconfig = await withProgram(
    await plane.nodeKubeconfig(nodeName),
    credential('{"token": "node-token"}'),
  );
  const agent = await TestAgent.create({ args: ['--kubeconfig', kubeconfig] });
  started.defer(async () => expect(await agent.remove()).toEqual([]));
  await agent.start();
  await nodeReady(plane);
  expect(await runs()).toEqual(['node robot']);
}, 600_000);
