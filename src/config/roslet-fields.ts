/** The fields of our own configuration document, RosletConfiguration (roslet.dev/v1alpha1). */
import type { FieldSpec, ValuesOf } from './kubelet-fields.ts';

export const runtimeChoices = ['auto', 'process', 'cri'] as const;

export const rosTransportChoices = ['auto', 'cyclone', 'rclnodejs', 'off'] as const;
/** What others may ask for over ROS. */
export const rosRequestChoices = ['auto', 'all', 'control', 'read'] as const;
export const discoveryRanges = ['subnet', 'localhost', 'off', 'system_default'] as const;

export const rosletFields = {
  nodeName: { kind: 'string' },
  'runtime.default': { kind: 'string', default: 'auto', oneOf: runtimeChoices },
  'crashLoopBackOff.initialPeriod': { kind: 'duration', default: 10_000, min: 1 },
  /** Keeps every image: a robot out of reach could not pull it again. */
  'images.keepAll': { kind: 'bool', default: false },
  'ros.transport': { kind: 'string', default: 'auto', oneOf: rosTransportChoices },
  /** In whose node_modules rclnodejs is. */
  'ros.rclnodejsPath': { kind: 'string' },
  'ros.robotName': { kind: 'string' },
  /** Above 232 the ports of a domain do not exist. */
  'ros.domainId': { kind: 'int', min: 0, max: 232, zeroIsValue: true },
  'ros.discoveryRange': { kind: 'string', oneOf: discoveryRanges },
  'ros.staticPeers': { kind: 'strings' },
  'ros.requests': { kind: 'string', default: 'auto', oneOf: rosRequestChoices },
  /** 0: nothing on /diagnostics. */
  'ros.diagnosticsPeriod': { kind: 'duration', default: 1000, min: 0, zeroIsValue: true },
  socketGroup: { kind: 'string', default: 'roslet' },
} as const satisfies Record<string, FieldSpec>;

export type RosletValues = ValuesOf<typeof rosletFields>;
