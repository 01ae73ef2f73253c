/** The kubelet API over real TLS, looked at alone: the agent behind it says what a test wants. */
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { Agent, get, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CertificatePair } from '../src/certificates/files.ts';
import type { KubeletServerConfig } from '../src/config/agent-config.ts';
import { silentLogger } from '../src/log.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { healthLog } from '../src/server/health-log.ts';
import { type Reviews, startKubeletServer } from '../src/server/kubelet-server.ts';
import { defaultInterface } from '../src/server/stats/network-usage.ts';
import type { CertificateKeeper } from '../src/server/tls-files.ts';
import { until } from './agent.ts';
import { CertificateAuthority, type CertificateRequest, type Signed } from './peers/certificates.ts';
import { freePort } from './ports.ts';
import { testAgent } from './server-agent.ts';

const log = silentLogger();
let pki: string;
let ca: CertificateAuthority;
let otherCa: CertificateAuthority;
let admin: Signed;

beforeAll(async () => {
  pki = await mkdtemp(join(tmpdir(), 'roslet-pki-'));
  ca = await CertificateAuthority.create(pki, 'ca');
  otherCa = await CertificateAuthority.create(pki, 'other-ca');
  admin = await sign(ca, { subject: '/O=system:masters/CN=admin' });
});
afterAll(async () => {
  await rm(pki, { recursive: true });
});

let signed = 0;
const sign = (authority: CertificateAuthority, request: Partial<CertificateRequest>): Promise<Signed> => {
  signed += 1;
  return authority.sign(`leaf-${signed}`, { subject: '/CN=admin', usage: 'clientAuth', ...request });
};

let dir: string;
let port: number;
let stop: AbortController;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-kubelet-'));
  port = await freePort();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await rm(dir, { recursive: true });
});

const start = (
  over: Partial<KubeletServerConfig> = {},
  agent = testAgent(),
  parts: { reviews?: Reviews; requestCertificate?: CertificateKeeper } = {},
) =>
  startKubeletServer(
    {
      ...parts,
      config: {
        address: '127.0.0.1',
        port,
        readOnlyPort: 0,
        debuggingHandlers: true,
        systemLogs: true,
        profiling: true,
        requestCertificate: false,
        tlsMinVersion: 'VersionTLS12',
        tlsCipherSuites: [],
        clientCaFile: ca.certFile,
        anonymous: false,
        ...over,
      },
      api: { agent, metrics: createMetrics(), healthLog: healthLog(), rootDir: dir, streamIdleMs: 0, log },
      certDir: join(dir, 'pki'),
      hostName: 'robot',
      reloadMs: 20,
      isUp: Promise.resolve(),
    },
    stop.signal,
  );

interface Answer {
  code: number | undefined;
  body: string;
}

const ask = (path: string, options: RequestOptions = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false, ...options }, (res) => {
      text(res).then((body) => resolve({ code: res.statusCode, body }), reject);
    }).on('error', reject);
  });

const as = ({ cert, key }: Signed): RequestOptions => ({ cert, key });

const handshake = (options: ConnectionOptions = {}): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, () => {
      socket.destroy();
      resolve(socket);
    }).on('error', reject);
  });

const certificateSerial = async (): Promise<string> => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
};

