import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type LintReport, lintFile } from './lint.ts';

const lint = (text: string): LintReport => lintFile('pod.yaml', text, { nodeName: 'robot-1' });

const pod = (name: string, spec: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  ${spec}\n  containers:\n  - {name: main, image: x}\n`;

describe('lint', () => {
  it('tells what is fine', () => {
    expect(lint(pod('talker', 'hostNetwork: true'))).toEqual({
      errors: [],
      warnings: [],
      objects: ['Pod default/talker'],
      text: 'pod.yaml: Pod default/talker is fine',
    });
    expect(lint('# nothing yet\n').text).toBe('pod.yaml: asks for nothing');
  });

  it('tells what cannot be decoded, what breaks a rule and what is not supported, in the order of the file', () => {
    const text = `${pod('Talker', 'hostUsers: false')}---\n${pod('b', 'restartpolicy: x')}`;
    expect(lint(text).text.split('\n')).toEqual([
      expect.stringMatching(/^pod\.yaml:3:12: metadata\.name: must have only lower case letters/),
      'pod.yaml:5:3: spec.hostUsers: false is not supported: user namespaces are not supported yet',
      expect.stringMatching(/^pod\.yaml:13:3: spec\.restartpolicy: .*did you mean "restartPolicy"/),
    ]);
  });

  it('holds the name as it will be, with that of the node behind it', () => {
    expect(lint(pod('a'.repeat(245), 'hostNetwork: true')).errors).toEqual([]);
    expect(lint(pod('a'.repeat(246), 'hostNetwork: true')).errors).toMatchObject([
      { path: 'metadata.name', line: 3 },
    ]);
  });

  it('refuses a pod for another node', () => {
    expect(lint(pod('a', 'nodeName: robot-1')).errors).toEqual([]);
    expect(lint(pod('a', 'nodeName: robot-2')).text).toBe(
      'pod.yaml:5:3: spec.nodeName: asks for node robot-2, and this is node robot-1: leave it out or move the manifest',
    );
  });
});

it('lint tells of nodes on Fast DDS that will not be heard, and that is no error', () => {
  const env = '[{name: ROS_AUTOMATIC_DISCOVERY_RANGE, value: LOCALHOST}]';
  const text = (spec: string) => pod('talker', spec).replace('image: x', `image: x, env: ${env}`);
  const report = lint(`${text('hostNetwork: true')}---\n${text('hostIPC: true')}`);
  expect(report.errors).toEqual([]);
  expect(report.text.split('\n')).toEqual([
    expect.stringMatching(
      /^pod\.yaml:7:\d+: spec\.containers\[0\]\.env: .* Set hostIPC: true.* \(a warning\)$/,
    ),
    'pod.yaml: Pod default/talker is fine',
  ]);
});

it('lint tells it of init containers, too', () => {
  const init =
    'initContainers: [{name: first, image: x, env: [{name: ROS_AUTOMATIC_DISCOVERY_RANGE, value: LOCALHOST}]}]';
  const report = lint(pod('talker', `hostNetwork: true\n  ${init}`));
  expect(report.warnings).toMatchObject([{ path: 'spec.initContainers[0].env' }]);
});

describe('the examples', () => {
  const dir = new URL('../../examples/', import.meta.url);
  it.each(readdirSync(dir).filter((name) => name.endsWith('.yaml')))('%s is fine', (name) => {
    const report = lintFile(name, readFileSync(new URL(name, dir), 'utf8'), { nodeName: 'robot-1' });
    expect(report.text).toMatch(/^.*is fine$/s);
    expect(report.errors).toEqual([]);
  });
});
