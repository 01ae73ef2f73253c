/** Errors of the network in the words that people know from the kubelet's events. */
import { getSystemErrorMessage } from 'node:util';

/** `dial tcp 10.0.0.1:80: connect: connection refused`, or the error's own message. */
export function networkErrorText(error: NodeJS.ErrnoException, address: string): string {
  const text =
    error.errno !== undefined && error.errno < 0 ? getSystemErrorMessage(error.errno) : error.message;
  return error.syscall === 'connect' ? `dial tcp ${address}: connect: ${text}` : text;
}
