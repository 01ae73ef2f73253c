import { describe, expect, it } from 'vitest';
import type { Pod, PodSpec } from '../api/core.gen.ts';
import { configSourceAnnotation } from '../sources/source.ts';
import { admit, type NodeAdmissionContext } from './admission.ts';

const node: NodeAdmissionContext = {
  name: 'robot',
  labels: { 'kubernetes.io/os': 'linux', arm: 'left' },
  taints: [],
  allocatable: {
    cpu: 2000,
    memory: 2 ** 30,
    pods: 3,
    'ephemeral-storage': 2 ** 30,
    'hugepages-2Mi': 2 ** 22,
  },
  runtimeHandlers: ['', 'host-process'],
  hasContainerRuntime: false,
  cannotLimitGroups: () => false,
  handlerOf: ({ spec }) => spec?.runtimeClassName ?? '',
  allowedUnsafeSysctls: ['kernel.msg*'],
  pressures: [],
  shuttingDown: false,
  lacksAppArmor: () => false,
  hasRosBridge: true,
};

const pod = (spec: Partial<PodSpec> = {}, uid = 'new', annotations = {}): Pod => ({
  metadata: { name: uid, namespace: 'default', uid, annotations },
  spec: { containers: [{ name: 'main' }], ...spec },
});
const staticPod = (spec: Partial<PodSpec> = {}) => pod(spec, 'static', { [configSourceAnnotation]: 'file' });
const asking = (requests: Record<string, string>, uid = 'new') =>
  pod({ containers: [{ name: 'main', resources: { requests } }] }, uid);
const clusterPod = (requests: Record<string, string>) =>
  pod({ containers: [{ name: 'main', resources: { requests } }] }, 'new', {
    [configSourceAnnotation]: 'api',
  });
const listening = (hostPort: number, more = {}, uid = 'new') =>
  pod({ containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort, ...more }] }] }, uid);
const withSysctl = (name: string, more: Partial<PodSpec> = {}) =>
  pod({ securityContext: { sysctls: [{ name, value: '1' }] }, ...more });

interface Case {
  it: string;
  pod: Pod;
  active?: Pod[];
  node?: Partial<NodeAdmissionContext>;
  reason?: string;
  message?: string;
}

