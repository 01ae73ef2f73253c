/** What is asked over ROS goes the ways of the Kubernetes API, and what that refuses is the answer. */
import type { Answer, AppliedObject, BridgeAgent, BridgedPod, LogAnswer } from '../../ros/agent-port.ts';
import type { Agent } from '../agent.ts';
import type { Pod } from '../api/core.gen.ts';
import { type DecodedObject, decodeManifest, formatManifestError } from '../api/decode.ts';
import { decodeBody } from '../apiserver/decode-body.ts';
import type { ObjectStore } from '../apiserver/object-store.ts';
import { keyOf, type WritableName } from '../apiserver/resources.ts';
import { labelSelector } from '../apiserver/selectors.ts';
import { resourceOfKind } from '../cli/manifests.ts';
import { readLog } from '../logs/read.ts';
import { podUid } from '../pods/identity.ts';
import type { AgentView } from '../server/agent-view.ts';
import { ApiError } from '../server/errors.ts';
import { checkContainer, defaultContainer, findPod } from '../server/pod-lookup.ts';

export interface RequestsOptions {
  agent: Agent;
  view: AgentView;
  objects: ObjectStore;
  /** As the bridge shows them. */
  pods(selects: (pod: Pod) => boolean): BridgedPod[];
  signal: AbortSignal;
}

/** What an answer may hold; a message of ROS is kept in memory by everybody it passes. */
const maxLogBytes = 1024 * 1024;

export function bridgeRequests(
  o: RequestsOptions,
): Pick<BridgeAgent, 'apply' | 'remove' | 'selectPods' | 'logs' | 'restart'> {
  return {
    async apply(manifest, isDryRun) {
      const { errors, objects } = decodeManifest(manifest, 'manifest');
      if (errors.length > 0)
        return { success: false, message: errors.map(formatManifestError).join('\n'), objects: [] };
      if (objects.length === 0)
        return { success: false, message: 'the manifest holds no objects', objects: [] };
      const results = new Map<DecodedObject, AppliedObject>();
      // What pods need comes first; the answer is in the order of the manifest.
      const inOrder = [...objects].sort((a, b) => Number(a.kind === 'Pod') - Number(b.kind === 'Pod'));
      for (const object of inOrder) results.set(object, await applyOne(o.objects, object, isDryRun));
      const applied = objects.flatMap((object) => results.get(object) ?? []);
      return { success: applied.every(({ result }) => result !== 'refused'), message: '', objects: applied };
    },
    remove: (namespace, name, gracePeriodSeconds) =>
      answered(async () => {
        await o.objects.delete(
          'pods',
          namespace,
          name,
          gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
        );
      }),
    selectPods(text) {
      try {
        const selects = labelSelector(text);
        return { success: true, message: '', pods: o.pods(selects) };
      } catch (err) {
        return { success: false, message: refusal(err), pods: [] };
      }
    },
    async logs({ container, name, namespace, previous, tailLines }) {
      const found: LogAnswer = { success: true, message: '', lines: [], isTruncated: false };
      const answer = await answered(async () => {
        const pod = findPod(o.view, namespace, name);
        const wanted = container === '' ? defaultContainer(pod) : container;
        checkContainer(pod, wanted);
        const path = await o.view.containerLogPath(podUid(pod), wanted, previous);
        if (path === undefined)
          throw new ApiError(
            'BadRequest',
            `container ${wanted} has not ${previous ? 'run before' : 'started yet'}`,
          );
        Object.assign(found, await lastLines(path, tailLines, o.signal));
      });
      return { ...found, ...answer };
    },
    restart(namespace, name, container) {
      try {
        const pod = findPod(o.view, namespace, name);
        if (container !== '') checkContainer(pod, container);
        return o.agent.control.restart(podUid(pod), container === '' ? undefined : [container]);
      } catch (err) {
        return { success: false, message: refusal(err) };
      }
    },
  };
}

async function applyOne(
  objects: ObjectStore,
  { kind, object }: DecodedObject,
  dryRun: boolean,
): Promise<AppliedObject> {
  const resource: WritableName = resourceOfKind[kind];
  const { name = '', namespace = 'default' } = object.metadata ?? {};
  const about = { kind, namespace, name };
  try {
    const { object: wanted } = decodeBody(resource, object, namespace, 'Strict');
    const old = objects.cache.get(resource, keyOf(namespace, name));
    if (old === undefined) {
      await objects.create(resource, wanted, { dryRun });
      return { ...about, result: 'created', message: '' };
    }
    const next = await objects.update(resource, namespace, name, () => wanted, { dryRun });
    const isSame = next.metadata?.resourceVersion === old.metadata?.resourceVersion && next === old;
    return { ...about, result: isSame ? 'unchanged' : 'changed', message: '' };
  } catch (err) {
    return { ...about, result: 'refused', message: refusal(err) };
  }
}

async function answered(act: () => Promise<void>): Promise<Answer> {
  try {
    await act();
    return { success: true, message: '' };
  } catch (err) {
    return { success: false, message: refusal(err) };
  }
}

/** Only what was refused is an answer; a defect is told by the log. */
function refusal(err: unknown): string {
  if (err instanceof ApiError) return err.message;
  throw err;
}

async function lastLines(
  path: string,
  tailLines: number,
  signal: AbortSignal,
): Promise<Pick<LogAnswer, 'lines' | 'isTruncated'>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // One more than wanted, to know whether there are more.
  for await (const chunk of readLog(path, { tailLines: tailLines + 1, timestamps: true }, signal)) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Of what is cut in the end only so much is kept as tells that it was.
    while (bytes - chunks[0]!.length > maxLogBytes) bytes -= chunks.shift()!.length;
  }
  const all = Buffer.concat(chunks);
  const text = all.subarray(Math.max(all.length - maxLogBytes, 0)).toString('utf8');
  const rows = text.split('\n').filter((line) => line !== '');
  // The first one may have been cut.
  if (all.length > maxLogBytes) rows.shift();
  const lines = rows.slice(-tailLines).map((row) => {
    const end = row.indexOf(' ');
    return { stampMs: Date.parse(row.slice(0, end)), text: row.slice(end + 1) };
  });
  return { lines, isTruncated: all.length > maxLogBytes || rows.length > tailLines };
}
