import { describe, expect, it } from 'vitest';
import { ready, status } from './status/testing.ts';
import { testActual, testContainer, testPod, testSandbox } from './testing.ts';

describe('addresses', () => {
  it("are the sandbox's", () => {
    expect(status()).toMatchObject({ podIP: '10.0.0.7', podIPs: [{ ip: '10.0.0.7' }], hostIP: '192.0.2.1' });
  });
  it("are the host's on the host network", () => {
    expect(status({ pod: testPod({ hostNetwork: true }) }).podIP).toBe('192.0.2.1');
  });
  it('stay for the record when the sandbox is gone, until there is another', () => {
    const previous = status();
    expect(status({ previous, actual: testActual([]) }).podIP).toBe('10.0.0.7');
    expect(status({ previous, actual: testActual([]), ended: true }).podIP).toBe('10.0.0.7');
    const another = testSandbox({ ips: ['10.0.0.8'] });
    expect(status({ previous, actual: testActual([another]) }).podIP).toBe('10.0.0.8');
  });
});

describe('verdict', () => {
  it('of a pod that was never admitted leaves no containers that seem to be made', () => {
    const verdict = { phase: 'Failed' as const, reason: 'OutOfcpu', message: 'm' };
    const refused = status({ verdict, ended: true, actual: testActual([]) });
    expect(refused.containerStatuses).toBeUndefined();
    const evicted = status({
      verdict,
      ended: true,
      actual: testActual([ready], [testContainer('a', 'exited')]),
    });
    expect(evicted.containerStatuses).toHaveLength(1);
  });

  it('is the phase, reason and message', () => {
    const verdict = { phase: 'Failed' as const, reason: 'Evicted', message: 'no memory' };
    expect(status({ verdict, ended: true })).toMatchObject(verdict);
  });
  it('is no phase before everything has ended', () => {
    const verdict = { phase: 'Failed' as const, reason: 'Evicted', message: 'no memory' };
    expect(status({ verdict })).toMatchObject({ phase: 'Running', reason: 'Evicted' });
  });
});
