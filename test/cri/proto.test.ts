/**
 * Our proto files hold the part of others' that we use. Names, types and numbers of every message, field, enum value
 * and call are held here against the originals, which are Go modules.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cacheDir } from '../peers/cache.ts';

const modules = {
  cri: 'k8s.io/cri-api@v0.34.4',
  containerd: 'github.com/containerd/containerd/api@v1.8.0',
};

const ownDir = join(import.meta.dirname, '..', '..', 'runtime', 'cri');
const path = `${process.env.PATH}:/usr/local/go/bin`;
const hasGo = path.split(':').some((dir) => existsSync(join(dir, 'go')));

describe.skipIf(!hasGo)('the wire format (needs Go to fetch the originals)', () => {
  test('of CRI is that of Kubernetes', () => {
    const original = declarations(read(modules.cri, 'pkg/apis/runtime/v1/api.proto'));
    const own = declarations(readFileSync(join(ownDir, 'runtime.proto'), 'utf8'));
    expect(own.size).toBeGreaterThan(250);
    for (const [name, declaration] of own) expect([name, original.get(name)]).toEqual([name, declaration]);
  });

  test("of events is containerd's", () => {
    const files = [
      'services/events/v1/events.proto',
      'types/event.proto',
      'events/task.proto',
      'events/container.proto',
    ];
    const original = new Map(files.flatMap((file) => [...declarations(read(modules.containerd, file))]));
    const own = declarations(readFileSync(join(ownDir, 'containerd-events.proto'), 'utf8'));
    // Any is protobuf's own; ours has the same two fields.
    for (const name of ['Any.type_url', 'Any.value']) own.delete(name);
    expect(own.size).toBeGreaterThan(8);
    for (const [name, declaration] of own) expect([name, original.get(name)]).toEqual([name, declaration]);
  });
});

function read(module: string, file: string): string {
  const output = execFileSync('go', ['mod', 'download', '-json', module], {
    cwd: cacheDir(),
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return readFileSync(join((JSON.parse(output) as { Dir: string }).Dir, file), 'utf8');
}

/** `Message.field` -> `repeated string = 3`, `Enum.VALUE` -> `= 0`, `Service.Call` -> `(Request) returns (Response)`. */
function declarations(proto: string): Map<string, string> {
  const found = new Map<string, string>();
  const tokens = proto.replaceAll(/\/\*.*?\*\/|\/\/[^\n]*/gs, '').match(/"[^"]*"|<|>|[\w.]+|[^\s\w]/g) ?? [];
  const scopes: { kind: string; name: string }[] = [];
  let statement: string[] = [];
  for (const token of tokens) {
    if (token === '{') {
      const [kind = '', name = ''] = statement;
      if (kind === 'rpc') addCall(found, scopes.at(-1)?.name ?? '', statement);
      scopes.push({ kind, name });
      statement = [];
    } else if (token === '}') {
      scopes.pop();
      statement = [];
    } else if (token === ';') {
      const scope = scopes.at(-1);
      if (statement[0] === 'rpc') addCall(found, scope?.name ?? '', statement);
      else if (scope?.kind === 'message' || scope?.kind === 'enum') addField(found, scope.name, statement);
      statement = [];
    } else statement.push(token);
  }
  return found;
}

function addField(found: Map<string, string>, scope: string, statement: string[]): void {
  const equals = statement.indexOf('=');
  if (equals < 1) return;
  const name = statement[equals - 1] ?? '';
  // A type is named without its package: the originals import what we declare.
  const type = statement.slice(0, equals - 1).map((token) => token.slice(token.lastIndexOf('.') + 1));
  found.set(`${scope}.${name}`, `${type.join(' ')} = ${statement[equals + 1]}`);
}

function addCall(found: Map<string, string>, service: string, [, name, ...signature]: string[]): void {
  found.set(
    `${service}.${name}`,
    signature.map((token) => token.slice(token.lastIndexOf('.') + 1)).join(' '),
  );
}
