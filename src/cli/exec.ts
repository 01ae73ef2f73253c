/** `roslet exec` and `roslet attach`. */
import { type Client, resourcePath } from './client.ts';
import { joinProcess } from './process-stream.ts';

export interface ExecOptions {
  namespace: string;
  pod: string;
  container?: string;
  stdin: boolean;
  tty: boolean;
}

export async function exec(
  client: Client,
  o: ExecOptions,
  command: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  return await join(client, 'exec', o, command, signal);
}

export async function attach(client: Client, o: ExecOptions, signal: AbortSignal): Promise<number> {
  return await join(client, 'attach', o, [], signal);
}

async function join(
  { socketPath }: Client,
  kind: 'exec' | 'attach',
  o: ExecOptions,
  command: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const tty = o.tty && o.stdin && process.stdin.isTTY;
  if (o.tty && !tty)
    process.stderr.write('No terminal is used: the input is none (-i and a terminal are needed)\n');
  const query = new URLSearchParams({
    stdin: String(o.stdin),
    stdout: 'true',
    stderr: String(!tty),
    tty: String(tty),
    ...(o.container && { container: o.container }),
  });
  for (const word of command) query.append('command', word);
  const path = `${resourcePath('pods', o.namespace, o.pod)}/${kind}?${query}`;
  return await joinProcess({ socketPath, path, stdin: o.stdin, tty }, signal);
}
