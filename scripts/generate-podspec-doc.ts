/**
 * Writes docs/podspec.md, the list of what roslet does with each field of a pod, from the table that pods are held
 * against. `--check` fails when the committed file is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { apiRelease } from '../src/api/core.gen.ts';
import { type SupportSection, supportSections } from '../src/api/support.ts';
import type { Support } from '../src/api/support-tables.ts';

const OUT = new URL('../docs/podspec.md', import.meta.url);

const levels: Record<Support['level'], string> = {
  supported: 'yes',
  partly: 'partly',
  refused: 'refused',
  noEffect: 'no effect',
};

function fieldRow(name: string, support: Support): string {
  const note = support.note ?? '';
  const values = support.level === 'partly' ? support.values.filter((value) => value !== '') : [];
  const allowed = values.length === 0 ? '' : `only ${values.map((value) => `\`${value}\``).join(', ')}: `;
  const elsewhere = 'inCluster' in support ? '; as the node of a cluster: yes' : '';
  return `| \`${name}\` | ${levels[support.level]} | ${allowed}${note}${elsewhere} |`;
}

function sectionText({ fields, paths, typeName }: SupportSection): string {
  const places = paths.map((path) => `\`${path}\``).join(', ');
  const isPlain = fields.every(({ support }) => support.level === 'supported' && support.note === undefined);
  if (isPlain) {
    const names = fields.map(({ name }) => `\`${name}\``).join(', ');
    return `### ${typeName}\n\nIn ${places}. All of it: ${names}.\n`;
  }
  const rows = fields.map(({ name, support }) => fieldRow(name, support)).join('\n');
  return `### ${typeName}\n\nIn ${places}.\n\n| field | supported | |\n|---|---|---|\n${rows}\n`;
}

const sections = supportSections();
const all = sections.flatMap(({ fields }) => fields.map(({ support }) => support.level));
const count = (level: Support['level']): number => all.filter((item) => item === level).length;

const text = `# What roslet does with a PodSpec

Written by \`scripts/generate-podspec-doc.ts\` from \`src/api/support-tables.ts\`: do not edit. Fields are those of
core/v1 in Kubernetes ${apiRelease}. Of ${all.length} fields ${count('supported')} are supported, ${count('partly')} with some values only,
${count('noEffect')} have no effect on a single node and ${count('refused')} are refused.

- **yes**: as the kubelet does it.
- **partly**: with the values named; a pod with another is refused.
- **no effect**: accepted, and nothing comes of it here.
- **refused**: a pod that has it does not run. The event and \`roslet lint\` name the field and the reason.

Fields that the Kubernetes API does not have are refused as well, with the name that was probably meant.

${sections.map(sectionText).join('\n')}`;

if (process.argv.includes('--check')) {
  if (readFileSync(OUT, 'utf8') !== text) {
    console.error('docs/podspec.md is out of date: run node scripts/generate-podspec-doc.ts');
    process.exit(1);
  }
} else writeFileSync(OUT, text);
