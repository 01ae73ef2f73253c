/** What is told of pods that do not come up: all that the Go kubelet tells, in its words. */
import { it } from 'vitest';
import type { Event, PodSpec } from '../../src/api/core.gen.ts';
import { until } from '../agent.ts';
import { type Bench, main, untilTerm } from './harness.ts';

interface Case {
  name: string;
  spec: PodSpec;
  /** The Go kubelet has told all that it will when it has told this. */
  last: string;
}

const failing = { exec: { command: ['sh', '-c', 'echo no; exit 1'] }, periodSeconds: 1, failureThreshold: 1 };

const cases: Case[] = [
  {
    name: 'no-registry',
    spec: { containers: [main(untilTerm, { image: 'localhost:1/none:v1' })] },
    last: 'Error: ImagePullBackOff',
  },
  {
    name: 'never-pulled',
    spec: { containers: [main(untilTerm, { image: 'none:v1', imagePullPolicy: 'Never' })] },
    last: 'Error: ErrImageNeverPull',
  },
  {
    name: 'no-name',
    spec: { containers: [main(untilTerm, { image: 'docker.io/library/NONE:v1' })] },
    last: 'Error: InvalidImageName',
  },
  { name: 'no-program', spec: { containers: [main('', { command: ['/none'] })] }, last: 'Back-off' },
  { name: 'always-crashes', spec: { containers: [main('exit 3')] }, last: 'Back-off' },
  {
    name: 'init-crashes',
    spec: { initContainers: [main('exit 2', { name: 'init' })], containers: [main(untilTerm)] },
    last: 'Back-off',
  },
  {
    name: 'no-secret',
    spec: {
      containers: [
        main(untilTerm, { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'a' } } }] }),
      ],
    },
    last: 'Error: secret "none" not found',
  },
  {
    name: 'no-volume',
    spec: {
      containers: [main(untilTerm, { volumeMounts: [{ name: 'data', mountPath: '/data' }] })],
      volumes: [{ name: 'data', hostPath: { path: '/none/at/all', type: 'Directory' } }],
    },
    last: 'MountVolume.SetUp failed',
  },
  { name: 'no-life', spec: { containers: [main(untilTerm, { livenessProbe: failing })] }, last: 'Back-off' },
  {
    name: 'too-slow',
    spec: {
      containers: [main(untilTerm, { startupProbe: { ...failing, exec: { command: ['sleep', '1000'] } } })],
    },
    last: 'failed startup probe',
  },
  {
    name: 'too-much',
    spec: {
      containers: [
        main('dd if=/dev/zero of=/much bs=1M count=20; exec sleep 1000', {
          resources: { limits: { 'ephemeral-storage': '5Mi' } },
        }),
      ],
    },
    last: 'exceeds the total limit',
  },
];

export function eventCases({ roslet, go }: Record<'roslet' | 'go', Bench>): void {
  it.concurrent.each(cases)('of $name', async ({ name, spec, last }) => {
    await Promise.all([roslet.run(name, spec), go.run(name, spec)]);
    const theirs = await until(
      `the Go kubelet tells '${last}'`,
      async () => {
        const found = await told(go, name);
        return found.some((line) => line.includes(last)) && found;
      },
      90_000,
    );
    await until(
      'roslet tells the same',
      async () => {
        const ours = await told(roslet, name);
        const lacking = theirs.filter((line) => !ours.includes(line));
        if (lacking.length > 0) throw new Error(`missing: ${lacking.join('\n')}\nof: ${ours.join('\n')}`);
        return true;
      },
      90_000,
    );
  });
}

/** By whom, type, reason, what it is about and message, without what is the pod's alone. */
async function told(bench: Bench, name: string): Promise<string[]> {
  const about = `--field-selector=involvedObject.name=${name}`;
  const { items } = await bench.get<{ items: Event[] }>('events', about);
  return items
    .filter(({ reportingComponent }) => reportingComponent !== 'default-scheduler')
    .map(({ source, reportingComponent, type, reason, involvedObject, message = '' }) => {
      const { fieldPath = '', uid = '-' } = involvedObject;
      const by = `${source?.component} ${reportingComponent}`;
      return `${by} ${type} ${reason} ${fieldPath}: ${message}`
        .replaceAll(uid, 'UID')
        .replaceAll(`_${bench.kind}(`, '_NAMESPACE(');
    });
}