describe('who is let in', () => {
  it('is the holder of a certificate of the client CA', async () => {
    await start();
    expect(await ask('/healthz', as(admin))).toEqual({ code: 200, body: 'ok' });
    expect(JSON.parse((await ask('/pods', as(admin))).body)).toMatchObject({ kind: 'PodList' });
  });

  it.each<[string, () => Promise<RequestOptions>]>([
    ['nobody without a credential', async () => ({})],
    [
      'nobody with a token that there is no one to ask about',
      async () => ({ headers: { authorization: 'Bearer x' } }),
    ],
    ['nobody with a certificate of another authority', async () => as(await sign(otherCa, {}))],
    ['nobody with an expired certificate', async () => as(await sign(ca, { days: -1 }))],
    ["nobody with a server's certificate", async () => as(await sign(ca, { usage: 'serverAuth' }))],
    [
      'nobody with a certificate without a common name',
      async () => as(await sign(ca, { subject: '/O=admins' })),
    ],
  ])('is %s', async (_, credential) => {
    const options = await credential();
    await start();
    for (const path of ['/healthz', '/pods', '/exec/a/b/c', '/metrics', '/no-such-path', '/']) {
      expect(await ask(path, options)).toEqual({ code: 401, body: 'Unauthorized' });
    }
  });

  it('is anyone where anonymous requests are allowed, but not with a wrong certificate', async () => {
    await start({ anonymous: true });
    expect((await ask('/healthz')).code).toBe(200);
    const wrong = as(await sign(otherCa, {}));
    expect((await ask('/healthz', wrong)).code).toBe(401);
  });

  it('is told before a stream is upgraded', async () => {
    await start();
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
    const refused = await ask('/exec/a/b/c?command=id&output=1', { headers });
    expect(refused.code).toBe(401);
    expect(JSON.parse(refused.body)).toMatchObject({ kind: 'Status', code: 401, message: 'Unauthorized' });
    expect((await ask('/exec/a/b/c?command=id&output=1', { headers, ...as(admin) })).code).toBe(404);
  });

  it('is looked at anew on a connection that outlives the client CA', async () => {
    const clientCaFile = join(dir, 'ca.crt');
    await copyFile(ca.certFile, clientCaFile);
    await start({ clientCaFile });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await ask('/healthz', { agent, ...as(admin) })).code).toBe(200);
    await copyFile(otherCa.certFile, clientCaFile);
    await until('the old CA counts no more', async () => {
      // The one connection may just be closed by the server.
      const { code } = await ask('/healthz', { agent, ...as(admin) }).catch(() => ({ code: 0 }));
      return code === 401;
    });
    expect((await ask('/healthz', as(await sign(otherCa, {})))).code).toBe(200);
    agent.destroy();
  });
});

describe('with an API server to ask', () => {
  const webhooks = {
    tokenWebhook: { cacheTtlMs: 60_000 },
    accessWebhook: { allowedTtlMs: 60_000, deniedTtlMs: 60_000 },
  };
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  it('lets in who has a token, to what they may do', async () => {
    await start(webhooks, testAgent(), {
      reviews: {
        token: async (token) => (token === 'scraper' ? { name: 'scraper', groups: [] } : undefined),
        access: async ({ user, resourceAttributes: { verb, subresource } }) =>
          user === 'scraper' && verb === 'get' && subresource === 'metrics',
      },
    });
    expect((await ask('/metrics/resource', bearer('scraper'))).code).toBe(200);
    expect(await ask('/pods', bearer('scraper'))).toEqual({
      code: 403,
      body: 'Forbidden (user=scraper, verb=get, resource=nodes, subresource(s)=[pods proxy])\n',
    });
    expect((await ask('/metrics', as(admin))).code).toBe(403);
    expect((await ask('/metrics', bearer('other'))).code).toBe(401);
  });

  it('lets nobody in when there is no answer', async () => {
    const broken = async () => {
      throw new Error('no answer');
    };
    await start(webhooks, testAgent(), { reviews: { token: broken, access: broken } });
    expect((await ask('/pods', bearer('x'))).code).toBe(401);
    expect(await ask('/pods', as(admin))).toEqual({
      code: 500,
      body: 'Authorization error (user=admin, verb=get, resource=nodes, subresource(s)=[pods proxy])',
    });
  });
});

