/** `/debug/pprof`: profiles of the agent itself, in the formats of V8 that browsers' developer tools open. */
import type { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { notFound } from './errors.ts';
import { type Exchange, intParam, sendText } from './http.ts';

const defaultSeconds = 30;

/** @throws ApiError */
export async function sendProfile({ res, query, signal }: Exchange, name: string): Promise<void> {
  const ms = (intParam(query, 'seconds', 1) ?? defaultSeconds) * 1000;
  switch (name) {
    case '':
      sendText(res, 200, index);
      return;
    case 'cmdline':
      sendText(res, 200, process.argv.join('\0'));
      return;
    case 'profile':
      sendText(res, 200, JSON.stringify(await cpuProfile(ms, signal)), 'application/json');
      return;
    case 'heap':
      sendText(res, 200, JSON.stringify(await heapProfile(ms, signal)), 'application/json');
      return;
    default:
      throw notFound('profile', name);
  }
}

const index = `profile?seconds=30   where the time goes: save it as x.cpuprofile
heap?seconds=30      who allocates what: save it as x.heapprofile
cmdline              the agent's command line
`;

const cpuProfile = (ms: number, signal: AbortSignal): Promise<object> =>
  inspected(async (session) => {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await sleep(ms, undefined, { signal });
    return (await session.post('Profiler.stop')).profile;
  });

const heapProfile = (ms: number, signal: AbortSignal): Promise<object> =>
  inspected(async (session) => {
    await session.post('HeapProfiler.startSampling');
    await sleep(ms, undefined, { signal });
    return (await session.post('HeapProfiler.stopSampling')).profile;
  });

/** The inspector of this process alone: no port is opened. To disconnect ends what was started. */
async function inspected(profile: (session: Session) => Promise<object>): Promise<object> {
  const inspector = process.getBuiltinModule('node:inspector/promises');
  const session = new inspector.Session();
  session.connect();
  try {
    return await profile(session);
  } finally {
    session.disconnect();
  }
}
