/** Tells systemd what an agent tells it, with a health that goes from good to bad, and waits to be killed. */
import { silentLogger } from '../../src/log.ts';
import { systemdNotifier } from '../../src/systemd.ts';

let healthy = true;
const notifier = systemdNotifier({ env: process.env, log: silentLogger(), healthy: () => healthy });
await notifier.ready();
await notifier.status('3 pods run\nwell');
process.on('SIGUSR1', () => {
  healthy = false;
  void notifier.stopping();
});
setInterval(() => undefined, 1000);
