/** How hooks and probes get at a container: the addresses of its pod, and commands inside it. */
import type { Runtime } from '../../../runtime/runtime.ts';
import type { Pod } from '../../api/core.gen.ts';
import type { ExecInContainer } from '../../probes/exec.ts';
import { type ActualPod, currentSandbox } from '../actual.ts';

/** The main one first; none while there is no sandbox. */
export const podIps = (pod: Pod, actual: ActualPod, hostIps: readonly string[]): readonly string[] =>
  pod.spec?.hostNetwork === true ? hostIps : (currentSandbox(actual)?.ips ?? []);

export const execIn =
  (runtime: Pick<Runtime, 'execSync'>, containerId: string): ExecInContainer =>
  (command, timeoutMs, signal) =>
    runtime.execSync(containerId, command, timeoutMs, signal);
