/** Run by cni.test.ts in a network namespace of its own: one pod through CNI, told as JSON on standard output. */
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { processRuntime } from '../../runtime/process/index.ts';
import { silentLogger } from '../../src/log.ts';

const [workDir = '', ociPath = '', cgroupParent = ''] = process.argv.slice(2);
const open = () =>
  processRuntime({
    stateDir: join(workDir, 'process'),
    ociPath,
    log: silentLogger(),
    cniConfDir: join(workDir, 'net.d'),
  });
const runtime = open();
const leased = (): string[] => readdirSync(join(workDir, 'ipam', 'pods')).filter((name) => /^\d/.test(name));
const devices = (): string[] => Object.keys(networkInterfaces()).filter((name) => name !== 'lo');

const id = await runtime.runPodSandbox(
  {
    metadata: { name: 'pod', namespace: 'default', uid: 'uid', attempt: 0 },
    hostname: 'pod',
    logDirectory: workDir,
    portMappings: [{ protocol: 'TCP', containerPort: 80, hostPort: 18080, hostIp: '' }],
    labels: {},
    annotations: {},
    cgroupParent,
    sysctls: {},
    securityContext: {
      namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
      readonlyRootfs: false,
      supplementalGroups: [],
      privileged: false,
      seccomp: { type: 'RuntimeDefault' },
    },
  },
  '',
);
const running = {
  ips: (await runtime.podSandboxStatus(id)).ips,
  leased: leased(),
  devices: devices().length,
};
// Taken down by an adapter that knows only what is on disk.
const later = open();
await later.stopPodSandbox(id);
const stopped = { ips: (await later.podSandboxStatus(id)).ips, leased: leased(), devices: devices().length };
await later.removePodSandbox(id);
console.log(JSON.stringify({ running, stopped }));
