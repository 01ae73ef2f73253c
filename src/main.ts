/** The composition root: with main/, the only place that knows every implementation. Configuration in, a running agent out. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cliMain } from './cli/index.ts';
import { runHelp } from './config/help.ts';
import { loadConfig } from './config/load.ts';
import { ConfigError } from './config/problems.ts';
import { createLogger } from './log.ts';
import { ros } from './main/ros.ts';
import { runAgent } from './main/run-agent.ts';
import { agentPaths } from './paths.ts';
import { ListenError } from './server/socket.ts';
import { acquireLock, LockError } from './store/lock.ts';

/** Returns the exit code. */
async function run(argv: string[], signal: AbortSignal): Promise<number> {
  process.title = 'roslet';
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(runHelp());
    return 0;
  }
  const ending = new AbortController();
  try {
    const { config, warnings, configz } = await loadConfig(argv);
    const logLines = new Set<(json: string) => void>();
    const log = createLogger(config.log, (json) => {
      for (const listener of logLines) listener(json);
    });
    for (const warning of warnings) log.warn(warning);
    await mkdir(config.rootDir, { recursive: true, mode: 0o755 });
    // Others than root have no business among pods' volumes and logs; the socket beside them is theirs to use.
    for (const dir of ['pods', 'log', 'process', 'store']) {
      await mkdir(join(config.rootDir, dir), { recursive: true, mode: 0o700 });
      await chmod(join(config.rootDir, dir), 0o700);
    }
    const lock = await acquireLock(agentPaths(config.rootDir).lockPath);
    try {
      const onLogLine = (listener: (json: string) => void) => {
        logLines.add(listener);
        return () => logLines.delete(listener);
      };
      await runAgent(config, { configz, log, onLogLine }, AbortSignal.any([signal, ending.signal]));
    } finally {
      ending.abort();
      await lock.release();
    }
    return 0;
  } catch (err) {
    if (!(err instanceof ConfigError || err instanceof LockError || err instanceof ListenError)) throw err;
    console.error(`roslet: ${err.message}`);
    return 1;
  }
}

// Last, when all of the above is there.
process.exitCode = await cliMain(process.argv.slice(2), { run, ros });
