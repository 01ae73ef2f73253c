import { describe, expect, it } from 'vitest';
import type { PodSpec } from '../api/core.gen.ts';
import { forbiddenSysctl } from './sysctls.ts';

const check = (name: string, allowed: string[] = [], more: Partial<PodSpec> = {}) =>
  forbiddenSysctl(
    { spec: { containers: [], securityContext: { sysctls: [{ name, value: '0' }] }, ...more } },
    allowed,
  );

describe('forbiddenSysctl', () => {
  it('allows the safe ones, however they are written', () => {
    expect(check('kernel.shm_rmid_forced')).toBeUndefined();
    expect(check('net/ipv4/tcp_fin_timeout')).toBeUndefined();
  });
  it('allows what the owner of the node allows, by name or beginning', () => {
    expect(check('kernel.msgmax', ['kernel.msg*'])).toBeUndefined();
    expect(check('net.core.somaxconn', ['net.core.somaxconn'])).toBeUndefined();
    expect(check('net.core.somaxconn', ['net.core.rmem_max'])).toContain('not allowlisted');
    expect(check('net/ipv4/conf/eth0.1/forwarding', ['net.ipv4.conf.*'])).toBeUndefined();
  });
  it('refuses what would change the host', () => {
    expect(check('net.ipv4.tcp_syncookies', [], { hostNetwork: true })).toBe(
      '"net.ipv4.tcp_syncookies" not allowed with host net enabled',
    );
    expect(check('kernel.shm_rmid_forced', [], { hostIPC: true })).toBe(
      '"kernel.shm_rmid_forced" not allowed with host ipc enabled',
    );
  });
  it('refuses what has no namespace, even when it is allowed', () => {
    expect(check('vm.swappiness', ['vm.*'])).toContain('whole machine');
  });
});
