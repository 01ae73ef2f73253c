/**
 * The room on the file systems of volumes. One that does not answer, such as that of a server out of reach, takes one of
 * the few threads that all work on files is done by, for as long: it is not asked a second time before it has answered.
 */
import { type FilesystemSpace, filesystemSpace } from './node-usage.ts';

/** @throws Error when the file system does not answer in time, or none is asked any more because others do not */
export type VolumeSpace = (path: string) => Promise<FilesystemSpace>;

export function volumeSpace(read: VolumeSpace = filesystemSpace, answerMs = 1000): VolumeSpace {
  const asked = new Map<string, { answer: Promise<FilesystemSpace>; isLate: boolean }>();

  const ask = (path: string) => {
    const asking = { answer: read(path).finally(() => asked.delete(path)), isLate: false };
    asked.set(path, asking);
    return asking;
  };

  return async (path) => {
    const late = [...asked].filter(([, { isLate }]) => isLate).map(([each]) => each);
    if (late.includes(path)) throw unanswered();
    if (late.length >= mostLate) throw new Error(`the file systems of ${late.join(' and ')} do not answer`);
    const asking = asked.get(path) ?? ask(path);
    const { promise: over, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      asking.isLate = true;
      reject(unanswered());
    }, answerMs);
    try {
      return await Promise.race([asking.answer, over]);
    } finally {
      clearTimeout(timer);
    }
  };
}

const unanswered = () => new Error('its file system does not answer');

/** Of four threads. */
const mostLate = 2;
