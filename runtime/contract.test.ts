/**
 * The contract of the runtime port, run against every runtime for real. A runtime joins by an entry in the table; the
 * cases are in contract/, grouped by what they are about.
 */
import { describe } from 'vitest';
import { type Bench, type RuntimeUnderTest, useBench } from './contract/harness.ts';
import { lifecycleCases } from './contract/lifecycle.ts';
import { processUnderTest } from './contract/process.ts';

const runtimes: RuntimeUnderTest[] = [processUnderTest];

const groups: Record<string, (bench: Bench) => void> = {
  lifecycle: lifecycleCases,
};

describe.each(runtimes)('$name', (subject) => {
  const bench = useBench(subject);
  describe.each(Object.entries(groups))('%s', (_name, cases) => cases(bench));
});
