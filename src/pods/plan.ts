/**
 * What to do next for one pod: a pure function of the desired pod, of what the runtime really holds, of the probes'
 * results and of the time. It is level-triggered: whatever happened before (a crash of the agent between two steps
 * included), the same facts give the same actions. Order and conditions follow the kubelet's: sandbox, init
 * containers one by one, sidecars among them, then the containers; hash changes, failed liveness and startup probes
 * kill; `Never` and `OnFailure` end the pod; on the way down containers first, then sidecars in reverse order. Each of
 * these is in a file of its own below plan/.
 */
import type { Plan, Waiting } from './actions.ts';
import { currentSandbox } from './actual.ts';
import { podGraceSeconds } from './grace.ts';
import { planContainers, planEphemeral } from './plan/containers.ts';
import { PlanDraft } from './plan/draft.ts';
import { planInitContainers } from './plan/init-containers.ts';
import type { PlanInput } from './plan/input.ts';
import { killStrays } from './plan/kill.ts';
import { planPrepare, prepareContainers, supervisedNames } from './plan/prepare.ts';
import { planResize } from './plan/resize.ts';
import { planSandbox } from './plan/sandbox.ts';
import { planStop } from './plan/stop.ts';

export function plan(input: PlanInput): Plan {
  const { intent } = input;
  const draft = new PlanDraft(input);
  switch (intent.kind) {
    case 'stop':
      planStop(draft, { reason: 'pod', graceMs: intent.graceMs });
      break;
    case 'clear':
      planClear(draft, intent.why);
      break;
    case 'prepare':
      planPrepare(draft, intent.why);
      break;
    case 'run':
      planRun(draft, intent.gate);
      break;
  }
  return draft.plan;
}

function planClear(draft: PlanDraft, why: Waiting): void {
  planStop(draft, { reason: 'deactivated', graceMs: podGraceSeconds(draft.input.pod) * 1000 });
  for (const name of supervisedNames(draft)) draft.plan.waiting.set(name, why);
}

function planRun(draft: PlanDraft, gate: Waiting | undefined): void {
  const { actual } = draft.input;
  if (isPastDeadline(draft)) {
    draft.end({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    return;
  }
  const sandbox = currentSandbox(actual);
  if (sandbox === undefined) {
    planSandbox(draft);
    return;
  }
  for (const { id, state } of actual.sandboxes.slice(1)) {
    if (state === 'SANDBOX_READY') draft.add({ do: 'stopSandbox', podSandboxId: id });
  }
  // What has once started in this sandbox has had its turn.
  if (gate !== undefined && !actual.containers.some((c) => c.podSandboxId === sandbox.id)) {
    prepareContainers(draft, gate);
    return;
  }
  draft.plan.prepared = true;
  killStrays(draft);
  planEphemeral(draft, sandbox.id);
  if (planInitContainers(draft, sandbox.id)) planContainers(draft, sandbox.id);
  if (draft.plan.end === undefined) planResize(draft, sandbox.id);
}

function isPastDeadline(draft: PlanDraft): boolean {
  const { pod, startedAtMs, nowMs } = draft.input;
  const seconds = pod.spec?.activeDeadlineSeconds;
  if (seconds === undefined) return false;
  const deadlineMs = startedAtMs + seconds * 1000;
  if (nowMs < deadlineMs) draft.wakeAt(deadlineMs);
  return nowMs >= deadlineMs;
}
