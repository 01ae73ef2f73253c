/** A plan in the making: the facts that it is made of, and what was decided so far. */
import type { ContainerStatus } from '../../../runtime/runtime.ts';
import type { Container } from '../../api/core.gen.ts';
import type { Action, ContainerKind, KillReason, Plan } from '../actions.ts';
import { podGraceSeconds } from '../grace.ts';
import type { PlanInput } from './input.ts';

/** A container of the pod's spec. */
export interface Subject {
  container: Container;
  kind: ContainerKind;
  /** The newest in the sandbox that it belongs in; undefined: it never was in it. */
  instance: ContainerStatus | undefined;
  podSandboxId: string;
}

export interface KillWhy {
  reason: KillReason;
  message: string;
  /** From now; the pod's, unless given. */
  graceMs?: number;
}

export class PlanDraft {
  readonly input: PlanInput;
  readonly plan: Plan = { actions: [], waiting: new Map(), stopped: false, prepared: false };

  constructor(input: PlanInput) {
    this.input = input;
  }

  add(action: Action): void {
    this.plan.actions.push(action);
  }

  kill(
    { id, metadata }: ContainerStatus,
    { reason, message, graceMs = podGraceSeconds(this.input.pod) * 1000 }: KillWhy,
  ): void {
    const { name } = metadata;
    this.add({ do: 'killContainer', containerId: id, name, reason, message, graceMs });
  }

  /** The same facts give another plan then. */
  wakeAt(atMs: number): void {
    this.plan.wakeAtMs = Math.min(this.plan.wakeAtMs ?? Number.POSITIVE_INFINITY, atMs);
  }

  /** Nothing of the pod will ever run again. */
  end(how: NonNullable<Plan['end']> = {}): void {
    this.plan.end = how;
  }
}
