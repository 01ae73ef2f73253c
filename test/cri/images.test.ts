/** Pulling from a registry through containerd: references, credentials, failures, cancellation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { criRuntime } from '../../runtime/cri/index.ts';
import type { ImageService } from '../../runtime/runtime.ts';
import { silentLogger } from '../../src/log.ts';
import { relayPath, startContainerd, type TestContainerd } from '../peers/containerd.ts';
import { containerdLines } from '../peers/containerd-binaries.ts';
import { testImages } from '../peers/images.ts';
import { startRegistry, type TestRegistry } from '../peers/registry.ts';

const image = 'registry.test/library/busybox:local';
const credentials = { username: 'robot', password: 'p:ss wörd' };

describe.each(containerdLines)('images in containerd %s', (line) => {
  let registry: TestRegistry;
  let containerd: TestContainerd;
  let images: ImageService;
  const closing = new AbortController();

  beforeAll(async () => {
    registry = await startRegistry(testImages());
    containerd = await startContainerd(line, { registries: { 'registry.test': registry.url } });
    const runtime = await criRuntime({
      endpoint: containerd.endpoint,
      relayPath,
      log: silentLogger(),
      signal: closing.signal,
    });
    images = runtime.images!;
  });
  afterAll(async () => {
    closing.abort();
    await containerd?.stop();
    await registry?.stop();
  });
  beforeEach(async () => {
    registry.requireCredentials(undefined);
    registry.disturb('none');
    registry.requests.length = 0;
    // The machine's own copy shares every layer with what is pulled here, so that a pull would fetch nothing.
    for (const present of await images.listImages()) {
      if (!present.pinned) await images.removeImage(present.id);
    }
  });

  test('a pulled image is listed with its digest, and the reference names it', async () => {
    expect(await images.imageStatus(image)).toBeUndefined();
    const reference = await images.pullImage(image, undefined, undefined);
    const status = await images.imageStatus(reference);
    expect(status?.repoTags).toEqual([image]);
    expect(status?.repoDigests[0]).toMatch(/^registry\.test\/library\/busybox@sha256:[0-9a-f]{64}$/);
    expect(status?.sizeBytes).toBeGreaterThan(100_000);
    expect((await images.listImages()).map(({ id }) => id)).toContain(status?.id);
    expect(await images.imageStatus(image)).toEqual(status);
    expect(await images.imageStatus(status!.repoDigests[0]!)).toEqual(status);
  });

  test('removing an image twice succeeds', async () => {
    await images.pullImage(image, undefined, undefined);
    await images.removeImage(image);
    await images.removeImage(image);
    expect(await images.imageStatus(image)).toBeUndefined();
  });

  test('credentials open a closed registry, as a pair or encoded', async () => {
    registry.requireCredentials(credentials);
    await expect(images.pullImage(image, undefined, undefined)).rejects.toThrow(/401|authorization/i);
    await expect(images.pullImage(image, { ...credentials, password: 'wrong' }, undefined)).rejects.toThrow(
      /401|authorization/i,
    );
    await images.pullImage(image, credentials, undefined);
    await images.removeImage(image);
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    await images.pullImage(image, { auth }, undefined);
    expect(await images.imageStatus(image)).toBeDefined();
  });

  test('an image that the registry does not have is not found', async () => {
    await expect(
      images.pullImage('registry.test/library/nothing:here', undefined, undefined),
    ).rejects.toMatchObject({ code: 'NotFound', message: expect.stringContaining('nothing:here') });
  });

  test.each([
    { is: 'unavailable', disturbance: 'unavailable' },
    { is: 'cut off in the middle', disturbance: 'break' },
  ] as const)('a registry that is $is fails the pull, and the next one works', async ({ disturbance }) => {
    registry.disturb(disturbance);
    await expect(images.pullImage(image, undefined, undefined)).rejects.toThrow(/busybox/);
    registry.disturb('none');
    await images.pullImage(image, undefined, undefined);
  });

  test('an abort ends a pull that makes no progress', async () => {
    registry.disturb('stall');
    const giveUp = new AbortController();
    const pull = images.pullImage(image, undefined, undefined, giveUp.signal);
    await expect.poll(() => registry.requests.some((request) => request.includes('/blobs/'))).toBe(true);
    giveUp.abort();
    await expect(pull).rejects.toMatchObject({ code: 'Cancelled' });
  });

  test('the file system of the images is told', async () => {
    const [filesystem] = await images.imageFsInfo();
    expect(filesystem?.mountpoint).toMatch(containerd.root);
    expect(filesystem?.timestampMs).toBeGreaterThan(0);
  });
});
