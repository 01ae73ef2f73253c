/** Sandboxes and containers from creation to removal: states, times, exit codes, labels, idempotency, filters. */
import { expect, test } from 'vitest';
import { RuntimeError } from '../runtime.ts';
import { type Bench, eventually, sandboxSecurity } from './harness.ts';

export function lifecycleCases(bench: Bench): void {
  test('a sandbox is ready from the time it runs until it is stopped, and unknown once removed', async () => {
    const { runtime } = bench;
    const pod = await bench.pod({ labels: { app: 'a' }, annotations: { note: 'ü "quoted"\nlines' } });
    const [listed] = await runtime.listPodSandbox({ id: pod.id });
    expect(listed).toMatchObject({
      id: pod.id,
      state: 'SANDBOX_READY',
      metadata: pod.config.metadata,
      labels: { app: 'a' },
      annotations: { note: 'ü "quoted"\nlines' },
      runtimeHandler: '',
    });
    expect(listed?.createdAtMs).toBeGreaterThan(Date.now() - 60_000);
    await runtime.stopPodSandbox(pod.id);
    expect((await runtime.podSandboxStatus(pod.id)).state).toBe('SANDBOX_NOTREADY');
    await runtime.removePodSandbox(pod.id);
    expect(await runtime.listPodSandbox({ id: pod.id })).toEqual([]);
    await expect(runtime.podSandboxStatus(pod.id)).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('a container goes from created over running to exited', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    const config = bench.config('main', 'exit 7', { labels: { tier: 'x' }, annotations: { hash: '1' } });
    const id = await runtime.createContainer(pod.id, config, pod.config);
    const created = await runtime.containerStatus(id);
    expect(created).toMatchObject({
      id,
      podSandboxId: pod.id,
      metadata: { name: 'main', attempt: 0 },
      state: 'CONTAINER_CREATED',
      labels: { tier: 'x' },
      annotations: { hash: '1' },
      startedAtMs: 0,
      finishedAtMs: 0,
    });
    await runtime.startContainer(id);
    const exited = await bench.exited(id);
    expect(exited).toMatchObject({ exitCode: 7, reason: 'Error', labels: { tier: 'x' } });
    expect(exited.startedAtMs).toBeGreaterThanOrEqual(exited.createdAtMs);
    expect(exited.finishedAtMs).toBeGreaterThanOrEqual(exited.startedAtMs);
  });

  test('a container that ends with 0 is completed', async () => {
    const { status } = await bench.runToEnd(await bench.pod(), 'main', 'true');
    expect(status).toMatchObject({ exitCode: 0, reason: 'Completed' });
  });

  test('a container killed by a signal exits with 128 and its number', async () => {
    // The first process of a namespace cannot kill itself: here that is the sandbox.
    const namespaceOptions = { network: 'NODE', pid: 'POD', ipc: 'POD' } as const;
    const pod = await bench.pod({ securityContext: sandboxSecurity({ namespaceOptions }) });
    const { status } = await bench.runToEnd(pod, 'main', 'kill -KILL $$');
    expect(status).toMatchObject({ exitCode: 137, reason: 'Error' });
  });

  test('arguments, environment and working directory are passed on as they are', async () => {
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', '', {
      command: ['sh', '-c', 'for each in "$@"; do echo "[$each]"; done; echo "$WORD|$EMPTY|"; pwd', 'sh'],
      args: ['', 'a b', '$HOME', "it's"],
      envs: [
        { key: 'WORD', value: 'x = "y" z' },
        { key: 'EMPTY', value: '' },
      ],
      workingDir: '/usr',
    });
    expect(stdout).toBe('[]\n[a b]\n[$HOME]\n[it\'s]\nx = "y" z||\n/usr\n');
  });

  test.each([
    ['a program that is not there', ['/no/such/program'], ''],
    ['a program that is not in the path', ['no-such-program'], ''],
    ['a file that cannot be executed', ['/etc/passwd'], ''],
  ])(
    '%s fails the start with a message and leaves the container exited',
    async (_what, command, workingDir) => {
      const { runtime } = bench;
      const pod = await bench.pod();
      const config = bench.config('main', '', { command, workingDir });
      const id = await runtime.createContainer(pod.id, config, pod.config);
      await expect(runtime.startContainer(id)).rejects.toThrow(command[0]);
      const status = await bench.exited(id);
      expect([126, 127, 128]).toContain(status.exitCode);
      expect(['ContainerCannotRun', 'StartError']).toContain(status.reason);
      expect(status.message).toContain(command[0]);
    },
  );

  // 60 days are longer than any timer of Node's.
  test.each([30, 60 * 86_400])(
    'stopping sends the stop signal and waits for the end, up to %i s',
    async (graceSeconds) => {
      const pod = await bench.pod();
      const id = await bench.start(
        pod,
        'main',
        'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done',
      );
      await bench.logged(id, /up/);
      await bench.runtime.stopContainer(id, graceSeconds);
      const status = await bench.runtime.containerStatus(id);
      expect(status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 3 });
      await bench.logged(id, /bye/);
    },
  );

  test('a container that ignores the stop signal is killed after the grace period', async () => {
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'trap "" TERM; echo up; while :; do sleep 0.05; done');
    await bench.logged(id, /up/);
    await bench.runtime.stopContainer(id, 1);
    expect(await bench.runtime.containerStatus(id)).toMatchObject({
      state: 'CONTAINER_EXITED',
      exitCode: 137,
    });
  });

  test('a grace period of 0 kills at once, also what has only just started', async () => {
    const pod = await bench.pod();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const id = await bench.start(pod, name, 'trap "" TERM; while :; do sleep 0.05; done');
      await bench.runtime.stopContainer(id, 0);
      expect(await bench.runtime.containerStatus(id)).toMatchObject({
        state: 'CONTAINER_EXITED',
        exitCode: 137,
      });
    }
  });

  test('what a container left in the background ends with it', async () => {
    const pod = await bench.pod();
    const shared = await bench.directory();
    const mounts = [mountOf(shared)];
    const script = '(trap "" TERM HUP; while :; do date +%s%N > /shared/beat; sleep 0.02; done) & sleep 0.2';
    await bench.runToEnd(pod, 'main', script, { mounts });
    const read = 'a=$(cat /shared/beat); sleep 0.3; b=$(cat /shared/beat); [ "$a" = "$b" ] && echo quiet';
    const { stdout } = await bench.runToEnd(pod, 'reader', read, { mounts });
    expect(stdout).toBe('quiet\n');
  });

  test('stopping and removing again, or what never was, succeeds', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'sleep 100');
    await runtime.stopContainer(id, 0);
    await runtime.stopContainer(id, 0);
    await runtime.removeContainer(id);
    await runtime.removeContainer(id);
    await runtime.stopPodSandbox(pod.id);
    await runtime.stopPodSandbox(pod.id);
    await runtime.removePodSandbox(pod.id);
    await runtime.removePodSandbox(pod.id);
    await expect(runtime.containerStatus(id)).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('stopping a sandbox ends its containers, which stay listed as exited', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'sleep 100');
    await runtime.stopPodSandbox(pod.id);
    expect(await runtime.listContainers({ podSandboxId: pod.id })).toMatchObject([
      { id, state: 'CONTAINER_EXITED' },
    ]);
  });

  test('removing a running container kills it', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    const id = await bench.start(pod, 'main', 'sleep 100');
    await runtime.removeContainer(id);
    expect(await runtime.listContainers({ podSandboxId: pod.id })).toEqual([]);
  });

  test('removing a sandbox takes its containers along, whatever their state', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    await bench.start(pod, 'running', 'sleep 100');
    await bench.runToEnd(pod, 'ended', 'true');
    await runtime.createContainer(pod.id, bench.config('created', 'true'), pod.config);
    await runtime.removePodSandbox(pod.id);
    expect(await runtime.listContainers({ podSandboxId: pod.id })).toEqual([]);
  });

  test('lists are filtered by id, state, sandbox and labels', async () => {
    const { runtime } = bench;
    const [one, two] = [
      await bench.pod({ labels: { app: 'one' } }),
      await bench.pod({ labels: { app: 'two' } }),
    ];
    expect((await runtime.listPodSandbox({ labels: { app: 'two' } })).map(({ id }) => id)).toEqual([two.id]);
    expect(await runtime.listPodSandbox({ id: one.id, state: 'SANDBOX_NOTREADY' })).toEqual([]);
    const a = await bench.start(one, 'a', 'sleep 100', { labels: { role: 'x' } });
    const b = await bench.start(two, 'b', 'sleep 100', { labels: { role: 'x' } });
    const ids = async (filter: Parameters<typeof runtime.listContainers>[0]) =>
      (await runtime.listContainers(filter)).map(({ id }) => id).sort();
    expect(await ids({ labels: { role: 'x' } })).toEqual([a, b].sort());
    expect(await ids({ labels: { role: 'x' }, podSandboxId: one.id })).toEqual([a]);
    expect(await ids({ labels: { role: 'x' }, id: b, state: 'CONTAINER_RUNNING' })).toEqual([b]);
    expect(await ids({ labels: { role: 'x' }, state: 'CONTAINER_EXITED' })).toEqual([]);
  });

  test('a container cannot be made in a sandbox that is stopped or unknown', async () => {
    const { runtime } = bench;
    const pod = await bench.pod();
    await runtime.stopPodSandbox(pod.id);
    const create = (id: string) => runtime.createContainer(id, bench.config('main', 'true'), pod.config);
    await expect(create(pod.id).then((id) => runtime.startContainer(id))).rejects.toThrow(RuntimeError);
    await expect(create('0123456789abcdef')).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('twenty containers start at once', async () => {
    const pod = await bench.pod();
    const names = Array.from({ length: 20 }, (_, index) => `main${index}`);
    const ids = await Promise.all(names.map((name) => bench.start(pod, name, `echo ${name}; sleep 100`)));
    await Promise.all(ids.map((id, index) => bench.logged(id, new RegExp(`^main${index}$`))));
    const listed = await bench.runtime.listContainers({ podSandboxId: pod.id, state: 'CONTAINER_RUNNING' });
    expect(listed.map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  test('another adapter on the same state sees and handles the same', async () => {
    const pod = await bench.pod({ labels: { app: 'a' } });
    const running = await bench.start(pod, 'running', 'sleep 100', { labels: { l: '1' } });
    const { status } = await bench.runToEnd(pod, 'ended', 'exit 4');
    const before = await bench.runtime.listContainers({ podSandboxId: pod.id });
    const other = await bench.running.reopen();
    const byId = (a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id);
    expect((await other.listContainers({ podSandboxId: pod.id })).sort(byId)).toEqual(before.sort(byId));
    expect(await other.podSandboxStatus(pod.id)).toEqual(await bench.runtime.podSandboxStatus(pod.id));
    expect(await other.containerStatus(status.id)).toEqual(status);
    await other.stopContainer(running, 0);
    await eventually(async () => expect((await bench.runtime.containerStatus(running)).exitCode).toBe(137));
  });

  if (bench.traits.events)
    test('events tell of what happens, where the runtime can', async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const reading = (async () => {
        for await (const event of bench.runtime.events(stop.signal))
          seen.push(`${event.type} ${event.containerId}`);
      })();
      const pod = await bench.pod();
      const id = await bench.start(pod, 'main', 'sleep 0.1');
      await eventually(async () => expect(seen).toContain(`stopped ${id}`));
      await bench.runtime.removeContainer(id);
      await eventually(async () => expect(seen).toContain(`deleted ${id}`));
      expect(seen).toEqual(expect.arrayContaining([`created ${id}`, `started ${id}`]));
      stop.abort();
      await reading;
    });

  test('the runtime says that it is ready', async () => {
    const { conditions, runtimeHandlers } = await bench.runtime.status();
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'RuntimeReady', status: true }));
    expect(runtimeHandlers.map(({ name }) => name)).toContain('');
    expect((await bench.runtime.version()).runtimeApiVersion).toMatch(/^v1/);
  });
}

export const mountOf = (hostPath: string, containerPath = '/shared') => ({
  containerPath,
  hostPath,
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: false,
  propagation: 'PRIVATE' as const,
});
