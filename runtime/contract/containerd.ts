/** containerd of three release lines under the contract, through CRI. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.ts';
import { relayPath, startContainerd } from '../../test/peers/containerd.ts';
import { containerdLines } from '../../test/peers/containerd-binaries.ts';
import { busyboxImage } from '../../test/peers/images.ts';
import { criRuntime } from '../cri/index.ts';
import type { RuntimeUnderTest } from './harness.ts';

export const containerdsUnderTest: RuntimeUnderTest[] = containerdLines.map((line) => ({
  name: `containerd ${line}`,
  traits: {
    events: true,
    hostFilesystem: false,
    endsWholeCommand: false,
    endsCancelledCommand: false,
    makesMountSources: true,
    needsCni: false,
  },
  async setup() {
    const containerd = await startContainerd(line);
    const closing = new AbortController();
    const open = () =>
      criRuntime({ endpoint: containerd.endpoint, relayPath, log: silentLogger(), signal: closing.signal });
    const workDir = join(containerd.root, 'work');
    mkdirSync(workDir);
    return {
      runtime: await open(),
      reopen: open,
      image: busyboxImage,
      workDir,
      cgroupRoot: containerd.cgroupParent,
      leftovers: async () => containerd.leftovers(),
      async teardown() {
        closing.abort();
        await containerd.stop();
      },
    };
  },
}));
