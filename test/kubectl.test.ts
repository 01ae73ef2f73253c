/**
 * What kubectl shows of a node and its pods and does with them is the same on roslet and on the Go kubelet: every case
 * runs on both with the same expectations. The cases are in kubectl/, grouped by what they are about.
 */
import { describe } from 'vitest';
import { eventCases } from './kubectl/events.ts';
import { type Bench, useBenches } from './kubectl/harness.ts';
import { endCases, startCases, staticPodCases } from './kubectl/lifecycle.ts';
import { changeCases, probeCases } from './kubectl/probes.ts';
import { shapeCases } from './kubectl/shapes.ts';
import { execCases, logCases } from './kubectl/streams.ts';
import { environmentCases, volumeCases } from './kubectl/volumes.ts';

const groups: Record<string, (bench: Bench) => void> = {
  'a pod that starts': startCases,
  'a pod that ends': endCases,
  'a static pod': staticPodCases,
  'a pod with probes': probeCases,
  'a pod that is changed': changeCases,
  'the environment of a pod': environmentCases,
  'the volumes of a pod': volumeCases,
  'the log of a pod': logCases,
  'kubectl and a pod': execCases,
};

const benches = useBenches();

// At a time: most of it is waiting.
describe.concurrent.each(['roslet', 'go'] as const)('on %s', (kind) => {
  describe.each(Object.entries(groups))('%s', (_name, cases) => cases(benches[kind]));
});

describe('roslet shows all that the Go kubelet shows', () => shapeCases(benches));

describe.concurrent('roslet tells all that the Go kubelet tells', () => eventCases(benches));
