/** The fields of our own configuration document, RosletConfiguration (roslet.dev/v1alpha1). */
import type { FieldSpec, ValuesOf } from './kubelet-fields.ts';

export const runtimeChoices = ['auto', 'process', 'cri'] as const;

export const rosletFields = {
  nodeName: { kind: 'string' },
  'runtime.default': { kind: 'string', default: 'auto', oneOf: runtimeChoices },
  'crashLoopBackOff.initialPeriod': { kind: 'duration', default: 10_000, min: 1 },
  /** Keeps every image: a robot out of reach could not pull it again. */
  'images.keepAll': { kind: 'bool', default: false },
  socketGroup: { kind: 'string', default: 'roslet' },
} as const satisfies Record<string, FieldSpec>;

export type RosletValues = ValuesOf<typeof rosletFields>;
