/** What probes and changes of a running pod do. */
import { expect, it } from 'vitest';
import { until } from '../agent.ts';
import { type Bench, main, mainOf, reasonsOf, untilTerm } from './harness.ts';

const exec = (script: string) => ({ exec: { command: ['sh', '-c', script] }, periodSeconds: 1 });

export function probeCases(bench: Bench): void {
  it('restarts what is not alive', async () => {
    await bench.run('dead', {
      // It may be slow to end by itself.
      terminationGracePeriodSeconds: 30,
      containers: [
        main(untilTerm, { livenessProbe: { ...exec('echo no sign of life; exit 1'), failureThreshold: 2 } }),
      ],
    });
    const pod = await bench.podUntil(
      'dead',
      'was restarted',
      (found) => (mainOf(found)?.restartCount ?? 0) > 0,
    );
    expect(mainOf(pod)?.lastState?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    const described = await until('its events are told', async () => {
      const text = await bench.kubectl('describe', 'pod', 'dead');
      return text.includes('Unhealthy') && text.includes('Killing') && text;
    });
    expect(described).toMatch(/Warning +Unhealthy .* Liveness probe failed: no sign of life/);
    expect(described).toMatch(/Normal +Killing .* Container main failed liveness probe, will be restarted/);
  });

  it('is ready as its readiness probe says', async () => {
    await bench.run('toggled', {
      containers: [
        main(untilTerm, { readinessProbe: { ...exec('test -e /tmp/ready'), failureThreshold: 1 } }),
      ],
    });
    const pod = await bench.podUntil(
      'toggled',
      'runs',
      (found) => mainOf(found)?.state?.running !== undefined,
    );
    expect(mainOf(pod)).toMatchObject({ ready: false, started: true });
    expect(reasonsOf(pod).Ready).toBe('ContainersNotReady');
    await bench.kubectl('exec', 'toggled', '--', 'touch', '/tmp/ready');
    await bench.ready('toggled');
    await bench.kubectl('exec', 'toggled', '--', 'rm', '/tmp/ready');
    await bench.podUntil('toggled', 'is not ready', (found) => mainOf(found)?.ready === false);
    expect(mainOf(await bench.pod('toggled'))?.restartCount).toBe(0);
  });

  it('has not started before its startup probe says so', async () => {
    await bench.run('slow', {
      containers: [
        main(untilTerm, {
          startupProbe: { ...exec('test -e /tmp/started'), failureThreshold: 100 },
          livenessProbe: { ...exec('test -e /tmp/started'), failureThreshold: 1 },
        }),
      ],
    });
    const pod = await bench.podUntil('slow', 'runs', (found) => mainOf(found)?.state?.running !== undefined);
    expect(mainOf(pod)).toMatchObject({ ready: false, started: false });
    await bench.kubectl('exec', 'slow', '--', 'touch', '/tmp/started');
    expect(mainOf(await bench.ready('slow'))).toMatchObject({ started: true, restartCount: 0 });
  });

  it('is asked by http and tcp on ports with names', async () => {
    const web = 'mkdir /www && echo ok >/www/healthz && exec httpd -f -p 8080 -h /www';
    const period = { periodSeconds: 1 };
    await bench.run('web', {
      containers: [
        main(web, {
          ports: [{ name: 'http', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, ...period },
          livenessProbe: { tcpSocket: { port: 'http' }, ...period },
        }),
      ],
    });
    await bench.ready('web');
    await bench.run('wrong', {
      containers: [main(web, { readinessProbe: { httpGet: { path: '/nothing', port: 8080 }, ...period } })],
    });
    await until('it is told', async () =>
      (await bench.kubectl('describe', 'pod', 'wrong')).includes(
        'Readiness probe failed: HTTP probe failed with statuscode: 404',
      ),
    );
  });
}

export function changeCases(bench: Bench): void {
  it('follows its annotations and labels', async () => {
    await bench.run(
      'labelled',
      {
        containers: [main(untilTerm, { volumeMounts: [{ name: 'info', mountPath: '/info' }] })],
        volumes: [
          {
            name: 'info',
            downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
          },
        ],
      },
      { labels: { mission: 'wait' } },
    );
    await bench.ready('labelled');
    const read = () => bench.kubectl('exec', 'labelled', '--', 'cat', '/info/labels');
    expect(await read()).toBe('mission="wait"');
    await bench.kubectl('label', 'pod', 'labelled', 'mission=go', '--overwrite');
    await until('the volume is up to date', async () => (await read()) === 'mission="go"', 100_000);
  });

  it('is restarted with another image', async () => {
    await bench.run('imaged', untilTerm);
    await bench.ready('imaged');
    await bench.kubectl('set', 'image', 'pod/imaged', 'main=docker.io/library/configured:local');
    const pod = await bench.podUntil(
      'imaged',
      'was restarted',
      (found) => (mainOf(found)?.restartCount ?? 0) === 1 && mainOf(found)?.ready === true,
    );
    expect(mainOf(pod)?.image).toBe('docker.io/library/configured:local');
    expect(pod.status?.observedGeneration).toBe(2);
  });

  it('waits for a gate that another opens', async () => {
    await bench.run('gated', {
      readinessGates: [{ conditionType: 'example.com/gate' }],
      containers: [main(untilTerm)],
    });
    const pod = await bench.podUntil('gated', 'runs', (found) => mainOf(found)?.ready === true);
    expect(reasonsOf(pod).Ready).toBe('ReadinessGatesNotReady');
    const status = { conditions: [{ type: 'example.com/gate', status: 'True' }] };
    await bench.kubectl('patch', 'pod', 'gated', '--subresource=status', '-p', JSON.stringify({ status }));
    await bench.ready('gated');
  });
}
