/** What a pod is given: environment and volumes. */
import { expect, it } from 'vitest';
import { until } from '../agent.ts';
import { type Bench, main, untilTerm } from './harness.ts';

export function environmentCases(bench: Bench): void {
  it('has its environment from everywhere', async () => {
    await bench.kubectl('create', 'configmap', 'env', '--from-literal=A=1', '--from-literal=B=2');
    await bench.kubectl('create', 'secret', 'generic', 'env', '--from-literal=KEY=s3cret');
    await bench.run('env', {
      restartPolicy: 'Never',
      containers: [
        main('env | sort', {
          envFrom: [{ prefix: 'MAP_', configMapRef: { name: 'env' } }],
          env: [
            { name: 'KEY', valueFrom: { secretKeyRef: { name: 'env', key: 'KEY' } } },
            { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
            { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
            { name: 'BOTH', value: '$(NAME) on $(NODE), $$(NAME), $(NONE)' },
          ],
          resources: { limits: { cpu: '250m', memory: '32Mi' } },
        }),
      ],
    });
    await bench.ended('env');
    const lines = (await bench.kubectl('logs', 'env')).split('\n');
    expect(lines.filter((line) => !/^(PATH|SHLVL|PWD|HOME|OLDPWD)=/.test(line) && line !== '')).toEqual([
      `BOTH=env on ${bench.node.name}, $(NAME), $(NONE)`,
      'CPU=250',
      'HOSTNAME=env',
      'KEY=s3cret',
      'KUBERNETES_PORT=tcp://10.96.0.1:443',
      'KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443',
      'KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1',
      'KUBERNETES_PORT_443_TCP_PORT=443',
      'KUBERNETES_PORT_443_TCP_PROTO=tcp',
      'KUBERNETES_SERVICE_HOST=10.96.0.1',
      'KUBERNETES_SERVICE_PORT=443',
      'KUBERNETES_SERVICE_PORT_HTTPS=443',
      'MAP_A=1',
      'MAP_B=2',
      'NAME=env',
      `NODE=${bench.node.name}`,
    ]);
  });

  it('has its host name, hosts and resolver', async () => {
    await bench.run('named', {
      restartPolicy: 'Never',
      hostname: 'left',
      subdomain: 'arm',
      hostAliases: [{ ip: '10.1.2.3', hostnames: ['base', 'dock'] }],
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['10.96.0.10'],
        searches: ['robots.local'],
        options: [{ name: 'ndots', value: '2' }],
      },
      containers: [main('hostname; sed 1d /etc/hosts; cat /etc/resolv.conf')],
    });
    const { status } = await bench.ended('named');
    expect(await bench.kubectl('logs', 'named')).toBe(`left
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
${status?.podIP}\tleft.arm.${bench.kind}.svc.cluster.local\tleft

# Entries added by HostAliases.
10.1.2.3\tbase\tdock
search robots.local
nameserver 10.96.0.10
options ndots:2
`);
  });
}

export function volumeCases(bench: Bench): void {
  it('has the files of config maps and secrets, and their changes', async () => {
    await bench.kubectl('create', 'configmap', 'files', '--from-literal=rate=10');
    await bench.kubectl('create', 'secret', 'generic', 'files', '--from-literal=key=one');
    await bench.run('files', {
      containers: [
        main(untilTerm, {
          volumeMounts: [
            { name: 'all', mountPath: '/all' },
            { name: 'all', mountPath: '/fixed', subPath: 'rate' },
          ],
        }),
      ],
      volumes: [
        {
          name: 'all',
          projected: {
            defaultMode: 0o440,
            sources: [
              { configMap: { name: 'files' } },
              { secret: { name: 'files', items: [{ key: 'key', path: 'deep/key', mode: 0o400 }] } },
              { configMap: { name: 'missing', optional: true } },
              { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
              { serviceAccountToken: { path: 'token', audience: 'robots', expirationSeconds: 600 } },
            ],
          },
        },
      ],
    });
    await bench.ready('files');
    const sh = (script: string) => bench.kubectl('exec', 'files', '--', 'sh', '-c', script);
    expect(await sh('cd /all; ls; stat -L -c "%a" rate deep/key; cat rate deep/key name')).toBe(
      'deep\nname\nrate\ntoken\n440\n400\n10onefiles',
    );
    const token = await sh('cat /all/token');
    expect(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())).toMatchObject({
      aud: ['robots'],
      sub: `system:serviceaccount:${bench.kind}:default`,
    });
    await bench.kubectl('patch', 'configmap', 'files', '-p', '{"data":{"rate":"20","more":"x"}}');
    await bench.kubectl('patch', 'secret', 'files', '-p', '{"stringData":{"key":"two"}}');
    await until(
      'the changes are there',
      async () => (await sh('cd /all; cat rate more deep/key')) === '20xtwo',
      110_000,
    );
    expect(await sh('cat /fixed')).toBe('10');
  });

  it('has directories in memory and on disk, of its group', async () => {
    await bench.run('dirs', {
      restartPolicy: 'Never',
      securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000] },
      containers: [
        main(
          'stat -c "%a %u %g" /disk /memory; grep -c " /memory tmpfs .*size=16384k" /proc/mounts; id; touch /disk/f; stat -c "%g" /disk/f',
          {
            volumeMounts: [
              { name: 'disk', mountPath: '/disk' },
              { name: 'memory', mountPath: '/memory' },
            ],
          },
        ),
      ],
      volumes: [
        { name: 'disk', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
      ],
    });
    await bench.ended('dirs');
    expect(await bench.kubectl('logs', 'dirs')).toBe(`2777 0 2000
3777 0 2000
1
uid=1000 gid=3000 groups=2000,3000,4000
2000
`);
  });

  it('does not start before its volume is there', async () => {
    await bench.run('waiting', {
      containers: [main(untilTerm, { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
      volumes: [{ name: 'v', secret: { secretName: 'comes-later' } }],
    });
    await until(
      'it is told',
      async () => (await bench.eventReasons('waiting')).includes('FailedMount'),
      60_000,
    );
    expect(await bench.column('waiting', 'STATUS')).toBe('ContainerCreating');
    await bench.kubectl('create', 'secret', 'generic', 'comes-later', '--from-literal=a=b');
    await bench.ready('waiting');
  });

  it('hides no metrics when nothing here can mount it', async () => {
    await bench.run('foreign', {
      containers: [main(untilTerm, { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
      volumes: [{ name: 'v', csi: { driver: 'none.example.com' } }],
    });
    await until('it is told', async () =>
      (await bench.eventReasons('foreign')).some((reason) => /FailedMount|UnsupportedPodSpec/.test(reason)),
    );
    for (const path of ['metrics', 'metrics/cadvisor', 'metrics/resource', 'stats/summary']) {
      const answer = bench.kubectl('get', '--raw', `/api/v1/nodes/${bench.node.name}/proxy/${path}`);
      await expect(answer, path).resolves.not.toBe('');
    }
    await bench.kubectl('delete', 'pod', 'foreign', '--wait=false');
  });
}
