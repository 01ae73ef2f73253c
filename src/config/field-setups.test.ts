/**
 * How kubelets are started in the field (Kubernetes 1.30 to 1.34): the flags and the fields that each kind of cluster
 * sets, in files of our own with values of our own. None may be refused but for what is named here.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from './load.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roslet-field-'));
  await writeFile(join(dir, 'providers.json'), JSON.stringify(providers));
  await writeFile(join(dir, 'provider'), '', { mode: 0o755 });
});
afterEach(() => rm(dir, { recursive: true }));

/** Clouds have no credentials for their registries on disk. */
const providers = {
  apiVersion: 'kubelet.config.k8s.io/v1',
  kind: 'CredentialProviderConfig',
  providers: [
    {
      name: 'provider',
      matchImages: ['*.registry.example'],
      defaultCacheDuration: '12h',
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
    },
  ],
};
const providerFlags =
  '--image-credential-provider-config=DIR/providers.json --image-credential-provider-bin-dir=DIR';

interface Setup {
  flags: string;
  /** Of KubeletConfiguration. */
  fields: Record<string, unknown>;
  /** Fields and flags that are told to have no effect. */
  warned: string[];
}

const authentication = {
  anonymous: { enabled: false },
  webhook: { enabled: true, cacheTTL: '2m0s' },
  x509: { clientCAFile: '/etc/kubernetes/pki/ca.crt' },
};
const authorization = {
  mode: 'Webhook',
  webhook: { cacheAuthorizedTTL: '5m0s', cacheUnauthorizedTTL: '30s' },
};
const dns = { clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local' };
const containerd = 'unix:///run/containerd/containerd.sock';

/** What a Go program writes that fills in nothing: kubeadm, Talos, OpenShift. */
const zeros = {
  authentication: { ...authentication, webhook: { enabled: true, cacheTTL: '0s' } },
  authorization: { mode: 'Webhook', webhook: { cacheAuthorizedTTL: '0s', cacheUnauthorizedTTL: '0s' } },
  cpuManagerReconcilePeriod: '0s',
  crashLoopBackOff: {},
  evictionPressureTransitionPeriod: '0s',
  fileCheckFrequency: '0s',
  httpCheckFrequency: '0s',
  imageMaximumGCAge: '0s',
  imageMinimumGCAge: '0s',
  logging: {
    flushFrequency: 0,
    options: { json: { infoBufferSize: '0' }, text: { infoBufferSize: '0' } },
    verbosity: 0,
  },
  memorySwap: {},
  nodeStatusReportFrequency: '0s',
  nodeStatusUpdateFrequency: '0s',
  runtimeRequestTimeout: '0s',
  shutdownGracePeriod: '0s',
  shutdownGracePeriodCriticalPods: '0s',
  streamingConnectionIdleTimeout: '0s',
  syncFrequency: '0s',
  volumeStatsAggPeriod: '0s',
};

const setups: Record<string, Setup> = {
  kubeadm: {
    flags: `--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf
      --container-runtime-endpoint=unix:///var/run/containerd/containerd.sock --hostname-override=node-1
      --node-ip=10.0.0.7 --pod-infra-container-image=registry.k8s.io/pause:3.10 --node-labels=fleet=a
      --register-with-taints=node-role.kubernetes.io/control-plane=:NoSchedule`,
    fields: {
      ...zeros,
      ...dns,
      cgroupDriver: 'systemd',
      containerRuntimeEndpoint: '',
      healthzBindAddress: '127.0.0.1',
      healthzPort: 10248,
      resolvConf: '/run/systemd/resolve/resolv.conf',
      rotateCertificates: true,
      staticPodPath: '/etc/kubernetes/manifests',
    },
    warned: [],
  },
  'kind and minikube': {
    flags: `--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf
      --hostname-override=kind --node-ip=172.18.0.2 --provider-id=kind://docker/kind/kind --runtime-cgroups=/system.slice
      --fail-swap-on=false --cgroup-root=/kubelet --container-runtime-endpoint=${containerd}`,
    fields: {
      ...zeros,
      ...dns,
      cgroupRoot: '/kubelet',
      evictionHard: { 'imagefs.available': '0%', 'nodefs.available': '0%', 'nodefs.inodesFree': '0%' },
      failSwapOn: false,
      hairpinMode: 'hairpin-veth',
      imageGCHighThresholdPercent: 100,
      runtimeRequestTimeout: '15m0s',
      staticPodPath: '/etc/kubernetes/manifests',
    },
    warned: [],
  },
  Kubespray: {
    flags: `--v=2 --kubeconfig=/etc/kubernetes/kubelet.conf
      --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --runtime-cgroups=/system.slice/containerd.service
      --hostname-override=n --node-ip=10.0.0.7`,
    fields: {
      ...dns,
      authentication,
      authorization,
      containerLogMaxSize: '10Mi',
      containerRuntimeEndpoint: containerd,
      enforceNodeAllocatable: ['pods'],
      eventRecordQPS: 50,
      kubeletCgroups: '/system.slice/kubelet.service',
      kubeReserved: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '500Mi', pid: '1000' },
      kubeReservedCgroup: '/kube.slice',
      makeIPTablesUtilChains: true,
      maxPods: 110,
      podPidsLimit: -1,
      protectKernelDefaults: true,
      readOnlyPort: 0,
      resolvConf: '/etc/resolv.conf',
      rotateCertificates: true,
      shutdownGracePeriod: '60s',
      shutdownGracePeriodCriticalPods: '20s',
      streamingConnectionIdleTimeout: '1h0m0s',
      tlsCipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
      topologyManagerPolicy: 'none',
      topologyManagerScope: 'container',
    },
    warned: ['makeIPTablesUtilChains', 'shutdownGracePeriod', 'shutdownGracePeriodCriticalPods'],
  },
  'k3s and RKE2': {
    flags: `--address=0.0.0.0 --allowed-unsafe-sysctls=net.ipv4.ip_forward,net.ipv6.conf.all.forwarding
      --anonymous-auth=false --authentication-token-webhook=true --authorization-mode=Webhook
      --client-ca-file=/var/lib/rancher/k3s/agent/client-ca.crt --cloud-provider=external --cluster-dns=10.43.0.10
      --cluster-domain=cluster.local --container-runtime-endpoint=unix:///run/k3s/containerd/containerd.sock
      --containerd=/run/k3s/containerd/containerd.sock --eviction-hard=imagefs.available<5%,nodefs.available<5%
      --eviction-minimum-reclaim=imagefs.available=10%,nodefs.available=10% --fail-swap-on=false
      --healthz-bind-address=127.0.0.1 --hostname-override=n --kubelet-cgroups=/k3s --runtime-cgroups=/k3s
      --kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig --node-ip=10.0.0.7 --node-labels=a=b
      --pod-infra-container-image=rancher/mirrored-pause:3.6 --read-only-port=0 --serialize-image-pulls=false
      --pod-manifest-path=/var/lib/rancher/k3s/agent/pod-manifests --resolv-conf=/run/systemd/resolve/resolv.conf
      --tls-cert-file=/a.crt --tls-private-key-file=/a.key --feature-gates=CloudDualStackNodeIPs=true`,
    fields: {},
    warned: ['featureGates'],
  },
  Talos: {
    flags: `--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubeconfig --kubeconfig=/etc/kubernetes/kubeconfig-kubelet
      --cert-dir=/var/lib/kubelet/pki --hostname-override=n --node-ip=10.5.0.2 --cloud-provider=external`,
    fields: {
      ...zeros,
      ...dns,
      cgroupRoot: '/',
      enforceNodeAllocatable: ['pods'],
      failSwapOn: false,
      kubeletCgroups: '/podruntime/kubelet',
      logging: { format: 'json', flushFrequency: 0, verbosity: 0 },
      oomScoreAdj: -450,
      protectKernelDefaults: true,
      rotateCertificates: true,
      seccompDefault: true,
      shutdownGracePeriod: '30s',
      shutdownGracePeriodCriticalPods: '10s',
      staticPodURL: 'http://127.0.0.1:12345',
      systemCgroups: '/system',
      systemReserved: { cpu: '50m', memory: '384Mi', 'ephemeral-storage': '256Mi', pid: '100' },
      systemReservedCgroup: '/system',
      tlsMinVersion: 'VersionTLS13',
    },
    warned: ['shutdownGracePeriod', 'shutdownGracePeriodCriticalPods', 'staticPodURL'],
  },
  'EKS (nodeadm, Bottlerocket)': {
    flags: `--cloud-provider=external --hostname-override=ip-10-0-0-7.ec2.internal --node-ip=10.0.0.7 --v=2
      --config-dir=DIR --kubeconfig=/var/lib/kubelet/kubeconfig --node-labels=eks.amazonaws.com/nodegroup=a
      ${providerFlags}`,
    fields: {
      ...dns,
      authentication,
      authorization,
      address: '0.0.0.0',
      cgroupRoot: '/',
      containerRuntimeEndpoint: containerd,
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%', 'nodefs.inodesFree': '5%' },
      featureGates: { RotateKubeletServerCertificate: true },
      hairpinMode: 'hairpin-veth',
      kubeAPIQPS: 50,
      kubeAPIBurst: 100,
      kubeReserved: { cpu: '70m', memory: '442Mi', 'ephemeral-storage': '1Gi' },
      kubeReservedCgroup: '/runtime',
      logging: { verbosity: 2 },
      maxParallelImagePulls: 10,
      maxPods: 29,
      protectKernelDefaults: true,
      providerID: 'aws:///eu-west-1a/i-1',
      readOnlyPort: 0,
      registerWithTaints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }],
      serializeImagePulls: false,
      serverTLSBootstrap: true,
      shutdownGracePeriod: '45s',
      shutdownGracePeriodCriticalPods: '15s',
      systemReservedCgroup: '/system',
      tlsCipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'TLS_RSA_WITH_AES_256_GCM_SHA384'],
      topologyManagerPolicy: 'none',
    },
    warned: ['featureGates', 'shutdownGracePeriod', 'shutdownGracePeriodCriticalPods'],
  },
  GKE: {
    flags: `--v=2 --cloud-provider=external --cert-dir=/var/lib/kubelet/pki/ --max-pods=110 --registry-qps=10
      --kubeconfig=/var/lib/kubelet/kubeconfig --bootstrap-kubeconfig=/var/lib/kubelet/bootstrap-kubeconfig
      --experimental-mounter-path=/home/kubernetes/mounter --node-status-max-images=25 --registry-burst=20
      --volume-plugin-dir=/home/kubernetes/flexvolume --container-runtime-endpoint=${containerd} --register-with-taints=
      --runtime-cgroups=/system.slice/containerd.service --node-labels=a=b --hostname-override=n
      ${providerFlags}`,
    fields: {
      ...dns,
      authentication,
      authorization,
      cgroupRoot: '/',
      enableDebuggingHandlers: true,
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%', 'pid.available': '10%' },
      featureGates: { ExecProbeTimeout: false },
      kernelMemcgNotification: true,
      kubeReserved: { cpu: '1060m', memory: '1019Mi', 'ephemeral-storage': '41Gi' },
      podPidsLimit: 1048576,
      readOnlyPort: 10255,
      serverTLSBootstrap: true,
      staticPodPath: '/etc/kubernetes/manifests',
    },
    warned: ['experimental-mounter-path', 'featureGates'],
  },
  AKS: {
    flags: `--bootstrap-kubeconfig=/var/lib/kubelet/bootstrap-kubeconfig --kubeconfig=/var/lib/kubelet/kubeconfig
      --address=0.0.0.0 --anonymous-auth=false --authentication-token-webhook=true --authorization-mode=Webhook
      --azure-container-registry-config=/etc/kubernetes/azure.json --cgroups-per-qos=true --cloud-config=
      --client-ca-file=/etc/kubernetes/certs/ca.crt --cloud-provider=external --cluster-dns=10.0.0.10
      --cluster-domain=cluster.local --container-log-max-size=50M --enforce-node-allocatable=pods --event-qps=0
      --eviction-hard=memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,pid.available<2000
      --image-gc-high-threshold=85 --image-gc-low-threshold=80 --keep-terminated-pod-volumes=false --max-pods=30
      --kube-reserved=cpu=100m,memory=1843Mi,pid=1000 --node-status-update-frequency=10s --pod-max-pids=-1
      --pod-infra-container-image=mcr.microsoft.com/pause:3.6 --pod-manifest-path=/etc/kubernetes/manifests
      --protect-kernel-defaults=true --read-only-port=0 --resolv-conf=/run/systemd/resolve/resolv.conf
      --rotate-certificates=true --rotate-server-certificates=true --serialize-image-pulls=false
      --streaming-connection-idle-timeout=4h --node-labels=agentpool=a --runtime-request-timeout=15m
      --tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_GCM_SHA256
      --container-runtime-endpoint=${containerd} --runtime-cgroups=/system.slice/containerd.service ${providerFlags}`,
    fields: {},
    warned: ['azure-container-registry-config'],
  },
  'OpenShift (CRI-O)': {
    flags: `--bootstrap-kubeconfig=/etc/kubernetes/kubeconfig --kubeconfig=/var/lib/kubelet/kubeconfig --v=2
      --container-runtime-endpoint=/var/run/crio/crio.sock --runtime-cgroups=/system.slice/crio.service
      --node-labels=node-role.kubernetes.io/worker,node.openshift.io/os_id=rhel --node-ip= --cloud-provider=
      --hostname-override= --provider-id= --register-with-taints= --pod-infra-container-image=quay.io/pause
      --minimum-container-ttl-duration=6m0s --system-reserved=cpu=500m,memory=1Gi,ephemeral-storage=1Gi
      --volume-plugin-dir=/etc/kubernetes/kubelet-plugins/volume/exec`,
    fields: {
      ...zeros,
      ...dns,
      cgroupRoot: '/',
      containerLogMaxSize: '50Mi',
      enableSystemLogQuery: true,
      enforceNodeAllocatable: [],
      kubeAPIQPS: 50,
      kubeAPIBurst: 100,
      logging: { flushFrequency: 5_000_000_000, verbosity: 2 },
      maxPods: 250,
      nodeStatusReportFrequency: '5m0s',
      podPidsLimit: 4096,
      protectKernelDefaults: true,
      rotateCertificates: true,
      serializeImagePulls: false,
      serverTLSBootstrap: true,
      staticPodPath: '/etc/kubernetes/manifests',
      systemCgroups: '/system.slice',
      systemReserved: { 'ephemeral-storage': '1Gi' },
      systemReservedCgroup: '/system.slice',
      tlsCipherSuites: [
        'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
        'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256',
        'TLS_AES_128_GCM_SHA256',
      ],
      tlsMinVersion: 'VersionTLS12',
    },
    warned: ['enableSystemLogQuery', 'minimum-container-ttl-duration'],
  },
  'kOps, k0s and MicroK8s': {
    flags: `--kubeconfig=/var/snap/microk8s/current/credentials/kubelet.config --cert-dir=/var/snap/certs -v2
      --client-ca-file=/var/snap/certs/ca.crt --anonymous-auth=false --root-dir=/var/snap/common/var/lib/kubelet
      --fail-swap-on=false --eviction-hard=memory.available<100Mi,nodefs.available<1Gi,imagefs.available<1Gi
      --container-runtime-endpoint=unix:///var/snap/containerd.sock --containerd=/var/snap/containerd.sock
      --authentication-token-webhook=true --cluster-dns=10.152.183.10 --cluster-domain=cluster.local
      --serialize-image-pulls=false --read-only-port=0 --hostname-override=n
      --tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384`,
    fields: {
      authorization,
      containerLogMaxFiles: 5,
      enableSystemLogHandler: true,
      kubeReservedCgroup: 'system.slice',
      kubeletCgroups: '/system.slice/containerd.service',
      registerNode: true,
      shutdownGracePeriod: '30s',
      shutdownGracePeriodCriticalPods: '10s',
      volumePluginDir: '/usr/libexec/k0s/kubelet-plugins/volume/exec',
    },
    warned: ['shutdownGracePeriod', 'shutdownGracePeriodCriticalPods'],
  },
};

