/** `roslet version`: ours and the agent's, which may be an older one that still runs. */

import { version as ownVersion } from '../version.ts';
import type { Client } from './client.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';

export async function version(client: Client): Promise<number> {
  print(`roslet ${ownVersion} (node ${process.versions.node})`);
  try {
    const agent = await client.json<{ gitVersion: string }>('GET', '/version');
    print(`agent  ${agent.gitVersion} at ${client.socketPath}`);
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    print(`agent  not reached: ${err.message.split('\n')[0]}`);
  }
  return 0;
}
