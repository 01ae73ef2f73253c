/** The command line of the Go kubelet of the same Kubernetes, as its units have it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseFlags } from '../../src/config/flags.ts';
import { kubernetesBinaries } from '../peers/kubernetes-binaries.ts';

it('every flag of the Go kubelet is known', async () => {
  const help = execFileSync(join(await kubernetesBinaries('kubelet'), 'kubelet'), ['--help'], {
    encoding: 'utf8',
  });
  const names = [...help.matchAll(/^\s+(?:-\w, )?--([\w-]+)/gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(100);
  // What they want for a value is another matter.
  const problems = names.flatMap((name) => parseFlags([`--${name}=`]).problems);
  const unknown = problems.filter(({ message }) => message.includes('no known flag'));
  // roslet has them as commands.
  expect(unknown.map(({ source }) => source)).toEqual(['--help', '--version']);
}, 1_800_000);
