/** Restart policy and restart rules of one container. */
import type { Container } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';

const POLICIES = ['Always', 'Never', 'OnFailure'];
const ACTIONS = ['Restart', 'RestartAllContainers'];
const OPERATORS = ['In', 'NotIn'];
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;

export function validateRestartPolicy(container: Container, path: string, errors: FieldErrors): void {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  errors.checkOneOf(child(path, 'restartPolicy'), restartPolicy, POLICIES);
  if (restartPolicy === undefined && rules.length > 0) {
    errors.required(child(path, 'restartPolicy'), 'restartPolicyRules say what to do where it does not fit');
  }
  const rulesPath = child(path, 'restartPolicyRules');
  if (rules.length > MAX_RULES) errors.tooLong(rulesPath, `must have at most ${MAX_RULES} rules`);
  for (const [position, { action, exitCodes }] of rules.entries()) {
    const itemPath = index(rulesPath, position);
    errors.checkOneOf(child(itemPath, 'action'), action, ACTIONS);
    const codesPath = child(itemPath, 'exitCodes');
    if (exitCodes === undefined) {
      errors.required(codesPath, 'say which exit codes the rule is for');
      continue;
    }
    errors.checkOneOf(child(codesPath, 'operator'), exitCodes.operator, OPERATORS);
    if ((exitCodes.values ?? []).length > MAX_EXIT_CODES) {
      errors.tooLong(child(codesPath, 'values'), `must have at most ${MAX_EXIT_CODES} exit codes`);
    }
  }
}
