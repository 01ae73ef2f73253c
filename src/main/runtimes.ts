/** The runtimes of this machine, chosen by configuration and by what is there. */
import { existsSync } from 'node:fs';
import type { Runtime } from '../../runtime/runtime.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { instrumentedRuntime } from '../instrumented-runtime.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Paths } from '../paths.ts';
import { RuntimeSet } from '../pods/runtimes.ts';
import { program } from '../programs.ts';

/** @param usedCri whether pods of an earlier life of the agent run in a container engine, started or not by now */
export async function openRuntimes(
  config: AgentConfig,
  { usedCri, paths, metrics, log }: { usedCri: boolean; paths: Paths; metrics: Metrics; log: Logger },
  signal: AbortSignal,
): Promise<RuntimeSet> {
  const endpoint = config.containerRuntimeEndpoint;
  const socket = endpoint.replace(/^unix:\/\//, '');
  const useCri = config.runtime === 'cri' || (config.runtime === 'auto' && (usedCri || existsSync(socket)));
  let cri: Runtime | undefined;
  if (useCri) {
    const { criRuntime } = await import('../../runtime/cri/index.ts');
    cri = await criRuntime({
      endpoint,
      log,
      relayPath: program('roslet-cri-relay'),
      requestTimeoutMs: config.runtimeRequestTimeoutMs,
      signal,
    });
  }
  const { processRuntime } = await import('../../runtime/process/index.ts');
  const process = processRuntime({
    stateDir: paths.processDir,
    ociPath: program('roslet-oci'),
    log,
    hiddenPaths: [config.rootDir],
  });
  return new RuntimeSet({
    process: instrumentedRuntime(process, metrics),
    ...(cri === undefined ? {} : { cri: instrumentedRuntime(cri, metrics) }),
    default: useCri ? 'cri' : 'process',
  });
}