const shortage = (name: string, requested: number, used: number, capacity: number) =>
  `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
const withoutAppArmor = { lacksAppArmor: (handler: string) => handler !== 'host-process' };
const confined: Partial<PodSpec> = { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } };
const noExecute = [{ key: 'off', value: 'yes', effect: 'NoExecute' }];

const cases: Case[] = [
  { it: 'admits a pod that asks for nothing', pod: pod() },
  {
    it: 'refuses more cpu than there is',
    pod: asking({ cpu: '4' }),
    reason: 'OutOfcpu',
    message: shortage('cpu', 4000, 0, 2000),
  },
  {
    it: 'counts what other pods have',
    pod: asking({ cpu: '600m' }),
    active: [asking({ cpu: '1500m' }, 'other')],
    reason: 'OutOfcpu',
    message: shortage('cpu', 600, 1500, 2000),
  },
  {
    it: 'fills the node to the last',
    pod: asking({ cpu: '500m' }),
    active: [asking({ cpu: '1500m' }, 'other')],
  },
  { it: 'does not count the pod against itself', pod: asking({ cpu: '2' }), active: [asking({ cpu: '2' })] },
  { it: 'lets a pod without requests onto a full node', pod: pod(), active: [asking({ cpu: '2' }, 'other')] },
  {
    it: 'refuses more memory than there is',
    pod: asking({ memory: '2Gi' }),
    reason: 'OutOfmemory',
    message: shortage('memory', 2 ** 31, 0, 2 ** 30),
  },
  {
    it: 'refuses more local storage than there is',
    pod: asking({ 'ephemeral-storage': '2Gi' }),
    reason: 'OutOfephemeral-storage',
  },
  {
    it: 'refuses more pods than allowed',
    pod: pod(),
    active: [pod({}, 'a'), pod({}, 'b'), pod({}, 'c')],
    reason: 'OutOfpods',
    message: shortage('pods', 1, 3, 3),
  },
  {
    it: 'tells of the pods first, then of cpu, then of memory',
    pod: asking({ memory: '2Gi', cpu: '4' }),
    reason: 'OutOfcpu',
  },
  {
    it: 'refuses huge pages beyond the reserved ones',
    pod: asking({ 'hugepages-2Mi': '8Mi' }),
    reason: 'OutOfhugepages-2Mi',
  },
  {
    it: 'refuses a resource that the node does not have',
    pod: asking({ 'example.com/gpu': '1' }),
    reason: 'OutOfexample.com/gpu',
    message: shortage('example.com/gpu', 1, 0, 0),
  },
  { it: 'admits none of a resource that the node does not have', pod: asking({ 'example.com/gpu': '0' }) },
  { it: 'takes a matching node selector', pod: pod({ nodeSelector: { arm: 'left' } }) },
  {
    it: 'refuses another node selector',
    pod: pod({ nodeSelector: { arm: 'right' } }),
    reason: 'NodeAffinity',
    message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  },
  {
    it: 'refuses a pod of another node',
    pod: pod({ nodeName: 'other' }),
    reason: 'NodeName',
    message: "Predicate NodeName failed: node(s) didn't match the requested node name",
  },
  { it: 'takes a pod of this node', pod: pod({ nodeName: 'robot' }) },
  {
    it: 'counts what others told that the node has',
    pod: clusterPod({ 'example.com/camera': '2' }),
    node: { allocatable: { ...node.allocatable, 'example.com/camera': 1 } },
    reason: 'OutOfexample.com/camera',
  },
  {
    it: 'leaves to the scheduler what nobody told the node of',
    pod: clusterPod({ 'example.com/camera': '2' }),
  },
  {
    it: 'refuses a host port that is taken, and says by whom',
    pod: listening(8080),
    active: [listening(8080, {}, 'web')],
    reason: 'NodePorts',
    message:
      "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports: TCP 8080 is taken by default/web",
  },
  { it: 'tells protocols apart', pod: listening(53), active: [listening(53, { protocol: 'UDP' }, 'dns')] },
  {
    it: 'tells addresses apart',
    pod: listening(80, { hostIP: '10.0.0.1' }),
    active: [listening(80, { hostIP: '10.0.0.2' }, 'web')],
  },
  {
    it: 'counts any address as every address',
    pod: listening(80, { hostIP: '10.0.0.1' }),
    active: [listening(80, { hostIP: '0.0.0.0' }, 'web')],
    reason: 'NodePorts',
  },
  {
    it: 'counts the ports of sidecars, not those of init containers',
    pod: listening(80),
    active: [
      pod({ initContainers: [{ name: 'i', ports: [{ containerPort: 80, hostPort: 80 }] }] }, 'init'),
      pod(
        {
          initContainers: [
            { name: 's', restartPolicy: 'Always', ports: [{ containerPort: 80, hostPort: 80 }] },
          ],
        },
        'side',
      ),
    ],
    reason: 'NodePorts',
    message:
      "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports: TCP 80 is taken by default/side",
  },
  {
    it: 'refuses a pod that does not tolerate a NoExecute taint',
    pod: pod(),
    node: { taints: noExecute },
    reason: 'TaintToleration',
    message: 'Predicate TaintToleration failed: node(s) had untolerated taint {off: yes}',
  },
  {
    it: 'takes one that does',
    pod: pod({ tolerations: [{ key: 'off', operator: 'Exists' }] }),
    node: { taints: noExecute },
  },
  {
    it: 'leaves NoSchedule to the scheduler',
    pod: pod(),
    node: { taints: [{ key: 'off', effect: 'NoSchedule' }] },
  },
  { it: 'lets static pods stay on a tainted node', pod: staticPod(), node: { taints: noExecute } },
  {
    it: 'refuses another operating system',
    pod: pod({ os: { name: 'windows' } }),
    reason: 'PodOSNotSupported',
  },
  {
    it: 'refuses another operating system by selector',
    pod: pod({ nodeSelector: { 'kubernetes.io/os': 'windows' } }),
    reason: 'PodOSSelectorNodeLabelDoesNotMatch',
  },
  { it: 'takes a runtime class that it has', pod: pod({ runtimeClassName: 'host-process' }) },
  {
    it: 'refuses one that it does not have, and names those that it has',
    pod: pod({ runtimeClassName: 'gvisor' }),
    reason: 'RuntimeClassNotSupported',
    message: 'RuntimeClass "gvisor" not found; this node has host-process',
  },
  {
    it: 'leaves it to the container runtime to refuse the handler of a cluster, which it may have later',
    pod: pod({ runtimeClassName: 'gvisor' }, 'new', { [configSourceAnnotation]: 'api' }),
    node: { hasContainerRuntime: true },
  },
  {
    it: 'refuses one of a cluster where no container runtime will ever have it',
    pod: pod({ runtimeClassName: 'gvisor' }, 'new', { [configSourceAnnotation]: 'api' }),
    reason: 'RuntimeClassNotSupported',
  },
  {
    it: 'refuses a pod that is to have no other groups, where the runtime adds those of the image',
    pod: pod({ securityContext: { supplementalGroupsPolicy: 'Strict' } }),
    node: { cannotLimitGroups: (handler) => handler === '' },
    reason: 'SupplementalGroupsPolicyNotSupported',
    message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
  },
  {
    it: 'takes it where the runtime of its class keeps to that',
    pod: pod({ runtimeClassName: 'host-process', securityContext: { supplementalGroupsPolicy: 'Strict' } }),
    node: { cannotLimitGroups: (handler) => handler === '' },
  },
  { it: 'takes a safe sysctl', pod: withSysctl('net.ipv4.tcp_syncookies') },
  {
    it: 'refuses an unsafe one',
    pod: withSysctl('kernel.panic'),
    reason: 'SysctlForbidden',
    message: 'forbidden sysctl: "kernel.panic" not allowlisted',
  },
  {
    it: 'refuses everything while the node is shutting down',
    pod: staticPod(),
    node: { shuttingDown: true },
    reason: 'NodeShutdown',
    message: 'Pod was rejected as the node is shutting down.',
  },
  ...[
    ['the pod', { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }],
    [
      'the pod, though its containers do without',
      {
        securityContext: { appArmorProfile: { type: 'RuntimeDefault' } },
        containers: [{ name: 'main', securityContext: { appArmorProfile: { type: 'Unconfined' } } }],
      },
    ],
    [
      'a container',
      {
        containers: [
          {
            name: 'main',
            securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'mine' } },
          },
        ],
      },
    ],
    [
      'an init container',
      {
        initContainers: [{ name: 'init', securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }],
      },
    ],
  ].flatMap(([whose, spec]): Case[] => [
    {
      it: `refuses the AppArmor profile of ${whose} on a machine without AppArmor`,
      pod: pod(spec as Partial<PodSpec>),
      node: withoutAppArmor,
      reason: 'AppArmor',
      message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host',
    },
    {
      it: `takes the AppArmor profile of ${whose} on a machine with AppArmor`,
      pod: pod(spec as Partial<PodSpec>),
    },
  ]),
  ...['runtime/default', 'unconfined'].map(
    (profile): Case => ({
      it: `holds a pod against the AppArmor annotation ${profile} on a machine without AppArmor`,
      pod: pod({}, 'new', { 'container.apparmor.security.beta.kubernetes.io/main': profile }),
      node: withoutAppArmor,
      ...(profile !== 'unconfined' && {
        reason: 'AppArmor',
        message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host',
      }),
    }),
  ),
  {
    it: 'takes host processes with an AppArmor profile, as none are put under it',
    pod: pod({ ...confined, runtimeClassName: 'host-process' }),
    node: withoutAppArmor,
  },
  {
    it: 'takes a pod that runs already with an AppArmor profile on a machine without AppArmor',
    pod: { ...pod(confined), status: { phase: 'Running' } },
    node: withoutAppArmor,
  },
  {
    it: 'takes a pod that no AppArmor profile is asked for on a machine without AppArmor',
    pod: pod({ securityContext: { appArmorProfile: { type: 'Unconfined' } } }),
    node: withoutAppArmor,
  },
  {
    it: 'refuses probes that the ROS 2 bridge would answer, when that is off',
    pod: pod({
      containers: [{ name: 'cam', livenessProbe: { exec: { command: ['ros2-probe', 'node', '/cam'] } } }],
    }),
    node: { hasRosBridge: false },
    reason: 'RosProbeNotSupported',
    message:
      'container cam has a ros2-probe probe, which the ROS 2 bridge answers, and that is off (ros.transport: off)',
  },
  ...(
    [
      [
        'on another ROS domain',
        { name: 'ROS_DOMAIN_ID', value: '5' },
        {},
        'its ROS_DOMAIN_ID is 5, and the agent is on domain 0: give both the same (ros.domainId of the agent)',
      ],
      [
        'that nobody discovers',
        { name: 'ROS_AUTOMATIC_DISCOVERY_RANGE', value: 'off' },
        {},
        'its ROS_AUTOMATIC_DISCOVERY_RANGE is OFF',
      ],
      [
        'that stay in their own network',
        { name: 'ROS_LOCALHOST_ONLY', value: '1' },
        {},
        'its ROS 2 discovery stays on the loopback of its own network: let it be SUBNET, or set hostNetwork',
      ],
      ["on the agent's ROS domain", { name: 'ROS_DOMAIN_ID', value: '0' }, {}, undefined],
      ['on a domain that is not known', { name: 'ROS_DOMAIN_ID', value: '$(OTHER)' }, {}, undefined],
      [
        'that stay on this machine, on its network',
        { name: 'ROS_LOCALHOST_ONLY', value: '1' },
        { hostNetwork: true },
        undefined,
      ],
      [
        'another container of which may be heard',
        { name: 'ROS_DOMAIN_ID', value: '5' },
        { initContainers: [{ name: 'other', restartPolicy: 'Always' }] },
        undefined,
      ],
    ] as const
  ).map(([which, env, more, why]) => ({
    it: `${why === undefined ? 'takes' : 'refuses'} probes of the ROS 2 bridge of pods ${which}`,
    pod: pod({
      containers: [
        { name: 'cam', env: [env], livenessProbe: { exec: { command: ['ros2-probe', 'node', '/cam'] } } },
      ],
      ...more,
    } as Partial<PodSpec>),
    node: { rosDomainId: 0 },
    ...(why === undefined
      ? {}
      : {
          reason: 'RosProbeNotSupported',
          message: `container cam has a ros2-probe probe, which the ROS 2 bridge answers, and that cannot hear it: ${why}`,
        }),
  })),
  {
    it: 'refuses pods on a full disk',
    pod: asking({ memory: '1Mi' }),
    node: { pressures: ['DiskPressure'] },
    reason: 'Evicted',
    message: 'The node had condition: [DiskPressure]. ',
  },
  {
    it: 'refuses best-effort pods when memory is short',
    pod: pod(),
    node: { pressures: ['MemoryPressure'] },
    reason: 'Evicted',
  },
  {
    it: 'but not those that asked for theirs',
    pod: asking({ memory: '1Mi' }),
    node: { pressures: ['MemoryPressure'] },
  },
  {
    it: 'nor those that bear it',
    pod: pod({ tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }] }),
    node: { pressures: ['MemoryPressure'] },
  },
  {
    it: 'refuses those that asked for memory when the disk is full, too',
    pod: asking({ memory: '1Mi' }),
    node: { pressures: ['MemoryPressure', 'DiskPressure'] },
    reason: 'Evicted',
    message: 'The node had condition: [MemoryPressure DiskPressure]. ',
  },
  { it: 'takes static pods under pressure', pod: staticPod(), node: { pressures: ['DiskPressure'] } },
  {
    it: 'takes critical pods under pressure',
    pod: pod({ priority: 2_000_000_000 }),
    node: { pressures: ['PIDPressure'] },
  },
];

describe('admit', () => {
  it.each(cases)('$it', ({ pod, active = [], node: more = {}, reason, message }) => {
    const result = admit(pod, active, { ...node, ...more });
    if (reason === undefined) expect(result).toEqual({ admitted: true });
    else expect(result).toMatchObject({ admitted: false, reason, ...(message !== undefined && { message }) });
  });
});
