/** The transports that the contract is held against. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { cycloneTransport } from '../cyclone/index.ts';
import type { DiscoveryOptions, RosTransport } from '../transport.ts';

interface Subject {
  /** Of the suite alone. */
  domainId: number;
  /** Why it cannot be tried on this machine. */
  unavailable?: string;
  open(discovery: DiscoveryOptions): RosTransport;
}

const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');

export const subjects = {
  cyclone: {
    domainId: 40,
    unavailable: existsSync(addonPath) ? undefined : 'dist/roslet-dds.node is not built',
    open: (discovery) => cycloneTransport({ addonPath, discovery, log: silentLogger() }),
  },
} satisfies Record<string, Subject>;

export type SubjectName = keyof typeof subjects;
