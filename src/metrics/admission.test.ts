import { expect, test } from 'vitest';
import { preemptionSignal, rejectionReason } from './admission.ts';

test.each([
  ['OutOfcpu', 'OutOfcpu'],
  ['OutOfephemeral-storage', 'OutOfephemeral-storage'],
  ['OutOfexample.com/camera', 'OutOfExtendedResources'],
  ['NodePorts', 'NodePorts'],
  ['whatever a plugin says', 'Other'],
])('a pod that was refused for %s counts as %s', (reason, counted) => {
  expect(rejectionReason(reason)).toBe(counted);
});

test('what a preempted pod gave is named as the resource', () => {
  expect(preemptionSignal('OutOfmemory')).toBe('memory');
});
