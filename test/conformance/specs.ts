/** Runs specs of Kubernetes' own end-to-end tests against a cluster, by ginkgo. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kubernetesBinaries } from '../peers/kubernetes-binaries.ts';

export interface Spec {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  /** Of one that did not pass. */
  reason: string;
  durationMs: number;
}

export interface SpecsOptions {
  kubeconfig: string;
  /** Of all names; regular expressions as Go knows them. */
  focus: string;
  skip: string;
  /** How many at a time. */
  processes: number;
  /** `ginkgo.log` and `report.json` are written here. */
  dir: string;
  tmpDir: string;
  signal: AbortSignal;
}

/** All that were selected, by name; also throws when they did not run to the end. */
export async function runSpecs(options: SpecsOptions): Promise<Spec[]> {
  const { kubeconfig, focus, skip, processes, dir, signal } = options;
  const programs = await kubernetesBinaries('e2e.test', 'ginkgo', 'kubectl');
  const report = join(dir, 'report.json');
  const logFile = join(dir, 'ginkgo.log');
  await rm(report, { force: true });
  const log = openSync(logFile, 'w');
  const child = spawn(
    join(programs, 'ginkgo'),
    [
      ...['--no-color', '--silence-skips', '--timeout=1h', `--procs=${processes}`],
      ...[`--focus=${focus}`, `--skip=${skip}`, `--output-dir=${dir}`, '--json-report=report.json'],
      ...[join(programs, 'e2e.test'), '--'],
      ...['--provider=skeleton', `--kubeconfig=${kubeconfig}`, `--kubectl-path=${join(programs, 'kubectl')}`],
      ...['--num-nodes=1', '--node-schedulable-timeout=30s', '--system-pods-startup-timeout=10s'],
      ...['--prepull-images=false', '--report-dir='],
    ],
    { cwd: dir, env: { ...process.env, TMPDIR: options.tmpDir }, stdio: ['ignore', log, log], signal },
  );
  await once(child, 'exit');
  try {
    return parseReport(readFileSync(report, 'utf8'));
  } catch (error) {
    throw new Error(`the specs did not run: ${readFileSync(logFile, 'utf8').slice(-2000)}`, { cause: error });
  }
}

/** What is used of ginkgo's report. */
interface Report {
  SpecReports: SpecReport[] | null;
}

interface SpecReport {
  LeafNodeType: string;
  LeafNodeText: string;
  ContainerHierarchyTexts: string[] | null;
  State: string;
  /** Nanoseconds. */
  RunTime: number;
  Failure?: { Message: string };
}

function parseReport(text: string): Spec[] {
  const reports = (JSON.parse(text) as Report[]).flatMap(({ SpecReports }) => SpecReports ?? []);
  return reports
    .filter(isOurs)
    .map((report) => ({
      name:
        report.LeafNodeType === 'It'
          ? [...(report.ContainerHierarchyTexts ?? []), report.LeafNodeText].join(' ')
          : report.LeafNodeType,
      outcome: outcomeOf(report),
      reason: report.Failure?.Message.trim() ?? '',
      durationMs: Math.round(report.RunTime / 1e6),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** What was not selected is there too, skipped without a word; what surrounds the specs only counts when it failed. */
function isOurs({ LeafNodeType, State, Failure }: SpecReport): boolean {
  if (LeafNodeType === 'It')
    return State !== 'pending' && (State !== 'skipped' || Failure?.Message !== undefined);
  return State !== 'passed' && State !== 'skipped';
}

function outcomeOf({ State }: SpecReport): Spec['outcome'] {
  return State === 'passed' || State === 'skipped' ? State : 'failed';
}
