/**
 * What a pod's persistent volume claim comes to on this node: the path of a volume that is `local` or `hostPath`. Other
 * kinds are attached by drivers, which roslet does not have, and are refused with their name.
 */
import type { Pod } from '../api/core.gen.ts';
import { podNamespace, podUid } from '../pods/identity.ts';
import type { ClaimSource } from '../sources/source.ts';
import { apiPath, type KubeClient } from './client.ts';
import type { PersistentVolume, PersistentVolumeClaim } from './types.ts';

/**
 * @param ofPod the claim was made for this very pod by its `ephemeral` volume
 * @throws Error that says what the claim lacks
 */
export async function claimSource(
  client: KubeClient,
  pod: Pod,
  { claimName, ofPod }: { claimName: string; ofPod: boolean },
  signal: AbortSignal,
): Promise<ClaimSource> {
  const namespace = podNamespace(pod);
  const path = apiPath({ resource: 'persistentvolumeclaims', namespace, name: claimName });
  const claim = await client.get<PersistentVolumeClaim>(path, signal).catch((cause: Error) => {
    signal.throwIfAborted();
    throw new Error(`PVC ${namespace}/${claimName} cannot be had: ${cause.message}`, { cause });
  });
  if (
    ofPod &&
    !claim.metadata?.ownerReferences?.some(({ uid, controller }) => controller && uid === podUid(pod))
  )
    throw new Error(`PVC ${namespace}/${claimName} was not created for pod ${pod.metadata?.name}`);
  const { volumeName = '', volumeMode } = claim.spec ?? {};
  if (volumeName === '' || claim.status?.phase !== 'Bound')
    throw new Error(`PVC ${namespace}/${claimName} is not bound to a volume`);
  if (volumeMode === 'Block')
    throw new Error(`PVC ${namespace}/${claimName} is a block device, which is not supported`);
  const volume = await client.get<PersistentVolume>(
    apiPath({ resource: 'persistentvolumes', name: volumeName }),
    signal,
  );
  const { claimRef, local, hostPath, ...rest } = volume.spec ?? {};
  if (claimRef?.uid !== claim.metadata?.uid)
    throw new Error(`PV ${volumeName} is bound to another claim than ${namespace}/${claimName}`);
  if (local !== undefined) return { path: local.path, kind: 'local' };
  if (hostPath !== undefined) return { path: hostPath.path, kind: 'hostPath' };
  const kind = Object.keys(rest).find((field) => sourceKinds.test(field)) ?? 'its kind';
  throw new Error(
    `PV ${volumeName}: no volume plugin matched: roslet has none for ${kind}; use local or hostPath`,
  );
}

const sourceKinds =
  /^(csi|nfs|iscsi|fc|rbd|cephfs|cinder|glusterfs|flexVolume|azure\w+|awsElasticBlockStore|gcePersistentDisk|vsphereVolume|portworxVolume|scaleIO|storageos|quobyte|flocker|photonPersistentDisk)$/;
