/** The transports that the contract is held against. */
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { cycloneTransport } from '../cyclone/index.ts';
import type { DiscoveryOptions, RosTransport } from '../transport.ts';

interface Subject {
  /** Of the suite alone. */
  domainId: number;
  open(discovery: DiscoveryOptions): RosTransport;
}

const addonPath = join(import.meta.dirname, '..', '..', 'dist', 'roslet-dds.node');

export const subjects = {
  cyclone: {
    domainId: 40,
    open: (discovery) => cycloneTransport({ addonPath, discovery, log: silentLogger() }),
  },
} satisfies Record<string, Subject>;

export type SubjectName = keyof typeof subjects;
