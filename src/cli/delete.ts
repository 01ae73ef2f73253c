/** `roslet delete`: deletes pods, or the objects of manifests, and waits until they are gone. */
import type { ObjectMeta } from '../api/core.gen.ts';
import { type Client, resourcePath } from './client.ts';
import { ApiRefusal, CliError } from './errors.ts';
import { readManifests, resourceOfKind } from './manifests.ts';
import { print } from './output.ts';
import { visible } from './visible.ts';

export interface DeletionOptions {
  namespace: string;
  names: string[];
  filename?: string[];
  /** Seconds. */
  gracePeriod?: number;
  force: boolean;
  wait: boolean;
}

export interface ObjectAddress {
  resource: string;
  namespace: string;
  name: string;
}

export async function deleteObjects(
  client: Client,
  o: DeletionOptions,
  signal: AbortSignal,
): Promise<number> {
  const addresses = await addressesOf(o);
  const gracePeriod = o.force ? 0 : o.gracePeriod;
  let failures = 0;
  const deleteOne = async (address: ObjectAddress): Promise<void> => {
    try {
      if (o.wait) await deleteAndWait(client, address, gracePeriod, signal);
      else await sendDelete(client, address, gracePeriod);
      print(`${address.resource.replace(/s$/, '')} "${address.name}" deleted`);
    } catch (err) {
      if (!(err instanceof ApiRefusal)) throw err;
      process.stderr.write(visible(`${err.message}\n`));
      failures += 1;
    }
  };
  await Promise.all(addresses.map(deleteOne));
  return failures > 0 ? 1 : 0;
}

/** @throws ApiRefusal when there is no such object */
export async function deleteAndWait(
  client: Client,
  address: ObjectAddress,
  gracePeriod: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { resource, namespace, name } = address;
  const uid = await sendDelete(client, address, gracePeriod);
  const query = { fieldSelector: `metadata.name=${name}` };
  let isThere = false;
  for await (const event of client.watch(resourcePath(resource, namespace), query)) {
    if (event.type === 'SYNC') {
      if (!isThere) return;
    } else if (event.object.metadata?.uid !== uid) continue;
    else if (event.type === 'DELETED') return;
    else isThere = true;
  }
  signal.throwIfAborted();
}

/** Returns the uid of what is going. */
async function sendDelete(
  client: Client,
  { resource, namespace, name }: ObjectAddress,
  gracePeriodSeconds: number | undefined,
): Promise<string | undefined> {
  const answer = await client.json<{ metadata?: ObjectMeta; details?: { uid?: string } }>(
    'DELETE',
    resourcePath(resource, namespace, name),
    { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds },
  );
  return answer.details?.uid ?? answer.metadata?.uid;
}

async function addressesOf(o: DeletionOptions): Promise<ObjectAddress[]> {
  if ((o.names.length === 0) === (o.filename === undefined)) {
    throw new CliError('name the pods to delete, or give manifests with -f');
  }
  if (!o.filename) return o.names.map((name) => ({ resource: 'pods', namespace: o.namespace, name }));
  const objects = await readManifests(o.filename);
  return objects.map(({ kind, object }) => ({
    resource: resourceOfKind[kind],
    namespace: object.metadata?.namespace ?? o.namespace,
    name: object.metadata?.name ?? '',
  }));
}
