/** Takes the lock and holds it until it is killed; starts a child that outlives it, as an agent starts containers. */
import { spawn } from 'node:child_process';
import { acquireLock } from '../../src/store/lock.ts';

await acquireLock(process.argv[2]!);
const child = spawn('sleep', ['30'], { detached: true, stdio: 'ignore' });
child.unref();
console.log(child.pid);
setInterval(() => undefined, 1000);
