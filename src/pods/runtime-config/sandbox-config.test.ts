import { describe, expect, test } from 'vitest';
import type { Pod, PodSpec } from '../../api/core.gen.ts';
import { agentPaths } from '../../paths.ts';
import { podSandboxConfig } from './sandbox-config.ts';

const configOf = (spec: Partial<PodSpec>, metadata: Pod['metadata'] = {}) =>
  podSandboxConfig(
    { metadata: { name: 'p', namespace: 'ns', uid: 'u', ...metadata }, spec: { containers: [], ...spec } },
    {
      attempt: 3,
      paths: agentPaths('/root-dir'),
      cgroupParent: '/kubepods/podu',
      dns: { host: { servers: ['1.1.1.1'], searches: [], options: [] }, clusterDns: [], clusterDomain: 'x' },
    },
  ).config;

test('a sandbox is found again by its names, and carries what its pod carries', () => {
  expect(configOf({}, { labels: { app: 'a' }, annotations: { note: 'n' } })).toMatchObject({
    metadata: { name: 'p', namespace: 'ns', uid: 'u', attempt: 3 },
    hostname: 'p',
    logDirectory: '/root-dir/log/pods/ns_p_u',
    cgroupParent: '/kubepods/podu',
    labels: {
      app: 'a',
      'io.kubernetes.pod.name': 'p',
      'io.kubernetes.pod.namespace': 'ns',
      'io.kubernetes.pod.uid': 'u',
    },
    annotations: { note: 'n' },
    dnsConfig: { servers: ['1.1.1.1'], searches: [], options: [] },
  });
});

test("a label of the pod cannot take the place of the runtime's own", () => {
  expect(configOf({}, { labels: { 'io.kubernetes.pod.uid': 'other' } }).labels['io.kubernetes.pod.uid']).toBe(
    'u',
  );
});

describe('host ports', () => {
  const containers = [
    {
      name: 'c',
      ports: [
        { containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1', protocol: 'UDP' },
        { containerPort: 81 },
        { containerPort: 82, hostPort: 82 },
      ],
    },
  ];

  test('are those of the containers and sidecars', () => {
    const port = (containerPort: number) => ({ ports: [{ containerPort, hostPort: containerPort }] });
    const initContainers = [
      { name: 'init', ...port(1) },
      { name: 'sidecar', restartPolicy: 'Always', ...port(2) },
    ];
    expect(configOf({ containers, initContainers }).portMappings).toEqual([
      { containerPort: 2, hostPort: 2, hostIp: '', protocol: 'TCP' },
      { containerPort: 80, hostPort: 8080, hostIp: '127.0.0.1', protocol: 'UDP' },
      { containerPort: 82, hostPort: 82, hostIp: '', protocol: 'TCP' },
    ]);
  });

  test('need no mapping on the network of the host, where the pod has no name of its own either', () => {
    const config = configOf({ containers, hostNetwork: true });
    expect(config).toMatchObject({ portMappings: [], hostname: '' });
  });
});

test('sysctls are named with dots, whichever separator their names use', () => {
  const sysctls = [
    { name: 'net.ipv4.ip_forward', value: '1' },
    { name: 'kernel/shmmax', value: '2' },
    { name: 'net/ipv4/conf/eth0.100/rp_filter', value: '3' },
    { name: 'net.ipv4.conf.eth0/200.rp_filter', value: '4' },
  ];
  expect(configOf({ securityContext: { sysctls } }).sysctls).toEqual({
    'net.ipv4.ip_forward': '1',
    'kernel.shmmax': '2',
    'net.ipv4.conf.eth0/100.rp_filter': '3',
    'net.ipv4.conf.eth0/200.rp_filter': '4',
  });
});
