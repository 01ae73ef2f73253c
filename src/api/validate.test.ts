/** Rules that the recorded verdicts (verdicts.test.ts) do not show, and what the user is told. */
import { describe, expect, it } from 'vitest';
import type { ConfigMap, Container, Pod, PodSpec, Secret } from './core.gen.ts';
import { defaultConfigMap, defaultPod, defaultSecret } from './defaults.ts';
import { formatFieldError } from './errors.ts';
import { maxDataBytes, validateConfigMap, validatePod, validateSecret } from './validate.ts';

const container = (fields: Partial<Container> = {}): Container => ({ name: 'main', image: 'x:1', ...fields });

const problemsOf = (spec: Partial<PodSpec>): string[] => {
  const pod: Pod = { metadata: { name: 'talker' }, spec: { containers: [container()], ...spec } };
  return validatePod(defaultPod(pod)).map(formatFieldError);
};

it('a plain pod is fine', () => {
  expect(problemsOf({})).toEqual([]);
});

it('a pod without a spec is told so', () => {
  expect(validatePod({ metadata: { name: 'a', namespace: 'b' } }).map(formatFieldError)).toEqual([
    'spec: is required: say what the pod runs',
  ]);
});

it.each(['../../x', 'a/b', '..'])('the uid %j, which would be a path, is refused in a pod', (uid) => {
  const pod = defaultPod({ metadata: { name: 'talker', uid }, spec: { containers: [container()] } });
  expect(validatePod(pod).map(({ path }) => path)).toEqual(['metadata.uid']);
});

describe('messages say where, what is wrong and how to mend it', () => {
  const inFirst = (fields: Partial<Container>): Partial<PodSpec> => ({ containers: [container(fields)] });
  it.each<[string, Partial<PodSpec>]>([
    [
      'spec.restartPolicy: must be one of Always, OnFailure, Never, not "always"; did you mean "Always"?',
      { restartPolicy: 'always' },
    ],
    [
      'spec.containers[0].name: must have only lower case letters, digits and "-", and start and end with a letter or digit: "Main"',
      inFirst({ name: 'Main' }),
    ],
    [
      'spec.containers[0].image: is required: name an image, or run the pod as processes of the host with spec.runtimeClassName host-process',
      inFirst({ image: '' }),
    ],
    [
      'spec.containers[0].volumeMounts[0].name: the pod has no volume called "log"; it has logs, tmp',
      {
        ...inFirst({ volumeMounts: [{ name: 'log', mountPath: '/log' }] }),
        volumes: [
          { name: 'logs', emptyDir: {} },
          { name: 'tmp', emptyDir: {} },
        ],
      },
    ],
    [
      'spec.containers[0].volumeMounts[1].mountPath: must be unique: spec.containers[0].volumeMounts[0] is at /a as well',
      {
        ...inFirst({ volumeMounts: [0, 1].map(() => ({ name: 'v', mountPath: '/a' })) }),
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    ],
    [
      'spec.containers[0].resources.requests[cpu]: must not be more than the limit of 1: 2',
      inFirst({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
    ],
    [
      'spec.containers[0].resources.limits[example.com/camera]: is required: example.com/camera needs a limit equal to its request',
      inFirst({ resources: { requests: { 'example.com/camera': '1' } } }),
    ],
    [
      'spec.containers[0].resources.limits[hugepages-2Mi]: must be a multiple of the page size 2Mi: 3Mi',
      inFirst({ resources: { limits: { cpu: '1', 'hugepages-2Mi': '3Mi' } } }),
    ],
    [
      'spec.containers[0].livenessProbe: is required: give an action such as exec or httpGet',
      inFirst({ livenessProbe: {} }),
    ],
    [
      'spec.containers[0].livenessProbe.tcpSocket: must be left out: there is one action, and exec is set',
      inFirst({ livenessProbe: { exec: { command: ['a'] }, tcpSocket: { port: 1 } } }),
    ],
    [
      "spec.containers[0].lifecycle.preStop.sleep: must be between 0 and the pod's terminationGracePeriodSeconds (30)",
      inFirst({ lifecycle: { preStop: { sleep: { seconds: 31 } } } }),
    ],
    [
      'spec.initContainers[0].livenessProbe: must be left out: an init container without restartPolicy Always cannot have it',
      { initContainers: [container({ name: 'init', livenessProbe: { exec: { command: ['a'] } } })] },
    ],
    [
      'spec.containers[1].ports[0].hostPort: TCP 80 is already used by spec.containers[0].ports[0]',
      {
        containers: ['a', 'b'].map((name) =>
          container({ name, ports: [{ containerPort: 80, hostPort: 80 }] }),
        ),
      },
    ],
    [
      "spec.securityContext.sysctls[0].name: must not be set with hostNetwork: it would change the host's net.core.somaxconn",
      { hostNetwork: true, securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '1' }] } },
    ],
    [
      'spec.volumes[0].hostPath: must be left out: a volume has one source, and emptyDir is set',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }] },
    ],
    [
      'spec.dnsConfig.nameservers: is required: dnsPolicy None leaves the pod without any other',
      { dnsPolicy: 'None' },
    ],
  ])('%s', (message, spec) => {
    expect(problemsOf(spec)).toEqual([message]);
  });
});

