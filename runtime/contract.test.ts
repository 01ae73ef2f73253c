/**
 * The contract of the runtime port, run against every runtime for real. A runtime joins by an entry in the table; the
 * cases are in contract/, grouped by what they are about.
 */
import { describe } from 'vitest';
import { containerdsUnderTest } from './contract/containerd.ts';
import { execCases } from './contract/exec.ts';
import { filesystemCases } from './contract/filesystem.ts';
import { type Bench, type RuntimeUnderTest, useBench } from './contract/harness.ts';
import { isolationCases } from './contract/isolation.ts';
import { lifecycleCases } from './contract/lifecycle.ts';
import { logCases } from './contract/logs.ts';
import { processUnderTest } from './contract/process.ts';
import { resourceCases } from './contract/resources.ts';
import { securityCases } from './contract/security.ts';
import { streamCases } from './contract/streams.ts';

const runtimes: RuntimeUnderTest[] = [processUnderTest, ...containerdsUnderTest];

const groups: Record<string, (bench: Bench) => void> = {
  lifecycle: lifecycleCases,
  logs: logCases,
  exec: execCases,
  streams: streamCases,
  isolation: isolationCases,
  filesystem: filesystemCases,
  security: securityCases,
  resources: resourceCases,
};

describe.each(runtimes)('$name', (subject) => {
  const bench = useBench(subject);
  describe.each(Object.entries(groups))('%s', (_name, cases) => cases(bench));
});
