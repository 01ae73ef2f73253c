/**
 * Runs one vitest project (`unit` or `integration`), or of it the files and the names of tests that are asked for, and
 * writes what passed, failed and was skipped, with the reasons, as JSON to the file named second.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startVitest, type TestModule } from 'vitest/node';
import { messageOf } from '../src/error-message.ts';

export interface SuiteResult {
  passed: number;
  /** Full names. */
  failed: string[];
  skipped: { name: string; reason: string }[];
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    names: { type: 'string', default: '' },
    // Each test as it ends, where a suite takes long.
    verbose: { type: 'boolean', default: false },
  },
});
const [project, reportPath, ...files] = positionals;
if (project === undefined || reportPath === undefined) {
  console.error('usage: test-suite.ts [--names REGULAR_EXPRESSION] PROJECT REPORT_FILE [FILE...]');
  process.exit(2);
}
const names = new RegExp(values.names);
const vitest = await startVitest(files, {
  project,
  run: true,
  watch: false,
  testNamePattern: names,
  reporters: values.verbose ? 'verbose' : 'default',
});
const result = collect(vitest.state.getTestModules(), vitest.state.getUnhandledErrors());
await writeFile(reportPath, JSON.stringify(result));
await vitest.close();

function collect(modules: TestModule[], unhandled: unknown[]): SuiteResult {
  const result: SuiteResult = { passed: 0, failed: [], skipped: [] };
  for (const module of modules) {
    const file = module.relativeModuleId;
    // Errors outside of a test: the file does not load, or a hook failed.
    if (module.errors().length > 0) result.failed.push(file);
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) result.failed.push(`${file}: ${suite.fullName}`);
    }
    for (const test of module.children.allTests()) {
      if (!names.test(test.fullName)) continue;
      const name = `${file}: ${test.fullName}`;
      const outcome = test.result();
      if (outcome.state === 'passed') result.passed++;
      else if (outcome.state === 'failed') result.failed.push(name);
      else if (outcome.state === 'skipped') {
        result.skipped.push({ name, reason: outcome.note ?? 'no reason given' });
      } else result.failed.push(`${name} (did not run)`);
    }
  }
  for (const error of unhandled) {
    result.failed.push(`unhandled error: ${messageOf(error)}`);
  }
  return result;
}