describe('names of containers', () => {
  it.each<[string, Partial<PodSpec>, string]>([
    ['two containers', { containers: [container(), container()] }, 'spec.containers[1].name'],
    ['an init container and a container', { initContainers: [container()] }, 'spec.initContainers[0].name'],
  ])('%s cannot have the same', (_, spec, path) => {
    expect(problemsOf(spec)).toEqual([`${path}: another container of the pod is already called "main"`]);
  });
});

describe('host ports', () => {
  const onPort = (name: string, protocol: string, hostIP?: string): Container =>
    container({ name, ports: [{ containerPort: 80, hostPort: 80, protocol, hostIP }] });

  it('may be the same for another protocol or address', () => {
    expect(
      problemsOf({ containers: [onPort('a', 'TCP'), onPort('b', 'UDP'), onPort('c', 'TCP', '1.2.3.4')] }),
    ).toEqual([]);
  });

  it('of init containers, which run one after the other, may be the same', () => {
    expect(problemsOf({ initContainers: [onPort('a', 'TCP'), onPort('b', 'TCP')] })).toEqual([]);
  });
});

describe('host processes', () => {
  const spec = { runtimeClassName: 'host-process' };

  it('need a command and no image', () => {
    expect(problemsOf({ ...spec, containers: [{ name: 'main', command: ['sleep', '1'] }] })).toEqual([]);
    expect(problemsOf({ ...spec, containers: [{ name: 'main', args: ['1'] }] })).toEqual([
      'spec.containers[0].command: is required: a host process has no image to take its command from',
    ]);
  });

  it('may name an image, so that one field moves a pod to a container engine', () => {
    expect(problemsOf({ ...spec, containers: [container({ command: ['a'] })] })).toEqual([]);
  });
});

describe('ephemeral containers', () => {
  it('are held against the rules for them', () => {
    const ephemeralContainers = [
      {
        ...container({ name: 'debug', ports: [{ containerPort: 1 }] }),
        targetContainerName: 'nobody',
        volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a' }],
      },
    ];
    expect(problemsOf({ ephemeralContainers, volumes: [{ name: 'v', emptyDir: {} }] })).toEqual([
      'spec.ephemeralContainers[0].ports: must be left out: an ephemeral container cannot have it',
      'spec.ephemeralContainers[0].targetContainerName: the pod has no container called "nobody"',
      'spec.ephemeralContainers[0].volumeMounts[0].subPath: must be left out: an ephemeral container cannot have it',
    ]);
  });
});

