/** Slices of systemd, made and changed by its manager (org.freedesktop.systemd1(5)). */
import { setTimeout as delay } from 'node:timers/promises';
import { type Bus, BusError } from './bus.ts';
import type { Call, Property, Writer } from './message.ts';

export interface Slices {
  /** Makes the slice and those above it; does nothing where it is there. */
  start(name: string, properties: readonly Property[]): Promise<void>;
  /** For as long as the slice is there: nothing is written that would outlive it. */
  set(name: string, properties: readonly Property[]): Promise<void>;
  /** Resolves when systemd does not know it any more. What runs in it is not touched. */
  stop(name: string, signal?: AbortSignal): Promise<void>;
}

export function systemdSlices(bus: Bus): Slices {
  const manager = (member: string, signature: string, write: (body: Writer) => void): Call => ({
    destination: 'org.freedesktop.systemd1',
    path: '/org/freedesktop/systemd1',
    interface: 'org.freedesktop.systemd1.Manager',
    member,
    signature,
    write,
  });
  return {
    start: async (name, properties) => {
      const call = manager('StartTransientUnit', 'ssa(sv)a(sa(sv))', (body) => {
        body.string(name);
        body.string('replace');
        body.properties(properties);
        body.array(8, () => undefined);
      });
      await unless(bus.call(call), 'org.freedesktop.systemd1.UnitExists');
    },

    set: (name, properties) =>
      bus.call(
        manager('SetUnitProperties', 'sba(sv)', (body) => {
          body.string(name);
          body.boolean(true);
          body.properties(properties);
        }),
      ),

    stop: async (name, signal) => {
      const stop = manager('StopUnit', 'ss', (body) => {
        body.string(name);
        body.string('replace');
      });
      if (!(await unless(bus.call(stop), noSuchUnit))) return;
      const get = manager('GetUnit', 's', (body) => body.string(name));
      const deadlineMs = performance.now() + stopPatienceMs;
      for (let pauseMs = 2; await unless(bus.call(get), noSuchUnit); pauseMs = Math.min(2 * pauseMs, 100)) {
        if (performance.now() > deadlineMs) {
          throw new BusError('Timeout', `systemd has not stopped ${name} within ${stopPatienceMs} ms`);
        }
        await delay(pauseMs, undefined, { signal });
      }
    },
  };
}

/** Returns false when it failed with that error. */
async function unless(call: Promise<void>, code: string): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (err) {
    if (err instanceof BusError && err.code === code) return false;
    throw err;
  }
}

const noSuchUnit = 'org.freedesktop.systemd1.NoSuchUnit';
const stopPatienceMs = 10_000;
