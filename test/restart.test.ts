/**
 * A container that is killed to be started again, by a failed probe or because it changed: it is not there twice, it is
 * counted once, and it does not wait for a containerd that takes its time over what has ended.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../src/api/core.gen.ts';
import { isReady, TestAgent } from './agent.ts';
import { startContainerd, type TestContainerd } from './peers/containerd.ts';

let containerd: TestContainerd;
let agent: TestAgent;
/** What containers tell of themselves, and what they are told. */
let marks: string;
/** While the file is there, nothing that has ended is taken down. */
let hold: string;
let dir: string;

const mark = (name: string) => join(marks, name);
const starts = (name: string): number =>
  existsSync(mark(name)) ? readFileSync(mark(name), 'utf8').split('\n').length - 1 : 0;
const main = (pod: Pod) => pod.status!.containerStatuses![0]!;

/** Its probe fails when the file `NAME.bad` is there, for one life. A second one beside it says so in `twice`. */
const manifest = (name: string, runtimeClass = '') => `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${runtimeClass}
  volumes: [{name: marks, hostPath: {path: ${marks}}}]
  containers:
  - name: main
    image: docker.io/library/busybox:local
    command:
    - sh
    - -c
    - |
      echo started >> /marks/${name}
      mkdir /marks/${name}.lives || echo ${name} >> /marks/twice
      rm -f /marks/${name}.bad
      trap "echo bye; rmdir /marks/${name}.lives; exit 7" TERM
      sleep 1000000 & wait
    volumeMounts: [{name: marks, mountPath: /marks}]
    livenessProbe: {exec: {command: [test, '!', -e, /marks/${name}.bad]}, periodSeconds: 1, failureThreshold: 1}
`;

describe.each(['1.6', '2.x'] as const)('with containerd %s', (line) => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-runc-'));
    hold = join(dir, 'hold');
    const otherRunc = join(dir, 'held');
    const wait = `while [ -e ${hold} ]; do sleep 0.05; done`;
    const script = `#!/bin/sh\ncase " $* " in *" delete "*) ${wait} ;; esac\nexec runc "$@"\n`;
    await writeFile(otherRunc, script, { mode: 0o755 });
    containerd = await startContainerd(line, { otherRunc });
  });
  afterAll(async () => {
    await containerd?.stop();
    await rm(dir, { recursive: true });
  });
  beforeEach(async () => {
    agent = await TestAgent.create({ criEndpoint: containerd.endpoint });
    marks = join(agent.dir, 'marks');
    await mkdir(marks);
    await agent.start();
  });
  afterEach(async () => {
    await rm(hold, { force: true });
    expect(await agent.remove()).toEqual([]);
  });

  it('a restart does not wait for containerd to take down what has ended, and is told whole when it has', async () => {
    await agent.apply('a.yaml', manifest('a', 'runtimeClassName: other'));
    const before = await agent.ready('a');
    await writeFile(hold, '');
    await writeFile(mark('a.bad'), '');
    const again = await agent.podUntil('a', 'runs again', (p) => main(p).restartCount === 1 && isReady(p));
    expect(main(again).containerID).not.toBe(main(before).containerID);
    expect(main(again).lastState?.terminated).toMatchObject({
      exitCode: 7,
      containerID: main(before).containerID,
    });

    await agent.stop('SIGKILL');
    await agent.start();
    await sleep(2000);
    const adopted = await agent.ready('a');
    expect(main(adopted)).toMatchObject({ containerID: main(again).containerID, restartCount: 1 });

    await rm(hold);
    await agent.podUntil('a', 'tells how it ended', (p) => main(p).lastState?.terminated?.exitCode === 7);
    expect(await agent.cli('logs', '--previous', 'a-robot')).toBe('bye\n');
    const after = await agent.ready('a');
    expect(main(after)).toMatchObject({ containerID: main(again).containerID, restartCount: 1 });
    expect([starts('a'), existsSync(mark('twice'))]).toEqual([2, false]);
  });

  it('a pod is taken down while containerd still takes down what has ended', async () => {
    await agent.apply('a.yaml', manifest('a', 'runtimeClassName: other'));
    await agent.ready('a');
    await writeFile(hold, '');
    await writeFile(mark('a.bad'), '');
    await agent.podUntil('a', 'runs again', (p) => main(p).restartCount === 1);
    await agent.unapply('a.yaml');
    await expect.poll(() => existsSync(mark('a.lives')), { timeout: 20_000 }).toBe(false);
    expect(await agent.pod('a')).toBeDefined();
    await rm(hold);
    await expect.poll(() => agent.pod('a'), { timeout: 30_000 }).toBeUndefined();
  });

  it('an agent that is killed at any moment of a restart restarts once, counts it once and has nothing run twice', {
    timeout: 240_000,
  }, async () => {
    const names = Array.from({ length: 8 }, (_, i) => `r${i}`);
    for (const name of names) await agent.apply(`${name}.yaml`, manifest(name));
    for (const name of names) await agent.ready(name);
    for (const name of names) {
      await writeFile(mark(`${name}.bad`), '');
      // Within the period of the probe, and the time that a restart takes.
      await sleep(Math.random() * 1500);
      await agent.stop('SIGKILL');
      await agent.start();
    }
    const lastExit = (pod: Pod) => main(pod).lastState?.terminated?.exitCode;
    for (const name of names) {
      await expect.poll(() => starts(name), { timeout: 30_000 }).toBe(2);
      const isAsBefore = (p: Pod) => main(p).restartCount === 1 && isReady(p) && lastExit(p) === 7;
      await agent.podUntil(name, 'runs again, and tells how it ended', isAsBefore);
    }
    // A start too many may have come after that.
    for (const name of names) {
      const { restartCount } = main(await agent.ready(name));
      expect({ name, restartCount, starts: starts(name) }).toEqual({ name, restartCount: 1, starts: 2 });
    }
    expect(existsSync(mark('twice')) && readFileSync(mark('twice'), 'utf8')).toBe(false);
  });
});