describe('variables from files', () => {
  const withFile = (volumeName: string): Partial<PodSpec> => ({
    containers: [
      container({ env: [{ name: 'A', valueFrom: { fileKeyRef: { key: 'K', path: 'env', volumeName } } }] }),
    ],
    volumes: [
      { name: 'dir', emptyDir: {} },
      { name: 'host', hostPath: { path: '/x' } },
    ],
  });
  const path = 'spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName';

  it('come from an emptyDir of the pod', () => {
    expect(problemsOf(withFile('dir'))).toEqual([]);
    expect(problemsOf(withFile('host'))).toEqual([`${path}: must be the name of an emptyDir volume`]);
    expect(problemsOf(withFile('none'))).toEqual([`${path}: the pod has no volume called "none"`]);
  });
});

describe('config maps', () => {
  const problems = (fields: Partial<ConfigMap>): string[] =>
    validateConfigMap(defaultConfigMap({ metadata: { name: 'c' }, ...fields })).map(formatFieldError);

  it.each<[Partial<ConfigMap>, string[]]>([
    [{ data: { 'a.yaml': 'x' }, binaryData: { b: 'YQ==' }, immutable: true }, []],
    [{ data: { 'a/b': 'x' } }, ['data[a/b]: must have only letters, digits, "-", "_" and ".": "a/b"']],
    [{ data: { a: 'x' }, binaryData: { a: 'YQ==' } }, ['data[a]: must not be in binaryData as well']],
    [{ data: { a: 'x'.repeat(maxDataBytes) } }, []],
    [
      { data: { a: 'é'.repeat(maxDataBytes / 2), b: 'x' } },
      ['data: must be at most 1048576 bytes in all, it is 1048577'],
    ],
    [
      { metadata: { name: 'A' } },
      [expect.stringContaining('metadata.name: must have only lower case letters')],
    ],
    [{ metadata: {} }, ['metadata.name: is required: give the object a name']],
  ])('case %#', (fields, expected) => {
    expect(problems(fields)).toEqual(expected);
  });
});

describe('secrets', () => {
  const problems = (fields: Partial<Secret>): string[] =>
    validateSecret(defaultSecret({ metadata: { name: 's' }, ...fields })).map(formatFieldError);
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  it.each<[string, Partial<Secret>, string[]]>([
    ['any keys', { data: { a: base64('x') } }, []],
    ['a bad key', { data: { '..': base64('x') } }, ['data[..]: must not be "." nor start with "..": ".."']],
    ['tls', { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'a', 'tls.key': 'b' } }, []],
    [
      'tls without a key',
      { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'a' } },
      ['data[tls.key]: is required: a secret of type kubernetes.io/tls has it'],
    ],
    [
      'registry credentials',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{"auths": {}}' } },
      [],
    ],
    [
      'registry credentials that are no JSON, which are not shown',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'hunter2' } },
      ['data[.dockerconfigjson]: must be a JSON object'],
    ],
    [
      'an empty ssh key',
      { type: 'kubernetes.io/ssh-auth', stringData: { 'ssh-privatekey': '' } },
      ['data[ssh-privatekey]: is required: a secret of type kubernetes.io/ssh-auth has it'],
    ],
    ['a password alone', { type: 'kubernetes.io/basic-auth', stringData: { password: '' } }, []],
    [
      'neither user nor password',
      { type: 'kubernetes.io/basic-auth' },
      ['data[username]: is required: a secret of type kubernetes.io/basic-auth has username or password'],
    ],
    [
      'a token without its account',
      { type: 'kubernetes.io/service-account-token' },
      [expect.stringContaining('metadata.annotations[kubernetes.io/service-account.name]: is required')],
    ],
    [
      'too much',
      { stringData: { a: 'x'.repeat(maxDataBytes + 1) } },
      ['data: must be at most 1048576 bytes in all, it is 1048577'],
    ],
  ])('%s', (_, fields, expected) => {
    expect(problems(fields)).toEqual(expected);
  });
});
