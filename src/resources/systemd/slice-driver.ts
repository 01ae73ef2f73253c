/**
 * The cgroups of pods as slices of systemd, below which container engines with the systemd driver put their scopes. systemd
 * makes the slices and is told their limits, so that it does not undo them (at `systemctl daemon-reload`, or when something
 * beside them changes); what it has no words for is written beside, as the kubelet does it.
 */
import { basename } from 'node:path';
import type { CgroupDriver } from '../cgroup-driver.ts';
import { CgroupError } from '../cgroup-layout.ts';
import { prefixes } from '../cgroup-tree.ts';
import { type CgroupSettings, cpuWeight } from '../container.ts';
import { BusError } from './bus.ts';
import { infinity, type Property } from './message.ts';
import type { Slices } from './units.ts';

/** @param driver writes the files of the cgroups */
export function sliceDriver(driver: CgroupDriver, slices: Slices): CgroupDriver {
  /** What systemd was told of each, so that it is not told again. */
  const told = new Map<string, string>();
  const start = async (path: string, properties: readonly Property[]) => {
    if (told.has(path)) return;
    await explained(path, slices.start(basename(path), [...ofEverySlice, ...properties]));
    told.set(path, '');
  };
  return {
    ...driver,

    get lost() {
      return driver.lost;
    },

    create: async (path) => {
      for (const prefix of prefixes(path)) await start(prefix, [['Description', `roslet pods ${prefix}`]]);
      await driver.create(path);
    },

    holdControllers: (path) => start(controllersHeldIn(path), held),

    apply: async (path, settings) => {
      const properties = sliceProperties(settings);
      const text = properties.join();
      if (properties.length > 0 && told.get(path) !== text) {
        await explained(path, slices.set(basename(path), properties));
        told.set(path, text);
      }
      await driver.apply(path, settings);
    },

    remove: async (paths, signal) => {
      for (const path of paths) {
        for (const slice of [controllersHeldIn(path), path]) {
          await explained(slice, slices.stop(basename(slice), signal));
          told.delete(slice);
        }
      }
      await driver.remove(paths, signal);
    },
  };
}

/** Limits as properties of a unit (systemd.resource-control(5)). */
export function sliceProperties(settings: CgroupSettings): Property[] {
  const { cpuShares, cpuPeriodUs = defaultPeriodUs, cpuQuotaUs, memoryLimitBytes, pidsLimit } = settings;
  const properties: Property[] = [];
  if (cpuShares !== undefined) properties.push(['CPUWeight', BigInt(cpuWeight(cpuShares))]);
  if (cpuQuotaUs !== undefined) {
    const perSecond = cpuQuotaUs < 0 ? infinity : BigInt(Math.ceil((cpuQuotaUs * 1e6) / cpuPeriodUs));
    // systemd before 242 does not know it.
    if (cpuPeriodUs !== defaultPeriodUs) properties.push(['CPUQuotaPeriodUSec', BigInt(cpuPeriodUs)]);
    properties.push(['CPUQuotaPerSecUSec', perSecond]);
  }
  if (memoryLimitBytes !== undefined) properties.push(['MemoryMax', limit(memoryLimitBytes)]);
  if (pidsLimit !== undefined) properties.push(['TasksMax', limit(pidsLimit)]);
  return properties;
}

const defaultPeriodUs = 100_000;

const limit = (value: number): bigint => (value < 0 ? infinity : BigInt(value));

/** Pods do not end before the agent ends them, also at a shutdown. */
const ofEverySlice: readonly Property[] = [
  ['DefaultDependencies', false],
  ['CPUAccounting', true],
  ['MemoryAccounting', true],
  ['IOAccounting', true],
  ['TasksAccounting', true],
];

/**
 * systemd passes to what is below a slice only the controllers that its own units there use: where a pod's containers are no
 * units of it (host processes), a slice without anything in it asks for them.
 */
const controllersHeldIn = (path: string): string => path.replace(/\.slice$/, '-controllers.slice');

const held: readonly Property[] = [
  ['Description', 'keeps the cgroup controllers of a pod'],
  ['CPUWeight', 100n],
];

async function explained<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (err) {
    if (!(err instanceof BusError)) throw err;
    throw new CgroupError(path, `cgroupDriver systemd: ${basename(path)}: ${err.message}`, { cause: err });
  }
}
