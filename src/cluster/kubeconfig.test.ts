import { describe, expect, it } from 'vitest';
import { clusterAccess, KubeconfigError } from './kubeconfig.ts';

const never = new AbortController().signal;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const config = (cluster: object, user: object, rest: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [
      { name: 'there', context: { cluster: 'b', user: 'v' } },
      { name: 'here', context: { cluster: 'a', user: 'u' } },
    ],
    clusters: [{ name: 'a', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    ...rest,
  });

const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: 'aws', interactiveMode: 'Never' };

describe('kubeconfig', () => {
  it('gives server and inline credentials of the current context', async () => {
    const access = clusterAccess(
      config(
        { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'kubernetes' },
        { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') },
      ),
      '/etc/kubeconfig',
      never,
    );
    expect(access.server.origin).toBe('https://10.0.0.1:6443');
    expect(access.tlsServerName).toBe('kubernetes');
    expect(access.insecureSkipTlsVerify).toBe(false);
    expect(await access.credentials()).toEqual({ ca: 'CA', cert: 'CERT', key: 'KEY' });
  });

  it("tells a program what the cluster's entry has for it, and none of its other extensions", async () => {
    const extensions = [
      { name: 'editor', extension: { colour: 'blue' } },
      { name: 'client.authentication.k8s.io/exec', extension: { audience: 'robots' } },
    ];
    // Its token is what it was told.
    const script = `printf '{"apiVersion": "${plugin.apiVersion}", "kind": "ExecCredential", "status": {"token": "%s"}}' "$(printf %s "$KUBERNETES_EXEC_INFO" | base64 | tr -d '\\n')"`;
    const exec = { ...plugin, command: 'sh', args: ['-c', script], provideClusterInfo: true };
    const access = clusterAccess(config({ extensions }, { exec }), '/etc/kubeconfig', never);
    const { token = '' } = await access.credentials();
    expect(JSON.parse(Buffer.from(token, 'base64').toString())).toMatchObject({
      spec: { cluster: { server: 'https://10.0.0.1:6443', config: { audience: 'robots' } } },
    });
    expect(Buffer.from(token, 'base64').toString()).not.toContain('blue');
  });

  it('names a credential file that is not there', async () => {
    const access = clusterAccess(
      config({}, { 'client-certificate': 'gone.pem' }),
      '/nowhere/kubeconfig',
      never,
    );
    await expect(access.credentials()).rejects.toThrow(/client-certificate \/nowhere\/gone\.pem/);
  });

  it.each([
    ['a: [', /is no YAML/],
    ['', /is empty/],
    [config({}, {}, { 'current-context': '' }), /current-context/],
    [config({}, {}, { 'current-context': 'nowhere' }), /contexts: has no nowhere/],
    [config({}, {}, { clusters: null }), /clusters: has no a/],
    [config({}, {}, { users: [] }), /users: has no u/],
    [config({}, {}, { users: [null, 'u'] }), /users: has no u/],
    [config({}, {}, { clusters: { a: { server: 'https://10.0.0.1' } } }), /clusters: has no a/],
    [config({}, { token: 12345 }), /users\[u\]\.user\.token: must be text/],
    [config({ server: ['https://10.0.0.1'] }, {}), /clusters\[a\]\.cluster\.server: must be text/],
    [config({ server: 'http://10.0.0.1' }, {}), /server: must be an https URL, not "http:\/\/10\.0\.0\.1"/],
    [config({ server: undefined }, {}), /server: must be an https URL/],
    [config({ 'proxy-url': 'http://p' }, {}), /proxy-url: is not supported/],
    [config({}, { username: 'u' }), /users\[u\]\.user\.username: is not supported/],
    [config({}, { exec: 'aws' }), /users\[u\]\.user\.exec: must be a mapping/],
    [config({}, { exec: { command: 'aws' } }), /users\[u\]\.user\.exec\.apiVersion: must be one of/],
    [config({}, { exec: { ...plugin, command: '' } }), /user\.exec\.command: must name a program/],
    [config({}, { exec: { ...plugin, args: 'get-token' } }), /user\.exec\.args: must be a list/],
    [config({}, { exec: { ...plugin, env: [{ value: 'v' }] } }), /user\.exec\.env: must be a list/],
    [
      config({}, { exec: { ...plugin, interactiveMode: 'Always' } }),
      /user\.exec\.interactiveMode: is Always/,
    ],
  ])('refuses %s', (text, message) => {
    expect(() => clusterAccess(text, '/etc/kubeconfig', never)).toThrow(KubeconfigError);
    expect(() => clusterAccess(text, '/etc/kubeconfig', never)).toThrow(message);
  });
});
