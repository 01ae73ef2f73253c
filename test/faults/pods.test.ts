/** Containers and pods that do what they should not, or to whom it happens. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isReady, TestAgent, until } from '../agent.ts';
import { faultsPlace, pod, restarts } from './place.ts';

const on = faultsPlace();
const { start } = on;

describe('a container', () => {
  it('that uses too much memory is killed and says so', async () => {
    const a = await start();
    const eat = 'x=$(head -c 200000000 /dev/zero | tr "\\\\0" x); echo $x | wc -c; sleep 100';
    await a.apply(
      'a.yaml',
      pod('hungry', { command: eat, extra: '    resources: {limits: {memory: 20Mi}}\n' }),
    );
    const p = await a.podUntil('hungry', 'was killed', (p) => restarts(p) > 0);
    expect(p.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });
  });

  it('that cannot be started says why', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('wrong').replace(/command: .*/, 'command: [/no/such/program]'));
    const p = await a.podUntil(
      'wrong',
      'backs off',
      (q) => q.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(JSON.stringify(p.status?.containerStatuses?.[0]?.lastState)).toMatch(/no\/such\/program/);
  });

  it('that waits for a config map starts when that comes', async () => {
    const a = await start();
    await a.apply('a.yaml', pod('waits', { extra: '    envFrom: [{configMapRef: {name: late}}]\n' }));
    const p = await a.podUntil(
      'waits',
      'waits',
      (q) => q.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(p.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('configmap "late" not found');
    await a.apply('late.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\ndata: {A: b}\n');
    await a.ready('waits');
  });
});

describe('a pod', () => {
  it('whose config map was deleted is restarted all the same', async () => {
    const a = await start();
    await a.apply(
      'settings.yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {A: b}\n',
    );
    const volume =
      '    volumeMounts: [{name: v, mountPath: /settings}]\n  volumes: [{name: v, configMap: {name: settings}}]\n';
    await a.apply('a.yaml', pod('crashy', { command: 'sleep 1; exit 1', extra: volume }));
    await a.podUntil('crashy', 'runs', (p) => restarts(p) === 0);
    await a.unapply('settings.yaml');
    await a.podUntil('crashy', 'was restarted', (p) => restarts(p) >= 2, 40_000);
  });

  it('that ends well when its liveness probe fails is started again with OnFailure', async () => {
    const a = await start();
    const probe =
      '    livenessProbe: {exec: {command: ["false"]}, periodSeconds: 1, failureThreshold: 1}\n  restartPolicy: OnFailure\n';
    await a.apply('a.yaml', pod('graceful', { extra: probe }));
    await a.podUntil('graceful', 'was restarted', (p) => restarts(p) >= 1);
  });

  it('that is changed in place and ends well is started with its new spec, with Never', async () => {
    const a = await start();
    const never = (command: string) => pod('once', { command, extra: '  restartPolicy: Never\n' });
    await a.apply('a.yaml', never('while sleep 0.1; do :; done'));
    await a.ready('once');
    await a.apply('a.yaml', never('echo new; while sleep 0.1; do :; done'));
    const p = await a.podUntil('once', 'runs the new spec', (q) => restarts(q) === 1 && isReady(q));
    expect(p.status?.phase).toBe('Running');
    expect(await a.cli('logs', 'once-robot')).toBe('new\n');
  });

  it('that is deleted by force in a long grace goes at once, and its name is free', async () => {
    const a = await start();
    const stubborn = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'stubborn' },
      spec: {
        runtimeClassName: 'host-process',
        hostNetwork: true,
        terminationGracePeriodSeconds: 600,
        containers: [
          { name: 'main', image: 'x', command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] },
        ],
      },
    };
    const path = '/api/v1/namespaces/default/pods';
    await a.send('POST', path, stubborn);
    const before = await a.ready('stubborn');
    await a.send('DELETE', `${path}/stubborn`, {});
    await sleep(500);
    await a.send('DELETE', `${path}/stubborn`, { gracePeriodSeconds: 0 });
    await a.send('POST', path, stubborn);
    const after = await a.podUntil(
      'stubborn',
      'is another',
      (p) => p.metadata?.uid !== before.metadata?.uid && isReady(p),
    );
    expect(restarts(after)).toBe(0);
    await a.send('DELETE', `${path}/stubborn`, { gracePeriodSeconds: 0 });
  });

  it('whose preStop hook the agent was killed in runs it once', async () => {
    const a = await start();
    const hook = `    lifecycle: {preStop: {exec: {command: [sh, -c, "echo stop >> /out/hooks; sleep 3"]}}}
    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: ${a.dir}}}]
`;
    await a.apply(
      'a.yaml',
      pod('hooked', { extra: hook }).replace(
        'terminationGracePeriodSeconds: 1',
        'terminationGracePeriodSeconds: 20',
      ),
    );
    await a.ready('hooked');
    await a.unapply('a.yaml');
    await until('the hook runs', async () => existsSync(join(a.dir, 'hooks')));
    await a.stop('SIGKILL');
    await a.start();
    await until('it is gone', async () => (await a.pods()).length === 0);
    expect(readFileSync(join(a.dir, 'hooks'), 'utf8')).toBe('stop\n');
  });

  it('that nobody knows any more is taken down with its grace', async () => {
    const a = await start();
    const trap = `    volumeMounts: [{name: out, mountPath: /out}]
  volumes: [{name: out, hostPath: {path: ${a.dir}}}]
`;
    await a.apply(
      'a.yaml',
      pod('lost', {
        command: 'trap "echo ended > /out/end; exit 0" TERM; while sleep 0.1; do :; done',
        extra: trap,
      }),
    );
    await a.ready('lost');
    await a.stop('SIGKILL');
    rmSync(join(a.root, 'store', 'pod-records'), { recursive: true });
    rmSync(join(a.root, 'store', 'manifests'), { recursive: true, force: true });
    rmSync(join(a.manifests, 'a.yaml'));
    await a.start();
    await until('it is gone', async () => a.leftovers().length === 0, 60_000);
    expect(readFileSync(join(a.dir, 'end'), 'utf8')).toBe('ended\n');
  });
});

describe('processes', () => {
  it('of one pod cannot use up those of the machine', async () => {
    on.agent = await TestAgent.create({ config: 'podPidsLimit: 20\n' });
    const a = on.agent;
    await a.start();
    const bomb = 'i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; echo all; wait';
    await a.apply('a.yaml', pod('bomb', { command: bomb }));
    await a.apply('b.yaml', pod('neighbour'));
    await a.ready('neighbour');
    await until('the bomb fizzles', async () =>
      /fork|Resource temporarily unavailable/.test(await a.cli('logs', 'bomb-robot').catch(() => '')),
    );
    expect(restarts(await a.ready('neighbour'))).toBe(0);
  });
});
