/**
 * Tells systemd how the agent is (sd_notify(3)): ready, stopping, a status line, and the watchdog's sign of life.
 * The protocol is a datagram to the unix socket named by NOTIFY_SOCKET. Node has no unix datagrams, so systemd's own
 * `systemd-notify` sends them; run as root it speaks for the process that started it, as `NotifyAccess=main` wants.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from './log.ts';

export interface SystemdNotifier {
  /** The agent is up: `systemctl start` returns. */
  ready(): Promise<void>;
  stopping(): Promise<void>;
  /** One line that `systemctl status` shows. */
  status(text: string): Promise<void>;
  /** Ends feeding the watchdog. */
  [Symbol.dispose](): void;
}

export interface SystemdOptions {
  env: Readonly<Record<string, string | undefined>>;
  log: Logger;
  /** Asked before each sign of life: while it says false systemd hears nothing and in the end restarts the agent. */
  healthy: () => boolean;
}

/** Does nothing where systemd did not start the process. Feeds the watchdog as soon as it is made. */
export function systemdNotifier({ env, log, healthy }: SystemdOptions): SystemdNotifier {
  const socket = env.NOTIFY_SOCKET;
  const send = async (state: string): Promise<void> => {
    if (!socket) return;
    try {
      await promisify(execFile)('systemd-notify', [state], { env: { ...env }, timeout: sendTimeoutMs });
    } catch (err) {
      log.error(
        { err, state },
        'cannot tell systemd; it may restart the agent: is systemd-notify installed?',
      );
    }
  };
  const watchdog = startWatchdog(watchdogIntervalMs(env), async () => {
    if (healthy()) await send('WATCHDOG=1');
    else log.error('the agent does not make progress: withholding the sign of life from systemd');
  });
  return {
    ready: () => send('READY=1'),
    stopping: () => send('STOPPING=1'),
    status: (text) => send(`STATUS=${text.replaceAll('\n', ' ')}`),
    [Symbol.dispose]: () => clearInterval(watchdog),
  };
}

const sendTimeoutMs = 5000;

/** A third of systemd's limit, so that one late or lost sign does no harm. Undefined: no watchdog for this process. */
function watchdogIntervalMs(env: SystemdOptions['env']): number | undefined {
  const limitUs = Number(env.WATCHDOG_USEC);
  const forUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid;
  return env.NOTIFY_SOCKET && forUs && limitUs > 0 ? limitUs / 1000 / 3 : undefined;
}

function startWatchdog(
  intervalMs: number | undefined,
  feed: () => Promise<void>,
): NodeJS.Timeout | undefined {
  return intervalMs === undefined ? undefined : setInterval(() => void feed(), intervalMs);
}
