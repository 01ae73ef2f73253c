/**
 * Runs one vitest project (`unit` or `integration`) and writes what passed, failed and was skipped, with the
 * reasons, as JSON to the file named second.
 */
import { writeFile } from 'node:fs/promises';
import { startVitest, type TestModule } from 'vitest/node';

export interface SuiteResult {
  passed: number;
  /** Full names. */
  failed: string[];
  skipped: { name: string; reason: string }[];
}

const [project, reportPath] = process.argv.slice(2);
if (project === undefined || reportPath === undefined) {
  console.error('usage: test-suite.ts PROJECT REPORT_FILE');
  process.exit(2);
}
const vitest = await startVitest([], { project, run: true, watch: false });
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
    result.failed.push(`unhandled error: ${error instanceof Error ? error.message : String(error)}`);
  }
  return result;
}