describe('TLS', () => {
  it('is 1.2 or newer', async () => {
    await start();
    expect((await handshake({ maxVersion: 'TLSv1.2' })).getProtocol).toBeDefined();
    await expect(
      handshake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow(/protocol version|alert|EPROTO|unsupported/i);
  });

  it('is no older than configured', async () => {
    await start({ tlsMinVersion: 'VersionTLS13' });
    await handshake();
    await expect(handshake({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/version/);
  });

  it('has the cipher suites that are configured', async () => {
    await start({ tlsCipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] });
    const tls12 = { maxVersion: 'TLSv1.2' } as const;
    await handshake({ ...tls12, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
    await expect(handshake({ ...tls12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).rejects.toThrow(
      /handshake/,
    );
    await handshake({ minVersion: 'TLSv1.3' });
  });

  it('has a self-signed certificate that is kept, for this host', async () => {
    const server = await start();
    const serial = await certificateSerial();
    expect((await stat(join(dir, 'pki', 'kubelet.key'))).mode & 0o777).toBe(0o600);
    await server.close();
    await start();
    expect(await certificateSerial()).toBe(serial);
    const own = await readFile(join(dir, 'pki', 'kubelet.crt'), 'utf8');
    const trusting = { ca: own, rejectUnauthorized: true, servername: 'robot', ...as(admin) };
    expect((await ask('/healthz', trusting)).code).toBe(200);
  });

  it('has the configured certificate, and its successor without a restart', async () => {
    const [first, second] = [
      await sign(ca, { subject: '/CN=robot', usage: 'serverAuth', names: 'DNS:robot' }),
      await sign(ca, { subject: '/CN=robot', usage: 'serverAuth', names: 'DNS:robot' }),
    ];
    const [certFile, keyFile] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
    await writeFile(certFile, first.cert);
    await writeFile(keyFile, first.key);
    await start({ certificate: { certFile, keyFile } });
    const before = await certificateSerial();
    // Half replaced: the pair does not fit and the one before stays.
    await writeFile(certFile, second.cert);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await certificateSerial()).toBe(before);
    await writeFile(keyFile, second.key);
    await until('the new certificate is served', async () => (await certificateSerial()) !== before);
    expect(
      (
        await ask('/healthz', {
          ca: await readFile(ca.certFile),
          rejectUnauthorized: true,
          servername: 'robot',
          ...as(admin),
        })
      ).code,
    ).toBe(200);
  });

  it('has the certificate that is issued to it, once it is', async () => {
    const issued = Promise.withResolvers<CertificatePair>();
    await start({}, testAgent(), {
      requestCertificate: async (onCertificate) => onCertificate(await issued.promise),
    });
    await expect(handshake()).rejects.toThrow(/handshake failure/);
    issued.resolve(await sign(ca, { subject: '/CN=robot', usage: 'serverAuth', names: 'DNS:robot' }));
    const trusting = {
      ca: await readFile(ca.certFile),
      rejectUnauthorized: true,
      servername: 'robot',
      ...as(admin),
    };
    await until('it is served', async () => (await ask('/healthz', trusting)).code === 200);
  });

  it('needs a certificate and a CA that can be used', async () => {
    const certificate = { certFile: ca.certFile, keyFile: otherCa.keyFile };
    await expect(start({ certificate })).rejects.toThrow(
      /other-ca.key is not that of the certificate in .*ca\.crt/,
    );
    await expect(start({ clientCaFile: '/no/such/ca' })).rejects.toThrow(/cannot read \/no\/such\/ca/);
    await expect(start({ clientCaFile: ca.keyFile })).rejects.toThrow(/does not begin with a certificate/);
  });
});

describe('what is served', () => {
  it('tells errors as bare text, as the API server expects them of a node', async () => {
    await start();
    expect(await ask('/containerLogs/default/web/main', as(admin))).toEqual({
      code: 404,
      body: 'pods "web" not found',
    });
    expect((await ask('/no-such-path', as(admin))).code).toBe(404);
    expect((await ask('/api/v1/pods', as(admin))).code).toBe(404);
  });

  it('says that debugging is off', async () => {
    await start({ debuggingHandlers: false });
    for (const path of [
      '/exec/a/b/c',
      '/run/a/b/c',
      '/logs/',
      '/containerLogs/a/b/c',
      '/debug/pprof/',
      '/runningpods/',
    ]) {
      expect(await ask(path, as(admin))).toEqual({ code: 405, body: 'Debug endpoints are disabled.' });
    }
    expect((await ask('/pods', as(admin))).code).toBe(200);
  });

  it('says which of the debugging endpoints is off', async () => {
    await start({ systemLogs: false, profiling: false });
    expect(await ask('/logs/x', as(admin))).toEqual({ code: 405, body: 'logs endpoint is disabled.' });
    expect((await ask('/debug/pprof/profile', as(admin))).code).toBe(405);
  });

  it('is on the read-only port what only looks, without TLS and credentials', async () => {
    const readOnlyPort = await freePort();
    await start({ readOnlyPort });
    const plain = async (path: string) => (await fetch(`http://127.0.0.1:${readOnlyPort}${path}`)).status;
    expect(await plain('/pods')).toBe(200);
    expect(await plain('/healthz')).toBe(200);
    expect(await plain('/metrics/resource')).toBe(200);
    expect(await plain('/containerLogs/a/b/c')).toBe(405);
    expect(await plain('/exec/a/b/c')).toBe(405);
    expect(await plain('/configz')).toBe(404);
  });

  it('are log files of the machine, and nothing outside of their directory', async () => {
    const inside = await mkdtemp('/var/log/roslet-test-');
    const name = inside.slice('/var/log/'.length);
    try {
      await mkdir(join(inside, 'sub'));
      await writeFile(join(inside, 'a.log'), 'lines\n');
      await symlink(join(inside, 'a.log'), join(inside, 'sub', 'link.log'));
      await symlink('/etc/passwd', join(inside, 'out.log'));
      await symlink('/etc', join(inside, 'etc'));
      await start();
      const read = (path: string) => ask(path, as(admin));
      expect(await read(`/logs/${name}/a.log`)).toEqual({ code: 200, body: 'lines\n' });
      expect((await read(`/logs/${name}/sub/link.log`)).body).toBe('lines\n');
      expect((await read(`/logs/${name}/`)).body).toContain('<a href="sub/">sub/</a>');
      expect((await read('/logs')).body).toContain(`<a href="${name}/">`);
      for (const path of [
        'out.log',
        'etc/passwd',
        '..%2f..%2fetc/passwd',
        '%2e%2e/%2e%2e/etc/passwd',
        'a.log%00',
        'none',
      ]) {
        expect((await read(`/logs/${name}/${path}`)).code).toBe(404);
      }
    } finally {
      await rm(inside, { recursive: true });
    }
  });

  it('are profiles that developer tools open', async () => {
    await start();
    const profile = await ask('/debug/pprof/profile?seconds=1', as(admin));
    expect(JSON.parse(profile.body)).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array) });
    const heap = await ask('/debug/pprof/heap?seconds=1', as(admin));
    expect(JSON.parse(heap.body)).toMatchObject({ head: { callFrame: expect.anything() } });
    expect((await ask('/debug/pprof/none', as(admin))).code).toBe(404);
  });
});

describe('/metrics', () => {
  it('counts requests by a few paths, refused ones too, and tells when the certificate runs out', async () => {
    await start();
    expect((await ask('/pods')).code).toBe(401);
    expect((await ask('/pods', as(admin))).code).toBe(200);
    expect((await ask('/made/up', as(admin))).code).toBe(404);
    const { body } = await ask('/metrics', as(admin));
    const value = (name: string, ...labels: string[]): number => {
      const line = body
        .split('\n')
        .find((each) => each.startsWith(name) && labels.every((label) => each.includes(label)));
      return Number(line?.slice(line.lastIndexOf(' ')));
    };
    expect(value('kubelet_http_requests_total{', 'path="pods"', 'server_type="readwrite"')).toBe(2);
    expect(value('kubelet_http_requests_total{', 'path="other"')).toBe(1);
    expect(value('kubelet_http_requests_duration_seconds_count{', 'path="pods"')).toBe(2);
    expect(value('kubelet_http_inflight_requests{', 'path="metrics"')).toBe(1);
    expect(value('kubelet_certificate_manager_server_ttl_seconds ')).toBeGreaterThan(3600);
  });

  it('tells of pods by what they are at, and of volumes by their kind', async () => {
    const pod = (lifecycle: 'sync' | 'terminating', isStatic: boolean) =>
      ({ lifecycle, config: 'desired', isStatic }) as const;
    const emptyDir = { plugin_name: 'kubernetes.io/empty-dir' };
    const view = testAgent({
      workingPods: () => [pod('sync', false), pod('sync', false), pod('terminating', true)],
      runningSandboxes: () => 2,
      mirrorPods: () => 1,
      volumes: async () => [
        { ...emptyDir, state: 'desired_state_of_world' },
        { ...emptyDir, state: 'desired_state_of_world' },
        { ...emptyDir, state: 'actual_state_of_world' },
      ],
    });
    await start({}, view);
    const { body } = await ask('/metrics', as(admin));
    expect(body.match(/^(kubelet_(working|running|mirror)_pods|volume_manager).* [1-9]\d*$/gm)).toEqual([
      'kubelet_running_pods 2',
      'kubelet_mirror_pods 1',
      'kubelet_working_pods{lifecycle="sync",config="desired",static=""} 2',
      'kubelet_working_pods{lifecycle="terminating",config="desired",static="true"} 1',
      'volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",state="desired_state_of_world"} 2',
      'volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",state="actual_state_of_world"} 1',
    ]);
    expect(body).toContain(
      '\nkubelet_working_pods{lifecycle="terminating",config="runtime_only",static="unknown"} 0\n',
    );
  });
});

describe('/metrics/resource', () => {
  it('has what metrics-server reads, with the times of the measurements', async () => {
    const agent = testAgent({
      containerStats: async () => [
        {
          id: 'c',
          metadata: { name: 'main', attempt: 0 },
          labels: { 'io.kubernetes.pod.uid': 'u', 'io.kubernetes.container.name': 'main' },
          timestampMs: 5000,
          cpuUsageCoreNanoSeconds: 1_500_000_000n,
          memoryWorkingSetBytes: 1024,
        },
      ],
      podNetwork: async () => [
        {
          name: 'eth0',
          ...{ rxBytes: 10, rxPackets: 1, rxErrors: 0, rxDropped: 0 },
          ...{ txBytes: 20, txPackets: 2, txErrors: 0, txDropped: 0 },
        },
      ],
      podUsage: async () => ({
        timestampMs: 6000,
        cpuUsageCoreNanoSeconds: 2_000_000_000n,
        memoryWorkingSetBytes: 2048,
      }),
    });
    agent.set({
      metadata: { name: 'web', namespace: 'default', uid: 'u' },
      spec: { containers: [{ name: 'main', image: 'x' }] },
      status: {
        containerStatuses: [
          {
            name: 'main',
            image: 'x',
            imageID: '',
            ready: true,
            restartCount: 0,
            state: { running: { startedAt: '1970-01-01T00:00:02Z' } },
          },
        ],
      },
    });
    await start({}, agent);
    const { body } = await ask('/metrics/resource', as(admin));
    for (const line of [
      'container_cpu_usage_seconds_total{container="main",pod="web",namespace="default"} 1.5 5000',
      'container_memory_working_set_bytes{container="main",pod="web",namespace="default"} 1024 5000',
      'container_start_time_seconds{container="main",pod="web",namespace="default"} 2',
      'pod_cpu_usage_seconds_total{pod="web",namespace="default"} 2 6000',
      'pod_memory_working_set_bytes{pod="web",namespace="default"} 2048 6000',
      'resource_scrape_error 0',
    ]) {
      expect(body).toContain(`\n${line}\n`);
    }
    expect(body).toMatch(/^node_cpu_usage_seconds_total [\d.]+ \d{13}$/m);
    const cadvisor = (await ask('/metrics/cadvisor', as(admin))).body;
    expect(cadvisor).toMatch(/^container_cpu_usage_seconds_total\{.*container="main".*\} 1\.5 5000$/m);
    expect(cadvisor).toMatch(/^container_network_transmit_bytes_total\{.*pod="web".*interface="eth0"\} 20$/m);
    const summary = JSON.parse((await ask('/stats/summary', as(admin))).body);
    expect(summary.pods[0].network).toMatchObject({
      name: 'eth0',
      rxBytes: 10,
      interfaces: [{ name: 'eth0', txBytes: 20 }],
    });
    expect(summary.node.network.interfaces).toBeInstanceOf(Array);
    expect(cadvisor).toMatch(/^machine_memory_bytes\{boot_id="",machine_id="",system_uuid=""\} \d+$/m);
    expect(cadvisor).toMatch(/^container_last_seen\{.*container="main".*\} 5 5000$/m);
    const ofMachine = cadvisor.match(/^container_network_receive_bytes_total\{.*id="\/".*\} \d+$/gm) ?? [];
    // Run in a network namespace there may be none but loopback.
    const leaving = await defaultInterface();
    if (leaving !== undefined) expect(ofMachine.join()).toContain(`interface="${leaving}"`);
  });

  it('says that something could not be measured', async () => {
    const broken = async () => {
      throw new Error('it cannot be read');
    };
    await start({}, testAgent({ containerStats: broken, volumes: broken }));
    expect((await ask('/metrics/resource', as(admin))).body).toMatch(/^resource_scrape_error 1$/m);
    const { body } = await ask('/metrics', as(admin));
    expect(body).toMatch(/^kubelet_node_name\{/m);
    expect(body).not.toMatch(/^volume_manager_total_volumes\{/m);
  });
});
