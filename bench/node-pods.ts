/** The pods by which kubelets of a cluster are measured. */
import type { Container, Pod } from '../src/api/core.gen.ts';
import { busyboxImage } from '../test/peers/images.ts';
import { type Marks, markStart } from './marks.ts';

export type PodKind = 'idle' | 'crashing' | 'failing' | 'http' | 'exec';

const live = 'trap "exit 0" TERM; sleep 1000000 & wait';
const httpPort = 8080;

export function podOf(kind: PodKind, name: string, nodeName: string, marks: Marks): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      volumes: [{ name: 'marks', hostPath: { path: marks.dir } }],
      containers: [
        {
          name: 'main',
          image: busyboxImage,
          command: ['sh', '-c', `${markStart(name)}; ${scripts[kind](name)}`],
          volumeMounts: [{ name: 'marks', mountPath: '/marks' }],
          resources: { requests: { cpu: '1m', memory: '4Mi' } },
          ...probes[kind]?.(name),
        },
      ],
    },
  };
}

const scripts: Readonly<Record<PodKind, (name: string) => string>> = {
  idle: () => live,
  /** Ends when it is told to, once. */
  crashing: (name) =>
    `trap "exit 0" TERM; until [ -e /marks/${name}.die ]; do sleep 0.02; done; rm /marks/${name}.die; : > /marks/${name}.died; exit 1`,
  failing: (name) => `rm -f /marks/${name}.bad; ${live}`,
  http: () => `mkdir /www; echo yes > /www/ready; httpd -f -p ${httpPort} -h /www & trap "exit 0" TERM; wait`,
  exec: () => live,
};

const everySecond = { periodSeconds: 1, timeoutSeconds: 1 };

const probes: Partial<Record<PodKind, (name: string) => Partial<Container>>> = {
  failing: (name) => ({
    livenessProbe: {
      ...everySecond,
      failureThreshold: 1,
      exec: {
        command: ['sh', '-c', `[ ! -e /marks/${name}.bad ] || { : > /marks/${name}.failed; exit 1; }`],
      },
    },
  }),
  http: () => ({ readinessProbe: { ...everySecond, httpGet: { path: '/ready', port: httpPort } } }),
  exec: () => ({ readinessProbe: { ...everySecond, exec: { command: ['true'] } } }),
};
