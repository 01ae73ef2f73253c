/** Probes by opening a TCP connection: that it opens is success. */
import { connect } from 'node:net';
import type { TCPSocketAction } from '../api/core.gen.ts';
import type { AnyContainer } from '../pods/identity.ts';
import { startDeadline } from './deadline.ts';
import { networkErrorText } from './network-error.ts';
import type { AttemptOptions, ProbeOutcome } from './outcome.ts';
import { hostAndPort, resolvePort, targetHost } from './port.ts';

export async function probeTcp(
  action: TCPSocketAction,
  { container, podIp }: { container: AnyContainer; podIp: string },
  { timeoutMs, signal }: AttemptOptions,
): Promise<ProbeOutcome> {
  const port = resolvePort(action.port, container);
  const host = targetHost(action.host, podIp);
  const address = hostAndPort(host, port);
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const settle = (outcome: ProbeOutcome) => {
      deadline.clear();
      signal.removeEventListener('abort', abort);
      resolve(outcome);
    };
    const deadline = startDeadline(timeoutMs, () => {
      socket.destroy();
      settle({ result: 'failure', output: `dial tcp ${address}: i/o timeout`, timedOut: true });
    });
    const abort = () => {
      deadline.clear();
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', (error) => settle({ result: 'failure', output: networkErrorText(error, address) }));
    socket.once('connect', () => {
      settle({ result: 'success', output: '' });
      closeGently(socket);
    });
  });
}

const lingerMs = 1000;

/** Says goodbye as a client does; only a server that does not close its side is reset, so that no socket lingers. */
function closeGently(socket: import('node:net').Socket): void {
  socket.resume();
  socket.end();
  const timer = setTimeout(() => socket.resetAndDestroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}
