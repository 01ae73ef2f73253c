/**
 * The last words of a container that ended: what it wrote to its terminationMessagePath, or with the policy
 * FallbackToLogsOnError the end of its log when it failed and wrote nothing. Sizes are the kubelet's.
 */
import { open } from 'node:fs/promises';
import type { ContainerStatus } from '../../runtime/runtime.ts';
import { messageOf } from '../error-message.ts';
import { terminationMessageHostPathAnnotation, terminationMessagePolicyAnnotation } from './identity.ts';

const maxMessageBytes = 4096;
const maxLogMessageBytes = 2048;
const maxLogMessageLines = 80;

/** Empty when there is none. What cannot be read says so: it is the user's only trace. */
export async function terminationMessage(instance: ContainerStatus, signal: AbortSignal): Promise<string> {
  const path = instance.annotations[terminationMessageHostPathAnnotation];
  const message = path === undefined ? '' : await readEnd(path, maxMessageBytes, signal);
  if (message !== '' || instance.exitCode === 0) return message;
  if (instance.annotations[terminationMessagePolicyAnnotation] !== 'FallbackToLogsOnError') return '';
  return logEnd(await readEnd(instance.logPath, 64 * 1024, signal));
}

/** The text of the last lines of a log in CRI's format: `<time> <stream> <P|F> <text>`. */
export function logEnd(log: string): string {
  const lines: string[] = [];
  let partial = '';
  for (const line of log.split('\n')) {
    const match = /^\S+ (?:stdout|stderr) ([PF])(?:\S*) ?(.*)$/.exec(line);
    if (match === null) continue;
    partial += match[2];
    if (match[1] === 'P') continue;
    lines.push(`${partial}\n`);
    partial = '';
  }
  if (partial !== '') lines.push(partial);
  const text = lines.slice(-maxLogMessageLines).join('');
  return Buffer.from(text).subarray(-maxLogMessageBytes).toString();
}

async function readEnd(path: string, maxBytes: number, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString();
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'ENOENT') return '';
    return `Error on reading termination message from ${path}: ${messageOf(err)}`;
  }
}
