/** The command line as people use it, against a running agent: what it prints, and how it exits. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import type { Pod } from '../src/api/core.gen.ts';
import { nodeName, TestAgent, until } from './agent.ts';

let agent: TestAgent;
beforeAll(async () => {
  agent = await TestAgent.create();
  await agent.start();
  await agent.apply('tool.yaml', pod('tool', 'while true; do sleep 0.1; done', 'stdin: true, tty: false, '));
  await agent.ready('tool');
});
afterAll(async () => {
  expect(await agent.remove()).toEqual([]);
});

const pod = (name: string, command: string, container = ''): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: none, ${container}command: [sh, -c, ${JSON.stringify(command)}]}
`;

const program = new URL('../bin/roslet', import.meta.url).pathname;
const start = (...args: string[]) => {
  const child = spawn(program, ['--root-dir', agent.root, ...args], {
    env: { ...process.env, NO_COLOR: '1' },
  });
  const output = { text: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.text += chunk.toString()));
  return { child, output, exit: once(child, 'close').then(([code]) => code as number | null) };
};

describe('pods', () => {
  it('lists them in every format', async () => {
    expect(await agent.cli('pods')).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE\ntool-robot +1\/1 +Running +0 +\d+s\n$/,
    );
    expect(await agent.cli('pods', '-o', 'wide', '-A')).toMatch(/NAMESPACE.*NODE.*default.*robot/s);
    expect(await agent.cli('pods', '-o', 'name')).toBe('pod/tool-robot\n');
    expect((JSON.parse(await agent.cli('pods', 'tool-robot', '-o', 'json')) as Pod).metadata?.name).toBe(
      'tool-robot',
    );
    expect(await agent.cli('pods', '-o', 'yaml')).toMatch(/kind: PodList.*name: tool-robot/s);
    expect(await agent.cli('pods', '-l', 'app=tool', '-o', 'name')).toBe('pod/tool-robot\n');
  });

  it('says where pods are when there are none here', async () => {
    expect(await agent.cli('pods', '-n', 'other')).toBe(
      'No pods found in namespace other (1 in other namespaces: add -A)\n',
    );
    expect(await agent.tryCli('pods', 'nope')).toEqual({
      code: 1,
      output: 'roslet: pods "nope" not found\n',
    });
  });

  it('tells which manifests are refused, and why', async () => {
    await agent.apply('bad.yaml', pod('bad', 'true').replace('hostNetwork', 'hostNetwerk'));
    const output = await until('the refusal is shown', async () => {
      const text = await agent.cli('pods');
      return text.includes('refused') && text;
    });
    expect(output).toMatch(/bad\.yaml:6: spec\.hostNetwerk: PodSpec has .*hostNetwork/);
    await agent.unapply('bad.yaml');
  });

  it('follows changes line by line where there is no terminal', async () => {
    const { child, output, exit } = start('pods', '-w');
    await until('the first pod is shown', async () => output.text.includes('tool-robot'));
    await agent.apply('later.yaml', pod('later-and-longer', 'sleep 1000'));
    await until('the new pod is shown', async () =>
      /later-and-longer-robot +1\/1 +Running/.test(output.text),
    );
    await agent.unapply('later.yaml');
    child.kill('SIGINT');
    expect(await exit).toBe(0);
    expect(output.text.match(/NAME/g)).toHaveLength(1);
    const column = output.text.indexOf('STATUS');
    for (const line of output.text.split('\n').slice(1, -1))
      expect(line.slice(column - 1)).toMatch(/^ [A-Z]/);
  });

  it('draws on a terminal, cut to its size if it has one', async () => {
    const drawn = async (size: string): Promise<string> => {
      const command = `stty ${size}; NO_COLOR=1 exec ${program} --root-dir ${agent.root} pods -w`;
      const terminal = spawn('script', ['-qec', command, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let output = '';
      terminal.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      await until('the pod is drawn', async () => /^tool/m.test(output));
      terminal.stdin.write('\x03');
      await once(terminal, 'close');
      return output;
    };
    expect(await drawn('rows 0 cols 0')).toMatch(/^tool-robot +1\/1 .*Running/m);
    expect(await drawn('rows 9 cols 9')).toMatch(/^tool-robo\r?$/m);
  });

  it('ends in silence when its reader has gone', async () => {
    const { child, output, exit } = start('pods', '-w');
    await until('the first pod is shown', async () => output.text.includes('tool-robot'));
    child.stdout.destroy();
    await agent.apply('later.yaml', pod('later', 'sleep 1000'));
    expect(await exit).toBe(128 + constants.signals.SIGPIPE);
    expect(output.text).not.toMatch(/error/i);
    await agent.unapply('later.yaml');
  });
});

describe('exec', () => {
  it('passes output, errors, input and the exit code on', async () => {
    const { code, output } = await agent.tryCli(
      'exec',
      'tool-robot',
      '--',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    expect({ code, lines: output.split('\n').sort() }).toEqual({ code: 7, lines: ['', 'err', 'out'] });

    const { child, output: copied, exit } = start('exec', '-i', 'tool-robot', '--', 'wc', '-c');
    child.stdin.end('x'.repeat(3_000_000));
    expect(await exit).toBe(0);
    expect(copied.text.trim()).toBe('3000000');
  });

  it('gives a terminal with the size of ours', async () => {
    const command = `stty rows 33 cols 99; exec ${program} --root-dir ${agent.root} exec -it tool-robot -- stty size`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    terminal.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await once(terminal, 'close');
    expect(output).toContain('33 99');
  });

  it('leaves the agent well when the client is killed in the middle, and ends the command', async () => {
    const { child, output } = start('exec', 'tool-robot', '--', 'yes');
    await until('output comes', async () => output.text.length > 0);
    child.kill('SIGKILL');
    await until('the command has ended', async () => {
      const { code } = await agent.tryCli('exec', 'tool-robot', '--', 'pgrep', '-x', 'yes');
      return code === 1;
    });
    expect(await agent.get('/healthz')).toBe('ok');
  });

  it.each([
    [['exec', 'nope', '--', 'true'], /pods "nope" not found/],
    [['exec', '-c', 'nope', 'tool-robot', '--', 'true'], /container nope is not valid.*choose one of main/],
    [['exec', 'tool-robot', '--', '/no/such/program'], /no\/such\/program/],
    [['exec', 'tool-robot'], /missing required argument/],
  ])('%j is refused', async (args, message) => {
    const { code, output } = await agent.tryCli(...args);
    expect(output).toMatch(message);
    expect(code).not.toBe(0);
  });
});

describe('logs', () => {
  it('follows over restarts of the container', async () => {
    await agent.apply('beat.yaml', pod('beat', 'echo start $$$$; sleep 0.3; echo end; exit 1'));
    await agent.podUntil(
      'beat',
      'has started',
      (p) => p.status?.containerStatuses?.[0]?.containerID !== undefined,
    );
    const { child, output, exit } = start('logs', '-f', `beat-${nodeName}`);
    await until('two runs are seen', async () => (output.text.match(/start/g) ?? []).length >= 2, 60_000);
    child.kill('SIGINT');
    expect(await exit).toBe(0);
    expect(output.text.split('\n').slice(0, 3)).toEqual([
      expect.stringMatching(/^start \d+$/),
      'end',
      expect.stringMatching(/^start \d+$/),
    ]);
    expect(await agent.cli('logs', '--previous', '--tail', '1', `beat-${nodeName}`)).toBe('end\n');
    await agent.unapply('beat.yaml');
  });

  it('ends when the pod does', async () => {
    await agent.apply(
      'once.yaml',
      pod('once', 'echo only; sleep 0.5').replace('spec:', 'spec:\n  restartPolicy: Never'),
    );
    await agent.podUntil(
      'once',
      'has started',
      (p) => p.status?.containerStatuses?.[0]?.containerID !== undefined,
    );
    const { output, exit } = start('logs', '-f', `once-${nodeName}`);
    expect(await exit).toBe(0);
    expect(output.text).toBe('only\n');
    await agent.unapply('once.yaml');
  });
});

describe('apply and delete', () => {
  const file = (): string => join(agent.dir, 'applied.yaml');

  it('creates, leaves alone, changes, replaces and deletes what manifests say', async () => {
    const configMap = (value: string): string =>
      `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata: {key: ${value}}\n`;
    await writeFile(file(), pod('web', 'sleep 1000') + configMap('a'));
    expect(await agent.cli('apply', '-f', file())).toBe('configmap/cfg created\npod/web created\n');
    await agent.ready('web');
    expect(await agent.cli('apply', '-f', file())).toBe('configmap/cfg unchanged\npod/web unchanged\n');

    await writeFile(file(), pod('web', 'sleep 2000') + configMap('b'));
    const refused = await agent.tryCli('apply', '-f', file());
    expect(refused.output).toMatch(
      /configmap\/cfg configured.*applied\.yaml:1: .*pod updates may not change.*--force/s,
    );
    expect(refused.code).toBe(1);
    expect(await agent.cli('apply', '--force', '-f', file())).toBe(
      'configmap/cfg unchanged\npod/web replaced\n',
    );
    await agent.ready('web');

    expect((await agent.cli('delete', '-f', file())).split('\n').sort()).toEqual([
      '',
      'configmap "cfg" deleted',
      'pod "web" deleted',
    ]);
    expect(await agent.pod('web')).toBeUndefined();
  });

  it('refuses a manifest with its line, and sends nothing of it', async () => {
    await writeFile(file(), `${pod('good', 'true')}---\n${pod('bad', 'true').replace('image', 'imgae')}`);
    const { code, output } = await agent.tryCli('apply', '-f', file());
    expect(output).toMatch(/applied\.yaml:\d+:\d+: spec\.containers\[0\]\.imgae.*image/);
    expect({ code, pod: await agent.pod('good') }).toEqual({ code: 1, pod: undefined });
  });

  it('names the manifest of a static pod instead of deleting it', async () => {
    const { code, output } = await agent.tryCli('delete', 'tool-robot');
    expect({ code, output }).toEqual({
      code: 1,
      output: `pods "tool-robot" is a static pod: to remove it, remove ${join(agent.manifests, 'tool.yaml')}\n`,
    });
  });
});

describe('what else it tells', () => {
  it('describes a pod with its events, and the node', async () => {
    expect(await agent.cli('describe', 'tool-robot')).toMatch(
      /Name: +tool-robot.*State: +Running.*Events:.*Started container main/s,
    );
    expect(await agent.cli('describe', 'node')).toMatch(
      /Name: +robot.*Ready: +True.*default\/tool-robot: Running/s,
    );
    expect(await agent.cli('events', '--for', 'pod/tool-robot')).toMatch(
      /Normal +Started +pod\/tool-robot +Started container main/,
    );
    expect(await agent.cli('top')).toMatch(/robot +\d+m +\d+Mi.*tool-robot +\d+m +\d+Mi/s);
  });

  it('tells its version and that of the agent, as the node does', async () => {
    const { version } = packageJson;
    const told = await agent.cli('version');
    expect(told).toContain(`roslet ${version} (node `);
    expect(told).toMatch(new RegExp(`^agent  v1\\.\\d+\\.0\\+roslet\\.${version} at `, 'm'));
    expect(await readFile(`/proc/${agent.pid}/comm`, 'utf8')).toBe('roslet\n');
    expect(await agent.cli('describe', 'node')).toMatch(
      new RegExp(`Agent: +v1\\.\\d+\\.0\\+roslet\\.${version}\n`),
    );
  });

  it('checks manifests without an agent', async () => {
    const path = join(agent.dir, 'lint.yaml');
    await writeFile(path, pod('fine', 'true'));
    expect(await agent.cli('lint', path)).toMatch(/Pod default\/fine is fine/);
    await writeFile(path, pod('wrong', 'true').replace('command', 'comand'));
    expect(await agent.tryCli('lint', path)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/lint\.yaml:9.*comand.*command/),
    });
  });

  it('completes commands, options and names', async () => {
    expect(await agent.cli('__complete', '--', 'lo')).toBe('logs\n');
    expect(await agent.cli('__complete', '--', 'logs', '--fol')).toBe('--follow\n');
    expect(await agent.cli('__complete', '--', '--root-dir', agent.root, 'logs', 'to')).toBe('tool-robot\n');
    for (const shell of ['bash', 'zsh', 'fish'])
      expect(await agent.cli('completion', shell)).toContain('roslet __complete');
  });

  it('says how to start the agent when there is none', async () => {
    const child = spawn(program, ['--root-dir', join(agent.dir, 'nothing'), 'pods']);
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(output).toMatch(/no agent answers at .*nothing\/roslet\.sock\n.*roslet run/);
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'says in one sentence that the agent has gone: %s',
    async (signal) => {
      // A name of its own: only a pod that this agent started has events.
      const name = `voice-${signal.toLowerCase()}`;
      await agent.apply('voice.yaml', pod(name, 'while echo voice; do sleep 0.1; done'));
      await agent.ready(name);
      const following = [
        start('pods', '-w'),
        start('events', '-w', '--for', `pod/${name}-${nodeName}`),
        start('logs', '-f', `${name}-${nodeName}`),
      ];
      await until('all follow', async () => following.every(({ output }) => output.text.includes('voice')));
      await agent.stop(signal);
      for (const { output, exit } of following) {
        expect(await exit).toBe(1);
        expect(output.text).toMatch(/^roslet: the agent at .*roslet\.sock went away/m);
      }
      await agent.start();
      await agent.unapply('voice.yaml');
    },
  );
});
