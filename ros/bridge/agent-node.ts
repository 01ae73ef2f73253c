/** The services of the agent's own node: the requests that kubectl and the command line can make, too. */

import { podName, podNamespace } from '../../src/pods/identity.ts';
import type { BridgeAgent, BridgedPod } from '../agent-port.ts';
import {
  Apply,
  Delete,
  List,
  Logs,
  ObjectResult,
  type PodStatus,
  Restart,
} from '../messages/gen/roslet_msgs.ts';
import type { RosNode } from '../transport.ts';
import { type Access, refusal } from './access.ts';
import { timeOf } from './time.ts';

/** An answer travels as one message. */
const maxLogLines = 10_000;

const results = {
  created: ObjectResult.RESULT_CREATED,
  changed: ObjectResult.RESULT_CHANGED,
  unchanged: ObjectResult.RESULT_UNCHANGED,
  refused: ObjectResult.RESULT_REFUSED,
} as const;

export function serveAgent(
  node: RosNode,
  prefix: string,
  agent: BridgeAgent,
  statusOf: (pod: BridgedPod) => PodStatus,
  access: Access,
): void {
  node.createService(`${prefix}/apply`, Apply, async ({ dry_run, manifest }) => {
    const refused = refusal(access, 'all');
    if (refused !== undefined) return { ...refused, results: [] };
    const { message, objects, success } = await agent.apply(manifest, dry_run);
    return {
      success,
      message,
      results: objects.map(({ kind, message, name, namespace, result }) => ({
        kind,
        object_namespace: namespace,
        object_name: name,
        result: results[result],
        message,
      })),
    };
  });
  node.createService(
    `${prefix}/delete`,
    Delete,
    ({ grace_period_seconds: grace, pod_name, pod_namespace }) =>
      refusal(access, 'control') ??
      agent.remove(namespaceOf(pod_namespace), pod_name, grace < 0 ? undefined : grace),
  );
  node.createService(`${prefix}/list`, List, ({ label_selector, pod_name, pod_namespace }) => {
    const { message, pods, success } = agent.selectPods(label_selector);
    const wanted = pods.filter(
      ({ pod }) =>
        (pod_namespace === '' || podNamespace(pod) === pod_namespace) &&
        (pod_name === '' || podName(pod) === pod_name),
    );
    return { success, message, pods: wanted.map(statusOf) };
  });
  node.createService(`${prefix}/logs`, Logs, async (request) => {
    const { isTruncated, lines, message, success } = await agent.logs({
      namespace: namespaceOf(request.pod_namespace),
      name: request.pod_name,
      container: request.container,
      tailLines: request.tail_lines === 0 ? maxLogLines : Math.min(request.tail_lines, maxLogLines),
      previous: request.previous,
    });
    return {
      success,
      message,
      lines: lines.map(({ text }) => text),
      stamps: lines.map(({ stampMs }) => timeOf(stampMs)),
      truncated: isTruncated,
    };
  });
  node.createService(
    `${prefix}/restart`,
    Restart,
    ({ container, pod_name, pod_namespace }) =>
      refusal(access, 'control') ?? agent.restart(namespaceOf(pod_namespace), pod_name, container),
  );
}

const namespaceOf = (text: string): string => (text === '' ? 'default' : text);
