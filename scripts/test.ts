/**
 * `make test`: runs the checks and the suites named as arguments (default: all) one after the other, goes on after a
 * failure, lists what failed and what was skipped and why, and ends with one line of totals over everything.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SuiteResult } from './test-suite.ts';

interface Step {
  name: string;
  command: string[];
  /** A suite reports each of its tests; a check counts as one. */
  kind: 'check' | 'suite';
  /** Needs namespaces, cgroups, mounts. */
  asRoot?: boolean;
  /** Runs only when it is named. */
  onlyByName?: boolean;
}

const suite = (name: string, asRoot = false): Step => ({
  name,
  command: ['node', 'scripts/test-suite.ts', name],
  kind: 'suite',
  asRoot,
});
const check = (name: string, script: string): Step => ({
  name,
  command: ['npm', 'run', '--silent', script],
  kind: 'check',
});

const steps: Step[] = [
  check('build', 'build'),
  check('formatting and lint', 'lint'),
  check('types', 'typecheck'),
  check('generated code', 'generated'),
  check('dependency rule', 'deps'),
  check('unused code', 'unused'),
  suite('unit'),
  suite('integration', true),
  {
    name: 'conformance',
    command: ['node', 'test/conformance/main.ts', '--part'],
    kind: 'suite',
    asRoot: true,
  },
  { name: 'cgroup v2', command: ['test/cgroup-v2.sh'], kind: 'suite', asRoot: true, onlyByName: true },
];

const chosen = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), 'roslet-test-'));
const results: SuiteResult[] = [];
try {
  for (const step of steps) {
    if (chosen.length > 0 ? !chosen.includes(step.name) : step.onlyByName) continue;
    console.log(`\n== ${step.name}`);
    results.push(await runStep(step));
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
summarize(results);

async function runStep(step: Step): Promise<SuiteResult> {
  const report = join(scratch, step.name);
  const command = step.kind === 'suite' ? [...step.command, report] : step.command;
  const started = performance.now();
  const code = await run(step.asRoot ? rootCommand(command) : command);
  console.log(`== ${step.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (step.kind === 'check') {
    return code === 0
      ? { passed: 1, failed: [], skipped: [] }
      : { passed: 0, failed: [`${step.name} (${step.command.join(' ')})`], skipped: [] };
  }
  const text = await readFile(report, 'utf8').catch(() => undefined);
  const result: SuiteResult | undefined = text === undefined ? undefined : JSON.parse(text);
  // A suite that ended badly without naming a test, or that ran nothing, has not passed.
  if (result === undefined || (code !== 0 && result.failed.length === 0)) {
    return {
      passed: 0,
      skipped: [],
      ...result,
      failed: [`the ${step.name} suite ended with status ${code}`],
    };
  }
  return result;
}

function rootCommand(command: string[]): string[] {
  return process.getuid?.() === 0 ? command : ['sudo', '-E', 'env', `PATH=${process.env.PATH}`, ...command];
}

function run([program, ...args]: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function summarize(results: SuiteResult[]): void {
  const failed = results.flatMap((result) => result.failed);
  const skipped = results.flatMap((result) => result.skipped);
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  console.log();
  for (const { name, reason } of skipped) console.log(`skipped: ${name}: ${reason}`);
  for (const name of failed) console.log(`failed: ${name}`);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  if (failed.length > 0) process.exitCode = 1;
}
