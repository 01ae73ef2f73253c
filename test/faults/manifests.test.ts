/** What is wrong with what is asked for. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../agent.ts';
import { containerId, faultsPlace, pod } from './place.ts';

const { start } = faultsPlace();

describe('manifests', () => {
  it('that are wrong are refused with their place and the right name, and hide no others', async () => {
    const a = await start();
    await a.apply('good.yaml', pod('good'));
    await a.apply('bad.yaml', pod('bad').replace('containers:', 'contaners:'));
    await a.ready('good');
    const { code, output } = await a.tryCli('lint', join(a.manifests, 'bad.yaml'));
    expect(code).not.toBe(0);
    expect(output).toMatch(/bad\.yaml:8.*spec\.contaners.*containers/s);
    await until('the log says so', async () => /bad\.yaml/.test(a.log) && /contaners/.test(a.log));
    expect((await a.pods()).map((p) => p.metadata?.name)).toEqual(['good-robot']);
    await a.apply('bad.yaml', pod('bad'));
    await a.ready('bad');
  });

  it('that become wrong do not take the running pod down', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('steady'));
    const before = await a.ready('steady');
    await a.apply('a.yaml', '{{{ not yaml');
    await until('the log says so', async () => /a\.yaml/.test(a.log));
    await a.stop('SIGKILL');
    await a.start();
    await sleep(1500);
    expect(containerId(await a.ready('steady'))).toBe(containerId(before));
  });

  it('that are garbage of any kind are survived', async () => {
    const a = await start();
    await a.apply('good.yaml', pod('good'));
    const garbage = [
      '',
      '\0\0\0',
      '- - -',
      'a: &a [*a]',
      '[]',
      'kind: Pod',
      '{"kind": 3}',
      'x'.repeat(100_000),
      '---\n---\n',
      '\ufeff',
    ];
    for (const [i, text] of garbage.entries()) await a.apply(`g${i}.yaml`, text);
    await mkdir(join(a.manifests, 'dir.yaml'));
    await a.ready('good');
    expect((await a.pods()).length).toBe(1);
  });
});

describe('admission', () => {
  it('refuses a host port that is taken, and admits the pod when it is free', async () => {
    const a = await start();
    const ports = '    ports: [{containerPort: 18080, hostPort: 18080}]\n';
    await a.apply('a.yaml', pod('first', { extra: ports }));
    await a.ready('first');
    await a.apply('b.yaml', pod('second', { extra: ports }));
    const refused = await a.podUntil('second', 'is refused', (p) => p.status?.phase === 'Failed');
    expect(refused.status?.reason).toBe('NodePorts');
    await a.unapply('a.yaml');
    await a.ready('second');
  });

  it('refuses what asks for more than the node has', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('huge', { extra: '    resources: {requests: {cpu: 1000}}\n' }));
    const refused = await a.podUntil('huge', 'is refused', (p) => p.status?.phase === 'Failed');
    expect(refused.status).toMatchObject({
      reason: 'OutOfcpu',
      message: expect.stringContaining('requested: 1000000'),
    });
    expect((await a.events()).some((e) => e.reason === 'OutOfcpu')).toBe(true);
  });
});
