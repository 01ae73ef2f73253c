/**
 * Whether a container that ended is started again: the pod's restartPolicy, the container's own restartPolicy and
 * restartPolicyRules (KEP-5307), and sidecars, which always restart (KEP-753).
 */
import type { Container, ContainerRestartRule, Pod } from '../api/core.gen.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/** The policy that holds for one container when no rule matches. */
export function restartPolicy(pod: Pod, container: Container): RestartPolicy {
  return (container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always') as RestartPolicy;
}

/**
 * Policy of an init container: with the pod's policy `Always` a failed init container is run again but one that
 * succeeded is not.
 */
export function shouldRestart(
  pod: Pod,
  container: Container,
  exitCode: number,
  kind: 'init' | 'app',
): boolean {
  const rule = container.restartPolicyRules?.find((r) => ruleMatches(r, exitCode));
  if (rule !== undefined) return rule.action === 'Restart' || rule.action === 'RestartAllContainers';
  const policy = restartPolicy(pod, container);
  if (kind === 'init' && container.restartPolicy !== 'Always') return exitCode !== 0 && policy !== 'Never';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function ruleMatches(rule: ContainerRestartRule, exitCode: number): boolean {
  const codes = rule.exitCodes;
  if (codes === undefined) return false;
  const listed = codes.values?.includes(exitCode) ?? false;
  return codes.operator === 'In' ? listed : codes.operator === 'NotIn' ? !listed : false;
}
