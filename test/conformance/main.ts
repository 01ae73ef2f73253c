/**
 * `make conformance`: the specs of Kubernetes that are tagged [NodeConformance], or with `--selection` others, against
 * roslet, or with `--kubelet go` against the Go kubelet, on a control plane and a containerd of the test's own. With
 * `--part` only those that `make test` runs; the report for it goes to the file that is named.
 */
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SuiteResult } from '../../scripts/test-suite.ts';
import { cacheDir } from '../peers/cache.ts';
import { type KubeletKind, startNode } from '../peers/cluster-node.ts';
import { ControlPlane } from '../peers/control-plane.ts';
import { e2eImages } from '../peers/e2e-images.ts';
import { startRegistry } from '../peers/registry.ts';
import { leftOutOfPart } from './part.ts';
import { type SelectionName, selections } from './selections.ts';
import { runSpecs, type Spec } from './specs.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kubelet: { type: 'string', default: 'roslet' },
    selection: { type: 'string', default: 'node-conformance' },
    part: { type: 'boolean', default: false },
    processes: { type: 'string', default: '5' },
  },
});
const kind = values.kubelet;
if (!isKind(kind)) {
  console.error(`--kubelet is roslet or go, not '${kind}'`);
  process.exit(2);
}
const { selection } = values;
if (!isSelection(selection)) {
  console.error(`--selection is ${Object.keys(selections).join(' or ')}, not '${selection}'`);
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const dir = runDir(kind, selection);
const started = performance.now();
const specs = await run(kind, selection);
print(specs);
await writeFile(resultFile(kind, selection), JSON.stringify(specs, undefined, 1));
if (!values.part) printDifferences(specs, kind === 'go' ? 'roslet' : 'go', selection);
const [reportFile] = positionals;
if (reportFile !== undefined) await writeFile(reportFile, JSON.stringify(suiteResult(specs)));
if (specs.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;

async function run(kubelet: KubeletKind, name: SelectionName): Promise<Spec[]> {
  const { focus, skip } = selections[name];
  await using stack = new AsyncDisposableStack();
  const registry = await startRegistry(await e2eImages());
  stack.defer(() => registry.stop());
  const plane = await ControlPlane.start();
  stack.defer(() => plane.stop());
  const node = await startNode(kubelet, plane, { registries: { 'registry.k8s.io': registry.url } });
  stack.defer(() => node.stop());
  return await runSpecs({
    kubeconfig: plane.adminKubeconfig,
    focus,
    skip: [...skip, ...(values.part ? leftOutOfPart : [])].join('|'),
    processes: Number(values.processes),
    dir,
    tmpDir: plane.dir,
    signal: interrupted.signal,
  });
}

function print(all: Spec[]): void {
  const of = (outcome: Spec['outcome']) => all.filter((spec) => spec.outcome === outcome);
  for (const { name, reason, outcome } of all) {
    if (outcome !== 'passed') console.log(`${outcome}: ${name}: ${reason.split('\n')[0]}`);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${kind}: ${of('passed').length} of ${all.length} specs passed, ${of('failed').length} failed, ${of('skipped').length} skipped themselves, in ${seconds} s; log and report in ${dir}`,
  );
}

/** Against the last run of the other kubelet on this machine, where there was one. */
function printDifferences(ours: Spec[], other: KubeletKind, name: SelectionName): void {
  const file = resultFile(other, name);
  if (!existsSync(file)) {
    console.log(`No differences are known: run make conformance KUBELET=${other} SELECTION=${name} too.`);
    return;
  }
  const theirs = new Map((JSON.parse(readFileSync(file, 'utf8')) as Spec[]).map((spec) => [spec.name, spec]));
  const different = ours.filter(({ name, outcome }) => theirs.get(name)?.outcome !== outcome);
  for (const { name, outcome } of different) {
    console.log(
      `different: ${name}: ${outcome} on ${kind}, ${theirs.get(name)?.outcome ?? 'not run'} on ${other}`,
    );
  }
  console.log(`${different.length} differences to the last run of ${other}`);
}

function suiteResult(all: Spec[]): SuiteResult {
  const named = (outcome: Spec['outcome']) => all.filter((spec) => spec.outcome === outcome);
  return {
    passed: named('passed').length,
    failed: named('failed').map(({ name, reason }) => `conformance: ${name}: ${reason.split('\n')[0]}`),
    skipped: named('skipped').map(({ name, reason }) => ({ name: `conformance: ${name}`, reason })),
  };
}

function resultFile(kubelet: KubeletKind, name: SelectionName): string {
  return join(runDir(kubelet, name), 'result.json');
}

function runDir(kubelet: KubeletKind, name: SelectionName): string {
  const suffix = `${name === 'node-conformance' ? '' : `-${name}`}${values.part ? '-part' : ''}`;
  return cacheDir('conformance', `${kubelet}${suffix}`);
}

function isSelection(name: string): name is SelectionName {
  return Object.hasOwn(selections, name);
}

function isKind(name: string): name is KubeletKind {
  return name === 'roslet' || name === 'go';
}
