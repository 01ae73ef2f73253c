/** How pods start, restart, end and are deleted. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { silentLogger } from '../../src/log.ts';
import { hasAppArmor } from '../../src/node/app-armor.ts';
import { until } from '../agent.ts';
import { busyboxImage } from '../peers/images.ts';
import { type Bench, main, mainOf, reasonsOf, untilTerm } from './harness.ts';

export function startCases(bench: Bench): void {
  it('runs where the scheduler puts it and tells its steps', async () => {
    await bench.run('steps', untilTerm);
    const pod = await bench.ready('steps');
    expect(pod.spec?.nodeName).toBe(bench.node.name);
    expect(await bench.column('steps', 'READY')).toBe('1/1');
    expect(await bench.column('steps', 'STATUS')).toBe('Running');
    expect(pod.status?.conditions?.map(({ type, status }) => `${type}=${status}`).sort()).toEqual([
      'ContainersReady=True',
      'Initialized=True',
      'PodReadyToStartContainers=True',
      'PodScheduled=True',
      'Ready=True',
    ]);
    const steps = ['Created', 'Pulled', 'Scheduled', 'Started'];
    await until('all events are there', async () => {
      const told = await bench.eventReasons('steps');
      return steps.every((reason) => told.includes(reason));
    });
  });

  it('runs in the runtime that its class stands for, with what that costs', async () => {
    const name = `class-of-${bench.kind}`;
    const runtimeClass = {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name },
      handler: 'other',
      overhead: { podFixed: { cpu: '10m', memory: '8Mi' } },
    };
    await bench.try(['create', '-f', '-'], JSON.stringify(runtimeClass));
    await bench.run('classed', { runtimeClassName: name, containers: [main(untilTerm)] });
    const { spec } = await bench.ready('classed');
    expect(spec?.overhead).toEqual(runtimeClass.overhead.podFixed);
  });

  it('runs init containers in order, then sidecars, then the others', async () => {
    const say = (name: string, more = '') => `echo ${name} >>/out/log; ${more}`;
    const out = { volumeMounts: [{ name: 'out', mountPath: '/out' }] };
    await bench.run('ordered', {
      restartPolicy: 'Never',
      // The sidecar may be slow to end by itself.
      terminationGracePeriodSeconds: 30,
      initContainers: [
        main(say('first'), { ...out, name: 'first' }),
        main(say('sidecar', untilTerm), { ...out, name: 'sidecar', restartPolicy: 'Always' }),
        main(say('last'), { ...out, name: 'last' }),
      ],
      containers: [main(say('main', 'cat /out/log'), out)],
      volumes: [{ name: 'out', emptyDir: {} }],
    });
    const { status } = await bench.ended('ordered');
    expect(status?.phase).toBe('Succeeded');
    expect(await bench.kubectl('logs', 'ordered')).toBe('first\nsidecar\nlast\nmain\n');
    expect(status?.initContainerStatuses?.map(({ state }) => state?.terminated?.reason)).toEqual([
      'Completed',
      'Completed',
      'Completed',
    ]);
    expect(await bench.column('ordered', 'STATUS')).toBe('Completed');
  });

  it('does not start while an init container fails', async () => {
    await bench.run('stuck', {
      initContainers: [main('exit 3', { name: 'init' })],
      containers: [main(untilTerm)],
    });
    const pod = await bench.podUntil(
      'stuck',
      'backs off',
      ({ status }) =>
        status?.initContainerStatuses?.some(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff') ===
        true,
    );
    expect(await bench.column('stuck', 'STATUS')).toMatch(/^Init:(CrashLoopBackOff|Error)$/);
    expect(pod.status).toMatchObject({
      phase: 'Pending',
      initContainerStatuses: [{ lastState: { terminated: { exitCode: 3, reason: 'Error' } } }],
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } }, started: false }],
    });
    expect(reasonsOf(pod)).toMatchObject({
      Initialized: 'ContainersNotInitialized',
      ContainersReady: 'ContainersNotReady',
      Ready: 'ContainersNotReady',
    });
  });

  it('fails for good when an init container fails that is not to be restarted', async () => {
    await bench.run('failed-init', {
      restartPolicy: 'Never',
      initContainers: [main('exit 4', { name: 'init' })],
      containers: [main(untilTerm)],
    });
    expect((await bench.ended('failed-init')).status?.phase).toBe('Failed');
    expect(await bench.column('failed-init', 'STATUS')).toBe('Init:Error');
  });

  it('waits for an image that is not there', async () => {
    const container = (image: string, imagePullPolicy: string) => ({
      containers: [{ name: 'main', image, imagePullPolicy }],
    });
    await bench.run('no-image', container('127.0.0.1:1/none:1', 'IfNotPresent'));
    await bench.run('never-image', container('127.0.0.1:1/none:2', 'Never'));
    const pod = await bench.podUntil(
      'no-image',
      'backs off',
      (found) => mainOf(found)?.state?.waiting?.reason === 'ImagePullBackOff',
    );
    expect(mainOf(pod)?.state?.waiting?.message).toMatch(
      /^Back-off pulling image "127.0.0.1:1\/none:1": ErrImagePull: /,
    );
    const never = await bench.podUntil(
      'never-image',
      'waits',
      (found) =>
        mainOf(found)?.state?.waiting !== undefined &&
        mainOf(found)?.state?.waiting?.reason !== 'ContainerCreating',
    );
    expect(mainOf(never)?.state?.waiting).toEqual({
      reason: 'ErrImageNeverPull',
      message: 'Container image "127.0.0.1:1/none:2" is not present with pull policy of Never',
    });
  });

  it('is pending while one of its containers has not started, whatever the others do', async () => {
    await bench.run('half', {
      containers: [main(untilTerm), { name: 'other', image: '127.0.0.1:1/none:1' }],
    });
    const pod = await bench.podUntil('half', 'has a container that runs', (found) => {
      const [runs, waits] = found.status?.containerStatuses ?? [];
      return runs?.state?.running !== undefined && /Image/.test(waits?.state?.waiting?.reason ?? '');
    });
    expect(pod.status?.phase).toBe('Pending');
  });

  it('waits for a config map of its environment', async () => {
    await bench.run('unconfigured', {
      containers: [
        main(`echo $RATE; ${untilTerm}`, {
          env: [{ name: 'RATE', valueFrom: { configMapKeyRef: { name: 'later', key: 'rate' } } }],
        }),
      ],
    });
    const pod = await bench.podUntil(
      'unconfigured',
      'waits',
      (found) => mainOf(found)?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(mainOf(pod)?.state?.waiting?.message).toBe('configmap "later" not found');
    await bench.kubectl('create', 'configmap', 'later', '--from-literal=rate=10');
    await bench.ready('unconfigured');
    expect(await bench.kubectl('logs', 'unconfigured')).toBe('10\n');
  });

  it('is refused when the node cannot have it', async () => {
    const here = { nodeSelector: {}, nodeName: bench.node.name };
    await bench.run('too-large', {
      ...here,
      containers: [main(untilTerm, { resources: { requests: { cpu: '1000' } } })],
    });
    await bench.run('elsewhere', { ...here, nodeSelector: { moon: 'base' }, containers: [main(untilTerm)] });
    await bench.run('unsafe', {
      ...here,
      securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '65536' }] },
      containers: [main(untilTerm)],
    });
    const told = async (name: string) => {
      const { phase, reason, message } = (await bench.ended(name)).status ?? {};
      return { phase, reason, message };
    };
    expect(await told('too-large')).toEqual({
      phase: 'Failed',
      reason: 'OutOfcpu',
      message: expect.stringMatching(
        /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+$/,
      ),
    });
    expect(await told('elsewhere')).toEqual({
      phase: 'Failed',
      reason: 'NodeAffinity',
      message:
        "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    });
    expect(await told('unsafe')).toEqual({
      phase: 'Failed',
      reason: 'SysctlForbidden',
      message: 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted',
    });
  });

  it.skipIf(hasAppArmor('/sys', silentLogger()))(
    'is refused when it asks for AppArmor where there is none',
    async () => {
      const profile = { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } };
      await bench.run('profile', { ...profile, containers: [main(untilTerm)] });
      await bench.run('profiles', { containers: [main(untilTerm, profile)] });
      for (const name of ['profile', 'profiles']) {
        expect((await bench.ended(name)).status).toMatchObject({
          phase: 'Failed',
          reason: 'AppArmor',
          message: 'Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host',
        });
      }
    },
  );
}

export function endCases(bench: Bench): void {
  it.each([
    { name: 'well', exitCode: 0, phase: 'Succeeded', column: 'Completed' },
    { name: 'badly', exitCode: 7, phase: 'Failed', column: 'Error' },
  ])(
    'is $phase when it ended $name and is not to be restarted',
    async ({ name, exitCode, phase, column }) => {
      await bench.run(name, { restartPolicy: 'Never', containers: [main(`exit ${exitCode}`)] });
      const pod = await bench.ended(name);
      expect(pod.status?.phase).toBe(phase);
      expect(mainOf(pod)).toMatchObject({
        restartCount: 0,
        ready: false,
        started: false,
        state: { terminated: { exitCode, reason: column } },
      });
      expect(reasonsOf(pod).Ready).toBe(exitCode === 0 ? 'PodCompleted' : 'PodFailed');
      expect(await bench.column(name, 'STATUS')).toBe(column);
    },
  );

  it('is restarted on failure until it succeeds', async () => {
    await bench.run('second-try', {
      restartPolicy: 'OnFailure',
      containers: [
        main('[ -e /out/tried ] || { touch /out/tried; exit 5; }', {
          volumeMounts: [{ name: 'out', mountPath: '/out' }],
        }),
      ],
      volumes: [{ name: 'out', emptyDir: {} }],
    });
    const pod = await bench.ended('second-try');
    expect(pod.status?.phase).toBe('Succeeded');
    // The Go kubelet may have forgotten by now how it ended before.
    expect(mainOf(pod)).toMatchObject({ restartCount: 1, state: { terminated: { exitCode: 0 } } });
  });

  it('backs off when it crashes again and again', async () => {
    await bench.run('crashing', 'echo attempt; exit 9');
    const pod = await bench.podUntil(
      'crashing',
      'backs off',
      (found) => mainOf(found)?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const { restartCount = 0, state } = mainOf(pod) ?? {};
    // The Go kubelet may tell of none before the second or third.
    const seconds = 10 * 2 ** (restartCount - 1);
    expect(state?.waiting?.message).toMatch(
      new RegExp(`^back-off ${seconds}s restarting failed container=main pod=crashing_\\w+\\(.*\\)$`),
    );
    // The Go kubelet removes the log of the one before the last while it is asked for.
    await until(
      'its words are there',
      async () => (await bench.kubectl('logs', '--previous', 'crashing')) === 'attempt\n',
    );
    await until('its event is there', async () => (await bench.eventReasons('crashing')).includes('BackOff'));
  });

  it('tells what it wrote as its last words', async () => {
    await bench.run('words', {
      restartPolicy: 'Never',
      containers: [
        main('echo -n to the file >/dev/termination-log', { name: 'file' }),
        main('echo to the log; exit 1', { name: 'log', terminationMessagePolicy: 'FallbackToLogsOnError' }),
      ],
    });
    const { status } = await bench.ended('words');
    expect(status?.containerStatuses?.map(({ state }) => state?.terminated?.message)).toEqual([
      'to the file',
      'to the log\n',
    ]);
  });

  it('fails when it runs longer than it may', async () => {
    await bench.run('too-long', { activeDeadlineSeconds: 2, containers: [main(untilTerm)] });
    const { status } = await bench.ended('too-long');
    expect(status).toMatchObject({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    await until('its event is there', async () =>
      (await bench.eventReasons('too-long')).includes('DeadlineExceeded'),
    );
  });

  it('runs its hooks', async () => {
    const out = [{ name: 'out', mountPath: '/out' }];
    await bench.run('hooked', {
      terminationGracePeriodSeconds: 20,
      containers: [
        main(`trap 'echo term >>/out/log; exit 0' TERM; while true; do sleep 0.1; done`, {
          volumeMounts: out,
          lifecycle: {
            postStart: { exec: { command: ['sh', '-c', 'echo started >>/out/log'] } },
            preStop: { exec: { command: ['sh', '-c', 'echo stopping >>/out/log'] } },
          },
        }),
        main('tail -F /out/log 2>/dev/null & wait', { name: 'reader', volumeMounts: out }),
      ],
      volumes: [{ name: 'out', emptyDir: {} }],
    });
    await bench.ready('hooked');
    const log = bench.start('logs', '-f', 'hooked', '-c', 'reader');
    await bench.kubectl('delete', 'pod', 'hooked', '--wait=false');
    await until('all is told', () => log.text() === 'started\nstopping\nterm\n');
    await bench.kubectl('delete', 'pod', 'hooked', '--grace-period=1', '--timeout=30s', '--ignore-not-found');
    await log.stop();
  });

  it('has the grace that it asks for, until another is asked for', async () => {
    // Better than the Go kubelet, which was seen to sit out the first grace.
    const graceSeconds = bench.kind === 'roslet' ? 3600 : 20;
    await bench.run('deaf', {
      terminationGracePeriodSeconds: graceSeconds,
      containers: [main("trap '' TERM; while true; do sleep 0.1; done")],
    });
    await bench.ready('deaf');
    await bench.kubectl('delete', 'pod', 'deaf', '--wait=false');
    expect((await bench.pod('deaf')).metadata?.deletionGracePeriodSeconds).toBe(graceSeconds);
    expect(await bench.column('deaf', 'STATUS')).toBe('Terminating');
    await bench.kubectl('delete', 'pod', 'deaf', '--grace-period=1', '--timeout=90s');
  });

  it('makes way for another of its name after a deletion by force', async () => {
    await bench.run('forced', untilTerm);
    const { metadata } = await bench.ready('forced');
    await bench.kubectl('delete', 'pod', 'forced', '--force', '--grace-period=0');
    await bench.run('forced', untilTerm);
    expect((await bench.ready('forced')).metadata?.uid).not.toBe(metadata?.uid);
  });

  it('is evicted over the API', async () => {
    await bench.run('evicted', `trap 'sleep 2; exit 0' TERM; while true; do sleep 0.1; done`, {
      finalizers: ['example.com/look'],
    });
    await bench.ready('evicted');
    const { code } = await bench.try(
      ['create', '--raw', `/api/v1/namespaces/${bench.kind}/pods/evicted/eviction`, '-f', '-'],
      JSON.stringify({
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'evicted', namespace: bench.kind },
      }),
    );
    expect(code).toBe(0);
    const pod = await bench.podUntil('evicted', 'has ended', ({ status }) =>
      /Succeeded|Failed/.test(status?.phase ?? ''),
    );
    expect(reasonsOf(pod).DisruptionTarget).toBe('EvictionByEvictionAPI');
    await bench.kubectl('patch', 'pod', 'evicted', '-p', '{"metadata":{"finalizers":null}}');
    await bench.isGone('evicted');
  });
}

export function staticPodCases(bench: Bench): void {
  it('is shown as a mirror, which deleting does not end', async () => {
    const file = join(bench.node.kubelet.manifests, 'static.json');
    const name = `static-${bench.node.name}`;
    const manifest = (script: string) =>
      writeFile(
        file,
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'static', namespace: bench.kind },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'main', image: busyboxImage, command: ['sh', '-c', script] }],
          },
        }),
      );
    await manifest(`echo one; ${untilTerm}`);
    await until('the mirror is there', () => bench.kubectl('get', 'pod', name, '-o', 'name'));
    const { metadata, status } = await bench.ready(name);
    expect(metadata?.annotations).toMatchObject({
      'kubernetes.io/config.source': 'file',
      'kubernetes.io/config.mirror': metadata?.annotations?.['kubernetes.io/config.hash'],
    });
    expect(metadata?.ownerReferences).toMatchObject([
      { kind: 'Node', name: bench.node.name, controller: true },
    ]);
    expect(await bench.kubectl('logs', name)).toBe('one\n');
    const [before] = status?.containerStatuses ?? [];

    await bench.kubectl('delete', 'pod', name, '--wait=false');
    await until(
      'another mirror is there',
      async () => (await bench.pod(name)).metadata?.uid !== metadata?.uid,
    );
    expect(mainOf(await bench.ready(name))?.containerID).toBe(before?.containerID);

    await manifest(`echo two; ${untilTerm}`);
    await until('the new one runs', async () => (await bench.kubectl('logs', name)) === 'two\n', 60_000);
    await rm(file);
    await bench.isGone(name);
  });
}
