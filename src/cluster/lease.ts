/**
 * The node's Lease in kube-node-lease: the heartbeat by which the node controller tells a node that is alive (KEP-589).
 * Renewed at a quarter of its duration; a renewal that failed is tried again sooner.
 */
import type { Node } from '../api/core.gen.ts';
import type { Logger } from '../log.ts';
import { apiPath, type KubeClient, retryDelayMs } from './client.ts';
import { hasStatus } from './errors.ts';
import type { Lease } from './types.ts';

export interface LeaseOptions {
  client: KubeClient;
  nodeName: string;
  durationSeconds: number;
  /** As the API server has it; undefined while it is not registered. */
  node(): Node | undefined;
  now: () => number;
  log: Logger;
}

const periodMsOf = ({ durationSeconds }: LeaseOptions): number => durationSeconds * 250;

/** Runs until the signal aborts. */
export async function keepLease(options: LeaseOptions, signal: AbortSignal): Promise<void> {
  const periodMs = periodMsOf(options);
  let lease: Lease | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let waitMs = periodMs * (1 + Math.random() * 0.04);
    try {
      lease = await renew(options, lease, signal);
      if (failures > 0) options.log.info('the lease of the node is renewed again');
      failures = 0;
    } catch (err) {
      if (signal.aborted) return;
      // Someone else wrote it, or it is gone: the next try reads it anew.
      lease = undefined;
      failures += 1;
      if (failures === 1) options.log.warn({ err }, 'cannot renew the lease of the node, going on trying');
      waitMs = retryDelayMs(failures, err, { initialMs: 200, maxMs: Math.min(periodMs, 7000) });
    }
    await options.client.untilRetry(waitMs, signal);
  }
}

async function renew(options: LeaseOptions, known: Lease | undefined, signal: AbortSignal): Promise<Lease> {
  const { client, nodeName, durationSeconds, now } = options;
  const at = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' };
  const path = apiPath({ ...at, name: nodeName });
  // One that is stuck must leave time for others before the lease runs out.
  const timeoutMs = periodMsOf(options);
  const spec: Lease['spec'] = {
    holderIdentity: nodeName,
    leaseDurationSeconds: durationSeconds,
    // MicroTime
    renewTime: `${new Date(now()).toISOString().slice(0, -1)}000Z`,
  };
  const uid = options.node()?.metadata?.uid;
  const ownerReferences = uid && [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }];
  let lease = known;
  try {
    lease ??= await client.request<Lease>({ path, timeoutMs }, signal);
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
  if (lease === undefined) {
    const body: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: nodeName,
        namespace: at.namespace,
        ...(ownerReferences ? { ownerReferences } : {}),
      },
      spec,
    };
    return client.request<Lease>({ method: 'POST', path: apiPath(at), body, timeoutMs }, signal);
  }
  const body: Lease = {
    ...lease,
    // Without an owner it would outlive the Node.
    metadata: { ...lease.metadata, ...(ownerReferences ? { ownerReferences } : {}) },
    spec: { ...lease.spec, ...spec },
  };
  return client.request<Lease>({ method: 'PUT', path, body, timeoutMs }, signal);
}
