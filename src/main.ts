/** The composition root: with main/, the only place that knows every implementation. Configuration in, a running agent out. */
import { writeFile } from 'node:fs/promises';
import { cliMain } from './cli/index.ts';
import { runHelp } from './config/help.ts';
import { loadConfig } from './config/load.ts';
import { ConfigError } from './config/problems.ts';
import { createLogger, type Logger } from './log.ts';
import { ros } from './main/ros.ts';
import { runAgent } from './main/run-agent.ts';
import { agentPaths } from './paths.ts';
import { CgroupError } from './resources/cgroup-layout.ts';
import { lockCgroups } from './resources/cgroup-lock.ts';
import { podsCgroup } from './resources/cgroups.ts';
import { prepareRootDir, RootDirError } from './root-dir.ts';
import { ListenError } from './server/socket.ts';
import { acquireLock, LockError } from './store/lock.ts';
import { StoreError } from './store/store.ts';

/** What a user can do something about: their message says what. */
const expectedErrors = [ConfigError, RootDirError, LockError, StoreError, CgroupError, ListenError];

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
    await setOomScore(config.oomScoreAdj, log);
    const paths = agentPaths(config.rootDir, config.podLogsDir);
    await prepareRootDir(paths);
    const locks = [await acquireLock(paths.lockPath)];
    try {
      if (config.cgroupsPerQos)
        locks.push(await lockCgroups(podsCgroup(config.cgroupDriver, config.cgroupRoot)));
      const onLogLine = (listener: (json: string) => void) => {
        logLines.add(listener);
        return () => logLines.delete(listener);
      };
      await runAgent(config, { configz, log, onLogLine }, AbortSignal.any([signal, ending.signal]));
    } finally {
      ending.abort();
      for (const lock of locks) await lock.release();
    }
    return 0;
  } catch (err) {
    if (!expectedErrors.some((expected) => err instanceof expected)) throw err;
    console.error(`roslet: ${(err as Error).message}`);
    return 1;
  }
}

/** What the agent starts inherits it; the processes of pods have their own. */
async function setOomScore(score: number | undefined, log: Logger): Promise<void> {
  if (score === undefined) return;
  try {
    await writeFile('/proc/self/oom_score_adj', String(score));
  } catch (err) {
    log.warn({ err, oomScoreAdj: score }, 'oomScoreAdj has no effect: only root may lower it');
  }
}

// As Node has it for a module that waits for what never comes.
process.exitCode = 13;
// Last, when all of the above is there.
void cliMain(process.argv.slice(2), {
  run,
  ros,
  doctor: async () => (await import('./main/doctor.ts')).doctorAccess,
}).then((code) => {
  process.exitCode = code;
});