/** The names that are told to have no effect. */
async function start({ flags, fields }: Pick<Setup, 'flags' | 'fields'>) {
  const file = join(dir, 'config.yaml');
  const document = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...fields };
  await writeFile(file, JSON.stringify(document));
  const words = flags.replaceAll('DIR', dir).split(/\s+/);
  const { config, warnings } = await loadConfig([...words, `--config=${file}`]);
  const warned = warnings.map((warning) => /(?:--|: )([\w.-]+) is known/.exec(warning)?.[1] ?? warning);
  return { config, warned: warned.sort() };
}

describe('the kubelet of a cluster starts roslet', () => {
  test.each(Object.entries(setups))('of %s', async (_, setup) => {
    const { config, warned } = await start(setup);
    expect(warned).toEqual(setup.warned);
    expect(config.cluster?.kubeconfig).toMatch(/kube/);
    expect(config.streamIdleMs).toBeGreaterThan(0);
  });

  test('with the labels that have no value', async () => {
    const { config } = await start(setups['OpenShift (CRI-O)']!);
    expect(config.nodeLabels).toEqual({
      'node-role.kubernetes.io/worker': '',
      'node.openshift.io/os_id': 'rhel',
    });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['CPUs of their own', { cpuManagerPolicy: 'static' }, 'cpuManagerPolicy must be none'],
    ['memory of their own', { memoryManagerPolicy: 'Static' }, 'memoryManagerPolicy must be None'],
    [
      'another image service',
      { imageServiceEndpoint: 'unix:///run/other.sock' },
      'imageServiceEndpoint must be that of the runtime',
    ],
    ['TLS before 1.2', { tlsMinVersion: 'VersionTLS10' }, 'tlsMinVersion must be one of'],
    ['ciphers that are broken', { tlsCipherSuites: ['TLS_RSA_WITH_3DES_EDE_CBC_SHA'] }, 'tlsCipherSuites'],
  ])('but is refused with %s', async (_, fields, message) => {
    await expect(start({ flags: setups.kubeadm!.flags, fields })).rejects.toThrow(message);
  });

  test('with the runtime as the image service, and no policies', async () => {
    const fields = {
      imageServiceEndpoint: containerd,
      cpuManagerPolicy: 'none',
      memoryManagerPolicy: 'None',
    };
    const endpoint = `--container-runtime-endpoint=${containerd}`;
    const { warned } = await start({ flags: `--kubeconfig=/k ${endpoint}`, fields });
    expect(warned).toEqual([]);
  });

  test('but is refused with a cloud provider that is built in', async () => {
    const flags = `${setups.kubeadm!.flags} --cloud-provider=aws`;
    await expect(start({ flags, fields: {} })).rejects.toThrow('--cloud-provider: must be external');
  });

  test('and a time limit of 0 is meant as a flag, and not in a file', async () => {
    const fields = { streamingConnectionIdleTimeout: '0s' };
    const { flags } = setups.kubeadm!;
    expect((await start({ flags, fields })).config.streamIdleMs).toBe(4 * 3600_000);
    const never = `${flags} --streaming-connection-idle-timeout=0`;
    expect((await start({ flags: never, fields })).config.streamIdleMs).toBe(0);
  });
});
