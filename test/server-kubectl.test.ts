/** The real kubectl against the agent's API, which it reaches over a relay from a loopback port to the socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAgent, until } from './agent.ts';
import { kubernetesBinaries } from './peers/kubernetes-binaries.ts';
import { relayTo, type SocketRelay } from './peers/socket-relay.ts';

describe('kubectl', () => {
  let program: string;
  let agent: TestAgent;
  let relay: SocketRelay;
  let file: string;
  beforeAll(async () => {
    program = join(await kubernetesBinaries('kubectl'), 'kubectl');
    agent = await TestAgent.create();
    await agent.start();
    file = join(agent.dir, 'web.yaml');
    relay = await relayTo(join(agent.root, 'roslet.sock'));
  }, 1_800_000);
  afterAll(async () => {
    relay.close();
    expect(await agent.remove()).toEqual([]);
  });

  const start = (...args: string[]) => {
    const env = { ...process.env, KUBECONFIG: '/dev/null', HOME: agent.dir };
    const child = spawn(program, ['--server', relay.url, ...args], { env });
    const output = { text: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.text += chunk.toString()));
    return { child, output, exit: once(child, 'close').then(([code]) => code as number | null) };
  };
  const kubectl = async (...args: string[]): Promise<string> => {
    const { output, exit } = start(...args);
    if ((await exit) !== 0) throw new Error(`kubectl ${args.join(' ')}: ${output.text}`);
    return output.text;
  };

  const manifest = (image = 'none') => `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  runtimeClassName: host-process
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: '${image}', command: [sh, -c, 'echo hello; while true; do sleep 0.1; done']}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {token: abc}
`;

  it('applies, lists, watches and describes', async () => {
    await writeFile(file, manifest());
    const watch = start('get', 'pods', '--watch');
    expect(await kubectl('apply', '-f', file)).toBe('pod/web created\nsecret/key created\n');
    await kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=60s');
    await until('the watch shows it', async () => /web +1\/1 +Running/.test(watch.output.text));
    watch.child.kill();

    expect(await kubectl('get', 'pods', '-o', 'wide')).toMatch(/web +1\/1 +Running +0 .* robot /);
    expect(await kubectl('get', 'pods,secrets,nodes', '-A')).toMatch(
      /pod\/web.*secret\/key +Opaque +1.*node\/robot +Ready/s,
    );
    expect(await kubectl('get', 'pod', 'web', '-o', 'jsonpath={.status.phase}')).toBe('Running');
    expect(await kubectl('get', 'pods', '-l', 'app in (web),!x', '-o', 'name')).toBe('pod/web\n');
    expect(await kubectl('describe', 'pod', 'web')).toMatch(/State: +Running.*Started container main/s);
    expect(await kubectl('get', 'events', '--field-selector', 'involvedObject.name=web')).toMatch(
      /Started +pod\/web/,
    );
    expect(await kubectl('get', 'secret', 'key', '-o', 'jsonpath={.data.token}')).toBe('YWJj');
    expect(await kubectl('api-resources', '--verbs=watch', '-o', 'name')).toMatch(
      /^configmaps\nevents\nnodes\npods\nsecrets\n$/,
    );
  });

  it('changes what may be changed and refuses what may not, by each kind of patch', async () => {
    await kubectl('label', 'pod', 'web', 'tier=front');
    await kubectl('annotate', 'pod', 'web', 'note=x');
    await kubectl(
      'patch',
      'pod',
      'web',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/metadata/annotations/note"}]',
    );
    expect(await kubectl('get', 'pod', 'web', '--show-labels')).toContain('app=web,tier=front');
    await writeFile(file, manifest().replace('hello', 'goodbye'));
    await expect(kubectl('apply', '-f', file)).rejects.toThrow(/pod updates may not change fields/);
    await expect(kubectl('apply', '--server-side', '-f', file)).rejects.toThrow(/leave out --server-side/);
    await writeFile(file, manifest().replace('hostNetwork', 'hostNetwerk'));
    await expect(kubectl('apply', '-f', file)).rejects.toThrow(
      /strict decoding error: spec\.hostNetwerk.*hostNetwork/,
    );
  });

  it('reads logs and runs commands', async () => {
    expect(await kubectl('logs', 'web')).toBe('hello\n');
    expect(await kubectl('logs', 'web', '--timestamps', '--tail=1')).toMatch(/^\d{4}-\S+ hello\n$/);
    const { child, output, exit } = start('exec', '-i', 'web', '--', 'sh', '-c', 'cat; echo err >&2; exit 5');
    child.stdin.end('input\n');
    expect(await exit).toBe(5);
    expect(output.text).toMatch(/input\n.*err|err.*input\n/s);
  });

  it('forwards a port', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nfrom the pod'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { child, output } = start('port-forward', 'web', `:${(server.address() as AddressInfo).port}`);
    const local = await until('it listens', async () => /127\.0\.0\.1:(\d+)/.exec(output.text)?.[1]);
    const body = await new Promise<string>((resolve, reject) => {
      get(`http://127.0.0.1:${local}/`, (response) => text(response).then(resolve, reject)).on(
        'error',
        reject,
      );
    });
    child.kill();
    server.close();
    expect(body).toBe('from the pod');
  });

  it('deletes and waits until the pod is gone', async () => {
    await writeFile(file, manifest());
    expect(await kubectl('delete', '-f', file)).toBe(
      'pod "web" deleted from default namespace\nsecret "key" deleted from default namespace\n',
    );
    expect(await agent.pods()).toEqual([]);
  });
});
