/**
 * The contract of the transport port, run against every transport for real. A transport joins by an entry in
 * contract/subjects.ts; the cases are in contract/, grouped by what they are about.
 */
import { describe } from 'vitest';
import { graphCases } from './contract/graph.ts';
import { type Bench, useBench } from './contract/harness.ts';
import { peerCases } from './contract/peers.ts';
import { qosCases, timeQosCases } from './contract/qos.ts';
import { serviceCases } from './contract/services.ts';
import { type SubjectName, subjects } from './contract/subjects.ts';
import { topicCases } from './contract/topics.ts';
import { nativeWatchCases, watchCases } from './contract/watch.ts';

const groups: Record<string, (bench: Bench) => void> = {
  topics: topicCases,
  qos: qosCases,
  'time qos': timeQosCases,
  peers: peerCases,
  services: serviceCases,
  graph: graphCases,
  watch: watchCases,
  'native watch': nativeWatchCases,
};

describe.each(Object.keys(subjects) as SubjectName[])('%s', (subject) => {
  const bench = useBench(subject);
  describe.each(Object.entries(groups))('%s', (_name, cases) => cases(bench));
});
