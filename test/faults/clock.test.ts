/** A clock that is set. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isReady, TestAgent } from '../agent.ts';
import { containerId, faultsPlace, pod } from './place.ts';

const on = faultsPlace();

describe('the clock', () => {
  const preload = [
    '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
    '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
  ].find((f) => existsSync(f));
  it.each(['+3600s', '-3600s'])('that steps by %s restarts nothing and unreadies nothing', async (step) => {
    expect(preload, 'libfaketime is part of the test set-up').toBeDefined();
    const a = await TestAgent.create();
    on.agent = a;
    const clock = join(a.dir, 'clock');
    writeFileSync(clock, '+0s');
    await a.stop();
    on.agent = await TestAgent.create({
      env: {
        LD_PRELOAD: preload!,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    const b = on.agent;
    await b.start();
    const probe =
      '    readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n    livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n';
    await b.apply('a.yaml', pod('steady', { extra: probe }));
    const before = await b.ready('steady');
    writeFileSync(clock, step);
    for (let i = 0; i < 10; i++) {
      await sleep(300);
      const p = (await b.pod('steady'))!;
      expect(isReady(p)).toBe(true);
      expect(containerId(p)).toBe(containerId(before));
    }
    // Life goes on at the new time.
    await b.apply('b.yaml', pod('later'));
    const later = await b.ready('later');
    const steppedMs = Date.parse(later.status!.startTime!) - Date.now();
    expect(Math.abs(steppedMs - Number.parseInt(step, 10) * 1000)).toBeLessThan(60_000);
    await a.remove();
  });
});
