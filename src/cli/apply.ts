/** `roslet apply`: makes the agent's objects what the manifests say, config maps and secrets before pods. */
import type { ObjectMeta } from '../api/core.gen.ts';
import type { DecodedObject } from '../api/decode.ts';
import { type Client, resourcePath, withQuery } from './client.ts';
import { deleteAndWait } from './delete.ts';
import { ApiRefusal, CliError } from './errors.ts';
import { readManifests, resourceOfKind } from './manifests.ts';
import { print } from './output.ts';
import { visible } from './visible.ts';

export interface ApplyOptions {
  namespace: string;
  filename: string[];
  /** Delete and create anew what cannot be changed in place. */
  force: boolean;
  dryRun: boolean;
}

export async function apply(client: Client, o: ApplyOptions, signal: AbortSignal): Promise<number> {
  const objects = await readManifests(o.filename);
  const inOrder = [
    ...objects.filter((each) => each.kind !== 'Pod'),
    ...objects.filter((each) => each.kind === 'Pod'),
  ];
  let failures = 0;
  for (const object of inOrder) {
    const title = `${object.kind.toLowerCase()}/${object.object.metadata?.name ?? object.object.metadata?.generateName}`;
    try {
      const outcome = await applyOne(client, object, o, signal);
      print(`${title} ${outcome}${o.dryRun ? ' (dry run)' : ''}`);
    } catch (err) {
      if (!(err instanceof ApiRefusal)) throw err;
      process.stderr.write(visible(`${object.file}:${object.line}: ${err.message}\n`));
      failures += 1;
    }
  }
  return failures > 0 ? 1 : 0;
}

interface Stored {
  metadata: ObjectMeta;
}

async function applyOne(
  client: Client,
  { kind, object }: DecodedObject,
  o: ApplyOptions,
  signal: AbortSignal,
): Promise<'created' | 'configured' | 'unchanged' | 'replaced'> {
  const namespace = object.metadata?.namespace ?? o.namespace;
  const name = object.metadata?.name ?? '';
  const resource = resourceOfKind[kind];
  const query = { fieldValidation: 'Strict', dryRun: o.dryRun ? 'All' : '' };
  const collection = withQuery(resourcePath(resource, namespace), query);
  const item = resourcePath(resource, namespace, name);

  const old = name ? await find(client, item) : undefined;
  if (!old) {
    await client.json('POST', collection, object);
    return 'created';
  }
  if (old.metadata.deletionTimestamp) throw new CliError(`${name} is being deleted: wait until it is gone`);
  try {
    const changed = await client.json<Stored>('PUT', withQuery(item, query), object);
    return changed.metadata.resourceVersion === old.metadata.resourceVersion ? 'unchanged' : 'configured';
  } catch (err) {
    if (!(err instanceof ApiRefusal) || err.code !== 422) throw err;
    if (!o.force) throw new ApiRefusal(`${err.message} (--force does that)`, err.reason, err.code);
  }
  if (!o.dryRun) await deleteAndWait(client, { resource, namespace, name }, undefined, signal);
  await client.json('POST', collection, object);
  return 'replaced';
}

async function find(client: Client, path: string): Promise<Stored | undefined> {
  try {
    return await client.json<Stored>('GET', path);
  } catch (err) {
    if (err instanceof ApiRefusal && err.code === 404) return undefined;
    throw err;
  }
}
