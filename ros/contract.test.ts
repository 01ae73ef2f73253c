/**
 * The contract of the transport port, run against every transport for real. A transport joins by an entry in
 * contract/subjects.ts; the cases are in contract/, grouped by what they are about.
 */
import { describe } from 'vitest';
import { graphCases, participantCases } from './contract/graph.ts';
import { type Bench, useBench } from './contract/harness.ts';
import { matchCases, peerCases } from './contract/peers.ts';
import { incompatibleQosCases, qosCases, timeQosCases } from './contract/qos.ts';
import { serviceCases } from './contract/services.ts';
import { subjects } from './contract/subjects.ts';
import { topicCases } from './contract/topics.ts';
import { leaseWatchCases, nativeWatchCases, typeWatchCases, watchCases } from './contract/watch.ts';
import type { TransportCapabilities } from './transport.ts';

interface Group {
  name: string;
  cases(bench: Bench): void;
  needs?: keyof TransportCapabilities;
}

const groups: readonly Group[] = [
  { name: 'topics', cases: topicCases },
  { name: 'qos', cases: qosCases },
  { name: 'incompatible qos', cases: incompatibleQosCases, needs: 'endpointEvents' },
  { name: 'time qos', cases: timeQosCases, needs: 'timeQos' },
  { name: 'peers', cases: peerCases },
  { name: 'matching', cases: matchCases, needs: 'endpointEvents' },
  { name: 'services', cases: serviceCases },
  { name: 'graph', cases: graphCases },
  { name: 'participants', cases: participantCases, needs: 'participantDetails' },
  { name: 'watch', cases: watchCases },
  { name: 'watch of leases', cases: leaseWatchCases, needs: 'timeQos' },
  { name: 'watch of types', cases: typeWatchCases, needs: 'anyType' },
  { name: 'native watch', cases: nativeWatchCases, needs: 'nativeWatch' },
];

describe.each(Object.entries(subjects))('%s', (subject, { can }) => {
  const bench = useBench(subject);
  const able = groups.filter(({ needs }) => needs === undefined || can(needs));
  describe.each(able)('$name', ({ cases }) => cases(bench));
});
