/**
 * The contract of the transport port, run against every transport for real. A transport joins by an entry in
 * contract/subjects.ts; the cases are in contract/, grouped by what they are about.
 */
import { describe } from 'vitest';
import { type Bench, useBench } from './contract/harness.ts';
import { type SubjectName, subjects } from './contract/subjects.ts';
import { topicCases } from './contract/topics.ts';

const groups: Record<string, (bench: Bench) => void> = {
  topics: topicCases,
};

describe.each(Object.keys(subjects) as SubjectName[])('%s', (subject) => {
  const bench = useBench(subject);
  describe.each(Object.entries(groups))('%s', (_name, cases) => cases(bench));
});
