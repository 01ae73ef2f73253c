/** Counts and times the calls to a runtime, under the kubelet's metric and operation names. */
import type { ImageService, Runtime } from '../runtime/runtime.ts';
import type { Metrics } from './metrics/metrics.ts';

export function instrumentedRuntime(runtime: Runtime, metrics: Metrics): Runtime {
  const images = runtime.images === null ? null : instrumented(runtime.images, imageOperations, metrics);
  const wrapped = instrumented(runtime, operations, metrics);
  const runPodSandbox: Runtime['runPodSandbox'] = async (config, runtime_handler, signal) => {
    const startedMs = performance.now();
    try {
      return await wrapped.runPodSandbox(config, runtime_handler, signal);
    } catch (err) {
      metrics.count('kubelet_run_podsandbox_errors_total', { runtime_handler });
      throw err;
    } finally {
      const seconds = (performance.now() - startedMs) / 1000;
      metrics.observe('kubelet_run_podsandbox_duration_seconds', seconds, { runtime_handler });
    }
  };
  const own = { images, runPodSandbox };
  return new Proxy(wrapped, {
    get: (target, name, receiver) =>
      Object.hasOwn(own, name) ? own[name as keyof typeof own] : Reflect.get(target, name, receiver),
  });
}

/** Calls that the kubelet has a name for; the others pass through uncounted. */
const operations: Readonly<Partial<Record<keyof Runtime, string>>> = {
  version: 'version',
  status: 'status',
  runPodSandbox: 'run_podsandbox',
  stopPodSandbox: 'stop_podsandbox',
  removePodSandbox: 'remove_podsandbox',
  podSandboxStatus: 'podsandbox_status',
  listPodSandbox: 'list_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  stopContainer: 'stop_container',
  removeContainer: 'remove_container',
  listContainers: 'list_containers',
  containerStatus: 'container_status',
  updateContainerResources: 'update_container',
  reopenContainerLog: 'reopen_container_log',
  checkpointContainer: 'checkpoint_container',
  execSync: 'exec_sync',
  exec: 'exec',
  attach: 'attach',
  portForward: 'port_forward',
  containerStats: 'container_stats',
  listContainerStats: 'list_container_stats',
};

const imageOperations: Readonly<Partial<Record<keyof ImageService, string>>> = {
  listImages: 'list_images',
  imageStatus: 'image_status',
  pullImage: 'pull_image',
  removeImage: 'remove_image',
  imageFsInfo: 'image_fs_info',
};

type Call = (...args: unknown[]) => Promise<unknown>;

function instrumented<T extends object>(
  target: T,
  names: Readonly<Partial<Record<keyof T, string>>>,
  metrics: Metrics,
): T {
  const calls = new Map<PropertyKey, Call>();
  return new Proxy(target, {
    get(_, name) {
      const operation = names[name as keyof T];
      const value: unknown = Reflect.get(target, name);
      if (operation === undefined) return typeof value === 'function' ? value.bind(target) : value;
      const known = calls.get(name);
      if (known !== undefined) return known;
      const call = timed((value as Call).bind(target), operation, metrics);
      calls.set(name, call);
      return call;
    },
  });
}

function timed(call: Call, operation: string, metrics: Metrics): Call {
  const labels = { operation_type: operation };
  return async (...args) => {
    const startedMs = performance.now();
    metrics.count('kubelet_runtime_operations_total', labels);
    try {
      return await call(...args);
    } catch (err) {
      metrics.count('kubelet_runtime_operations_errors_total', labels);
      throw err;
    } finally {
      metrics.observe(
        'kubelet_runtime_operations_duration_seconds',
        (performance.now() - startedMs) / 1000,
        labels,
      );
    }
  };
}
