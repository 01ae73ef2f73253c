/** What a user of one machine sees: manifests in, supervised containers out. The same pods on every runtime. */
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerStatus, Node, Pod } from '../src/api/core.gen.ts';
import { isReady, TestAgent, until } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';
import { slowness } from './slowness.ts';

const runtimes = [
  {
    name: 'host processes',
    pod: 'runtimeClassName: host-process, hostNetwork: true',
    withContainerd: false,
  },
  { name: 'containerd', pod: 'hostNetwork: true', withContainerd: true },
];

describe.each(runtimes)('pods of $name', (runtime) => {
  let containerd: TestContainerd | undefined;
  beforeAll(async () => {
    if (runtime.withContainerd) containerd = await startContainerd('1.6');
  });
  afterAll(async () => {
    await containerd?.stop();
  });

  let agent: TestAgent;
  beforeEach(async () => {
    const criEndpoint = containerd?.endpoint;
    agent = await TestAgent.create(criEndpoint === undefined ? {} : { criEndpoint });
    await agent.start();
  });
  afterEach(async () => {
    expect(await agent.remove()).toEqual([]);
  });

  /** `spec` and `container` are flow-style YAML fields. */
  const manifest = (
    name: string,
    command: string,
    { spec = '', container = '', more = '' } = {},
  ) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${[`{terminationGracePeriodSeconds: 2, ${runtime.pod}`, spec].filter(Boolean).join(', ')}, containers: [{name: main, image: 'docker.io/library/busybox:local', ${container === '' ? '' : `${container}, `}command: [sh, -c, ${JSON.stringify(command)}]}${more}]}
`;
  const main = (pod: Pod): ContainerStatus => pod.status!.containerStatuses!.find((c) => c.name === 'main')!;

  it('come up, are listed, and go with their manifest', async () => {
    await agent.apply('a.yaml', manifest('hello', 'echo hello world; exec sleep 1000'));
    const pod = await agent.ready('hello');
    expect(pod.status?.phase).toBe('Running');
    expect(await agent.cli('pods')).toMatch(/hello-robot +1\/1 +Running +0/);
    expect(await agent.cli('logs', 'hello-robot')).toBe('hello world\n');
    await agent.unapply('a.yaml');
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });

  it('restart when they crash, and back off when they do it again', async () => {
    await agent.apply('a.yaml', manifest('crash', 'echo again; exit 3'));
    const pod = await agent.podUntil(
      'crash',
      'backs off',
      (p) => main(p).state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(main(pod)).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect(pod.status?.phase).toBe('Running');
    await until('the event', async () => (await agent.events()).find((e) => e.reason === 'BackOff'));
  });

  it('end for good with restartPolicy Never', async () => {
    await agent.apply(
      'a.yaml',
      manifest('once', 'echo done > /dev/termination-log', { spec: 'restartPolicy: Never' }),
    );
    const pod = await agent.podUntil('once', 'succeeded', (p) => p.status?.phase === 'Succeeded');
    expect(main(pod).state?.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
      message: 'done\n',
    });
    await agent.stop('SIGKILL');
    await agent.start();
    const again = await agent.podUntil('once', 'is still known', (p) => p.status?.phase === 'Succeeded');
    expect(main(again).restartCount).toBe(0);
  });

  it('of strict groups run where the node has that feature, and are refused elsewhere', async () => {
    const strict = 'securityContext: {supplementalGroupsPolicy: Strict}';
    await agent.apply('a.yaml', manifest('strict', 'exec sleep 1000', { spec: strict }));
    // containerd 1.6 has not heard of it.
    const canKeep = !runtime.withContainerd;
    const refusal = 'SupplementalGroupsPolicyNotSupported';
    await agent.podUntil('strict', canKeep ? 'is ready' : 'is refused', (pod) =>
      canKeep ? isReady(pod) : pod.status?.reason === refusal,
    );
    const { status } = JSON.parse(await agent.get('/api/v1/nodes/robot')) as Node;
    expect(status?.features).toEqual({ supplementalGroupsPolicy: canKeep });
  });

  it('run init containers in order, with a volume between them', async () => {
    await agent.apply(
      'a.yaml',
      `apiVersion: v1
kind: Pod
metadata: {name: staged}
spec:
  ${runtime.pod.replaceAll(', ', '\n  ')}
  terminationGracePeriodSeconds: 1
  volumes: [{name: work, emptyDir: {}}]
  initContainers:
  - {name: one, image: 'docker.io/library/busybox:local', command: [sh, -c, 'echo one >> /work/order'], volumeMounts: [{name: work, mountPath: /work}]}
  - {name: two, image: 'docker.io/library/busybox:local', command: [sh, -c, 'echo two >> /work/order'], volumeMounts: [{name: work, mountPath: /work}]}
  containers:
  - {name: main, image: 'docker.io/library/busybox:local', command: [sh, -c, 'cat /work/order; exec sleep 1000'], volumeMounts: [{name: work, mountPath: /work}]}
`,
    );
    await agent.ready('staged');
    expect(await agent.cli('logs', 'staged-robot', '-c', 'main')).toBe('one\ntwo\n');
  });

  it('get config maps as files and variables, and see files change', async () => {
    const config = (value: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: ${value}}
`;
    await agent.apply('settings.yaml', config('slow'));
    await agent.apply(
      'a.yaml',
      manifest('configured', 'echo $MODE; while sleep 0.2; do cat /etc/settings/mode; echo; done', {
        spec: 'volumes: [{name: settings, configMap: {name: settings}}]',
        container:
          'env: [{name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}], volumeMounts: [{name: settings, mountPath: /etc/settings}]',
      }),
    );
    await agent.ready('configured');
    await until('the old value', async () =>
      (await agent.cli('logs', 'configured-robot')).startsWith('slow\nslow\n'),
    );
    await agent.apply('settings.yaml', config('fast'));
    await until('the new value', async () =>
      (await agent.cli('logs', 'configured-robot', '--tail', '2')).includes('fast'),
    );
    expect(main(await agent.ready('configured')).restartCount).toBe(0);
  });

  it('are restarted when their liveness probe fails, and not ready before their readiness probe succeeds', async () => {
    await agent.apply(
      'a.yaml',
      manifest(
        'probed',
        'trap "exit 0" TERM; sleep 0.7; touch /tmp/up; sleep 1.5; rm /tmp/up; while sleep 0.1; do :; done',
        {
          spec: 'volumes: [{name: tmp, emptyDir: {}}]',
          container:
            'volumeMounts: [{name: tmp, mountPath: /tmp}], readinessProbe: {exec: {command: [cat, /tmp/up]}, periodSeconds: 1}, ' +
            'livenessProbe: {exec: {command: [cat, /tmp/up]}, initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 1}',
        },
      ),
    );
    await agent.podUntil(
      'probed',
      'runs but is not ready',
      (p) => main(p)?.state?.running !== undefined && !isReady(p),
    );
    await agent.podUntil('probed', 'was restarted', (p) => main(p).restartCount > 0);
    const events = await agent.events();
    expect(events.some((e) => e.reason === 'Unhealthy' && e.message?.includes('Liveness probe failed'))).toBe(
      true,
    );
    expect(events.some((e) => e.reason === 'Killing' && e.message?.includes('failed liveness probe'))).toBe(
      true,
    );
  });

  it('change in place: only the container that changed is started again', async () => {
    const two = (word: string) =>
      manifest('two', 'exec sleep 1000', {
        more: `, {name: other, image: 'docker.io/library/busybox:local', command: [sh, -c, 'echo ${word}; exec sleep 1000']}`,
      });
    await agent.apply('a.yaml', two('before'));
    const before = await agent.ready('two');
    await agent.apply('a.yaml', two('after'));
    const after = await agent.podUntil(
      'two',
      'has restarted the other container',
      (p) => isReady(p) && p.status?.containerStatuses?.find((c) => c.name === 'other')?.restartCount === 1,
    );
    expect(main(after).containerID).toBe(main(before).containerID);
    expect(after.metadata?.uid).toBe(before.metadata?.uid);
    expect(await agent.cli('logs', 'two-robot', '-c', 'other')).toBe('after\n');
  });

  it('are not touched by the death of the agent', async () => {
    await agent.apply('a.yaml', manifest('steady', 'while sleep 0.1; do echo tick; done'));
    const before = await agent.ready('steady');
    await agent.stop('SIGKILL');
    await agent.start();
    const after = await agent.ready('steady');
    expect(main(after)).toEqual(main(before));
    expect(after.status?.startTime).toBe(before.status?.startTime);
  });

  it('have events that the next life of a killed agent shows, and counts on', async () => {
    await agent.apply('a.yaml', manifest('told', 'echo again; exit 3'));
    const backOff = async () =>
      (await agent.events()).find((e) => e.reason === 'BackOff' && e.involvedObject.name === 'told-robot');
    const before = await until('it backs off', backOff);
    await until('that is on disk', async () => {
      const files = await readdir(`${agent.root}/store/events`).catch(() => []);
      // What is just being written may not outlive the agent.
      const kept = files.filter((file) => file.endsWith('.rec'));
      const texts = await Promise.all(kept.map((file) => readFile(`${agent.root}/store/events/${file}`)));
      return texts.some((text) => text.includes(before.metadata.uid ?? ''));
    });
    await agent.stop('SIGKILL');
    await agent.start();
    const after = (await agent.events()).find(({ metadata }) => metadata.uid === before.metadata.uid);
    expect(after).toMatchObject({
      metadata: { name: before.metadata.name },
      firstTimestamp: before.firstTimestamp,
    });
    expect(await agent.cli('events')).toMatch(/told-robot.*restarting failed container/);
    await until('it is counted on', async () => ((await backOff())?.count ?? 0) > (before.count ?? 0));
    expect((await backOff())?.metadata.uid).toBe(before.metadata.uid);
    await agent.unapply('a.yaml');
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });

  it('are taken down when their manifest went while the agent was dead', async () => {
    await agent.apply('a.yaml', manifest('orphan', 'exec sleep 1000'));
    await agent.ready('orphan');
    await agent.stop('SIGKILL');
    await rm(`${agent.manifests}/a.yaml`);
    await agent.start();
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });

  it('start anew as a whole when more than containers changed, never two at a time', async () => {
    const body =
      'echo one >> /out/starts; trap "echo end >> /out/starts; exit 0" TERM; while sleep 0.1; do :; done';
    const out = `{name: out, hostPath: {path: ${agent.dir}}}`;
    const mounts = { container: 'volumeMounts: [{name: out, mountPath: /out}]' };
    await agent.apply('a.yaml', manifest('again', body, { spec: `volumes: [${out}]`, ...mounts }));
    const before = await agent.ready('again');
    await agent.apply(
      'a.yaml',
      manifest('again', body, { spec: `volumes: [${out}, {name: x, emptyDir: {}}]`, ...mounts }),
    );
    const after = await agent.podUntil(
      'again',
      'is another',
      (p) => p.metadata?.uid !== before.metadata?.uid && isReady(p),
    );
    expect(main(after).restartCount).toBe(0);
    // A container is ready before its first command has run.
    await expect.poll(() => readFileSync(`${agent.dir}/starts`, 'utf8')).toBe('one\nend\none\n');
  });

  it('say their last words from the log when they fail without a message', async () => {
    await agent.apply(
      'a.yaml',
      manifest('last', 'echo first; echo lost the map >&2; exit 7', {
        spec: 'restartPolicy: Never',
        container: 'terminationMessagePolicy: FallbackToLogsOnError',
      }),
    );
    const pod = await agent.podUntil('last', 'failed', (p) => p.status?.phase === 'Failed');
    const terminated = main(pod).state?.terminated;
    expect(terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    // Which of two streams is read first is the runtime's affair.
    expect(terminated?.message?.trim().split('\n').sort()).toEqual(['first', 'lost the map']);
  });

  it('end at their deadline', async () => {
    await agent.apply('a.yaml', manifest('late', 'exec sleep 1000', { spec: 'activeDeadlineSeconds: 1' }));
    const pod = await agent.podUntil('late', 'failed', (p) => p.status?.phase === 'Failed');
    expect(pod.status?.reason).toBe('DeadlineExceeded');
    await until('it has ended', async () => main((await agent.pod('late'))!).state?.terminated);
  });

  it('have sidecars that start first, keep running and end last', async () => {
    const note = (word: string) =>
      `[sh, -c, 'echo ${word} >> /out/order; trap "echo no-${word} >> /out/order; exit 0" TERM; while sleep 0.1; do :; done']`;
    const mounts = 'volumeMounts: [{name: out, mountPath: /out}]';
    await agent.apply(
      'a.yaml',
      `apiVersion: v1
kind: Pod
metadata: {name: helped}
spec:
  ${runtime.pod.replaceAll(', ', '\n  ')}
  terminationGracePeriodSeconds: 10
  volumes: [{name: out, hostPath: {path: ${agent.dir}}}]
  initContainers:
  - {name: first, restartPolicy: Always, image: 'docker.io/library/busybox:local', command: ${note('first')}, ${mounts}}
  - {name: second, restartPolicy: Always, image: 'docker.io/library/busybox:local', command: ${note('second')}, ${mounts}}
  containers:
  - {name: main, image: 'docker.io/library/busybox:local', command: ${note('main')}, ${mounts}}
`,
    );
    const order = () => readFileSync(`${agent.dir}/order`, 'utf8').trim().split('\n');
    const pod = await agent.ready('helped');
    expect(pod.status?.initContainerStatuses?.map((s) => s.started)).toEqual([true, true]);
    await until('all are up', async () => order().length === 3);
    expect(order()).toEqual(['first', 'second', 'main']);
    await agent.unapply('a.yaml');
    await until('it is gone', async () => (await agent.pods()).length === 0);
    expect(order().slice(3)).toEqual(['no-main', 'no-second', 'no-first']);
  });

  it('are created, watched and deleted over the Kubernetes API, and survive the agent', async () => {
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'posted' },
      spec: {
        ...(runtime.withContainerd ? {} : { runtimeClassName: 'host-process' }),
        hostNetwork: true,
        containers: [
          {
            name: 'main',
            image: 'docker.io/library/busybox:local',
            command: ['sh', '-c', 'trap "sleep 1; exit 0" TERM; while sleep 0.1; do :; done'],
          },
        ],
      },
    };
    await agent.send('POST', '/api/v1/namespaces/default/pods', body);
    const before = await agent.ready('posted');
    await agent.stop('SIGKILL');
    await agent.start();
    const after = await agent.ready('posted');
    expect(main(after)).toEqual(main(before));
    expect(after.metadata?.uid).toBe(before.metadata?.uid);
    await agent.send('DELETE', '/api/v1/namespaces/default/pods/posted', {});
    const ending = await agent.podUntil(
      'posted',
      'goes down',
      (p) => p.metadata?.deletionTimestamp !== undefined,
    );
    expect(main(ending).state?.running).toBeDefined();
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });

  it('have logs that are followed over a rotation and a restart, with no line lost or told twice', {
    timeout: 120_000 * slowness,
  }, async () => {
    await agent.configure(
      'containerLogMaxSize: 20Ki\ncontainerLogMaxFiles: 5\ncontainerLogMonitorInterval: 3s\n',
    );
    await agent.stop();
    await agent.start();
    const count =
      'n=$(cat /work/n 2>/dev/null || echo 0); end=$((n+900)); while [ $n -lt $end ]; do n=$((n+1)); echo $n > /work/n; echo line $n of a log that grows and grows; sleep 0.01; done; sleep 1';
    await agent.apply(
      'a.yaml',
      manifest('talker', count, {
        spec: 'volumes: [{name: work, emptyDir: {}}]',
        container: 'volumeMounts: [{name: work, mountPath: /work}]',
      }),
    );
    await agent.podUntil('talker', 'runs', (p) => main(p)?.state?.running !== undefined);
    const follower = agent.follow('logs', '-f', 'talker-robot');
    const lines = () => [...follower.output().matchAll(/^line (\d+) of/gm)].map((m) => Number(m[1]));
    await until('the second instance is heard', async () => lines().length > 1000, 90_000);
    follower.stop();
    const heard = lines();
    expect(heard).toEqual(Array.from({ length: heard.length }, (_, i) => i + 1));
    const rotated = await agent.rotatedLogs('talker');
    expect(rotated).toBeGreaterThan(0);
  });

  it('run their hooks', async () => {
    await agent.apply(
      'a.yaml',
      manifest('hooked', 'trap "exit 0" TERM; while sleep 0.1; do :; done', {
        spec: `volumes: [{name: out, hostPath: {path: ${agent.dir}}}]`,
        container:
          'volumeMounts: [{name: out, mountPath: /out}], lifecycle: {postStart: {exec: {command: [sh, -c, echo start >> /out/hooks]}}, preStop: {exec: {command: [sh, -c, echo stop >> /out/hooks]}}}',
      }),
    );
    await agent.ready('hooked');
    const hooks = () => readFileSync(`${agent.dir}/hooks`, 'utf8');
    expect(hooks()).toBe('start\n');
    await agent.unapply('a.yaml');
    await until('it is gone', async () => (await agent.pods()).length === 0);
    expect(hooks()).toBe('start\nstop\n');
  });

  it.each([
    ['postStart', 'PostStartHook failed'],
    ['preStop', 'PreStopHook failed'],
  ])('tell by an event that a %s hook failed, and not what it said', async (hook, message) => {
    await agent.apply(
      'a.yaml',
      manifest('failing', 'trap "exit 0" TERM; while sleep 0.1; do :; done', {
        container: `lifecycle: {${hook}: {exec: {command: [sh, -c, echo hush-hush; exit 1]}}}`,
      }),
    );
    if (hook === 'preStop') {
      await agent.ready('failing');
      await agent.unapply('a.yaml');
    }
    const about = async () =>
      (await agent.events()).filter(({ involvedObject }) => involvedObject?.name?.startsWith('failing'));
    await until('it is told', async () => (await about()).some((event) => event.message === message));
    expect(JSON.stringify(await about())).not.toContain('hush-hush');
    expect(agent.log).toContain('hush-hush');
    if (hook === 'postStart') await agent.unapply('a.yaml');
    await until('it is gone', async () => (await agent.pods()).length === 0);
  });
});
