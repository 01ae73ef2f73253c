/** The image manager and the image collector with a real containerd and a registry on this machine. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { criRuntime } from '../runtime/cri/index.ts';
import type { ImageService } from '../runtime/runtime.ts';
import type { Pod, Secret } from '../src/api/core.gen.ts';
import { createCredentialProvider } from '../src/images/credential-provider.ts';
import { createCredentialSource } from '../src/images/credentials.ts';
import { ImageError } from '../src/images/error.ts';
import { createImageCollector } from '../src/images/gc.ts';
import { createImageManager, type ImageManager } from '../src/images/manager.ts';
import { silentLogger } from '../src/log.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { relayPath, startContainerd, type TestContainerd } from './peers/containerd.ts';
import { pauseImage, testImages } from './peers/images.ts';
import { startRegistry, type TestRegistry } from './peers/registry.ts';

const image = 'registry.test/library/busybox:local';
const credentials = { username: 'robot', password: 'p:ss wörd' };
/** A credential provider that knows one user for every registry that it is asked for. */
const loginProvider = `#!/bin/sh
registry=$(sed 's/.*"image":"\\([^"/]*\\).*/\\1/')
echo '{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderResponse","cacheKeyType":"Registry",
  "auth":{"'"$registry"'":{"username":"'"$USERNAME"'","password":"'"$PASSWORD"'"}}}'
`;
const node = { kind: 'Node', namespace: '', name: 'robot', uid: 'robot' } as const;

describe('images on containerd', () => {
  let registry: TestRegistry;
  let containerd: TestContainerd;
  let images: ImageService;
  let manager: ImageManager;
  let secret: Secret | undefined;
  let events: string[];
  let nowMs: number;
  const closing = new AbortController();
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-images-'));
    await writeFile(join(dir, 'login'), loginProvider, { mode: 0o755 });
    registry = await startRegistry(testImages());
    containerd = await startContainerd('1.6', { registries: { 'registry.test': registry.url } });
    const { endpoint } = containerd;
    const runtime = await criRuntime({ endpoint, relayPath, log: silentLogger(), signal: closing.signal });
    if (runtime.images === null) throw new Error('containerd has no images');
    images = runtime.images;
  });
  afterAll(async () => {
    closing.abort();
    await containerd?.stop();
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    registry.requireCredentials(undefined);
    registry.disturb('none');
    registry.requests.length = 0;
    secret = undefined;
    events = [];
    nowMs = Date.now();
    // The machine's own copies share every layer with what is pulled here, so that a pull would fetch nothing.
    for (const { id, repoTags } of await images.listImages()) {
      if (!repoTags.includes(pauseImage)) await images.removeImage(id);
    }
    manager = createImageManager({
      log: silentLogger(),
      events: { event: (_, __, reason, message) => void events.push(`${reason}: ${message}`) },
      credentials: createCredentialSource({
        objects: {
          configMap: async () => undefined,
          secret: async () => secret,
          onObjectChange: () => () => undefined,
        },
        configPaths: [],
        providers: [
          createCredentialProvider(
            {
              name: 'login',
              program: join(dir, 'login'),
              args: [],
              env: { USERNAME: credentials.username, PASSWORD: credentials.password },
              apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
              matchImages: ['*.test/library/configured'],
              defaultCacheMs: 0,
            },
            () => nowMs,
            silentLogger(),
          ),
        ],
      }),
      metrics: createMetrics(),
      serializeImagePulls: false,
      maxParallelImagePulls: undefined,
      registryPullQps: 0,
      registryBurst: 0,
      backoff: { initialMs: 10_000, maxMs: 300_000 },
      now: () => nowMs,
    });
  });

  const podNamed = (name: string): Pod => ({
    metadata: { name, namespace: 'default', uid: name },
    spec: { containers: [], imagePullSecrets: [{ name: 'registry' }] },
  });
  const ensure = (name = image, policy = 'IfNotPresent', pod = 'p', signal = closing.signal) =>
    manager.ensureImage(
      {
        pod: podNamed(pod),
        container: { name: 'main', image: name, imagePullPolicy: policy },
        images,
        sandboxConfig: undefined,
      },
      signal,
    );
  const failure = async (result: Promise<unknown>): Promise<ImageError> => {
    const error = await result.then(
      () => 'success',
      (reason: unknown) => reason,
    );
    if (error instanceof ImageError) return error;
    throw new Error(`expected an image error, not ${error}`);
  };
  const pulls = () =>
    registry.requests.filter((request) => request.startsWith('GET') && request.includes('/blobs/')).length;

  it('come from the registry once, and are then taken from the machine', async () => {
    const first = await ensure();
    expect(first.image).toMatchObject({ repoTags: [image] });
    const fetched = pulls();
    expect(fetched).toBeGreaterThan(0);
    expect(await ensure()).toMatchObject({ imageRef: first.image?.id });
    expect(pulls()).toBe(fetched);
    expect(events.at(-1)).toBe(`Pulled: Container image "${image}" already present on machine`);
  });

  it('are pulled once for pods that ask at the same time', async () => {
    const refs = await Promise.all(['a', 'b', 'c'].map((pod) => ensure(image, 'Always', pod)));
    expect(new Set(refs.map(({ imageRef }) => imageRef)).size).toBe(1);
    const manifests = registry.requests.filter((request) => request.endsWith('/manifests/local'));
    expect(manifests.length).toBeLessThanOrEqual(2);
  });

  it('that do not exist are told of, and backed off from', async () => {
    const missing = 'registry.test/library/missing:1';
    expect(await failure(ensure(missing))).toMatchObject({ reason: 'ErrImagePull' });
    registry.requests.length = 0;
    expect(await failure(ensure(missing))).toMatchObject({ reason: 'ImagePullBackOff' });
    expect(registry.requests).toEqual([]);
    nowMs += 10_000;
    expect(await failure(ensure(missing))).toMatchObject({ reason: 'ErrImagePull' });
  });

  it('of a closed registry need the secret of the pod, which is read anew for every try', async () => {
    registry.requireCredentials(credentials);
    expect((await failure(ensure())).reason).toBe('ErrImagePull');
    expect(events).toContain(
      'FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (secret default/registry: it does not exist); attempting to pull the image may not succeed.',
    );
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    const config = JSON.stringify({ auths: { 'registry.test/library': { auth } } });
    secret = {
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
    };
    nowMs += 10_000;
    expect((await ensure()).image?.repoTags).toEqual([image]);
  });

  it('of a closed registry come with what a credential provider knows', async () => {
    registry.requireCredentials(credentials);
    const configured = 'registry.test/library/configured:local';
    expect((await ensure(configured)).image?.repoTags).toEqual([configured]);
  });

  it('of a registry that fails in the middle come with the next try', async () => {
    registry.disturb('unavailable');
    expect((await failure(ensure())).reason).toBe('ErrImagePull');
    registry.disturb('none');
    nowMs += 10_000;
    await ensure();
  });

  it('are not waited for by a pod that is gone', async () => {
    registry.disturb('stall');
    const controller = new AbortController();
    const gone = ensure(image, 'Always', 'gone', controller.signal);
    await expect.poll(() => pulls()).toBeGreaterThan(0);
    controller.abort(new Error('the pod is gone'));
    await expect(gone).rejects.toThrow('the pod is gone');
    registry.disturb('none');
    await ensure(image, 'Always', 'next');
  });

  it('are collected when nobody uses them, but never the one of the sandboxes', async () => {
    await ensure();
    const collector = createImageCollector({
      policy: {
        highThresholdPercent: 85,
        lowThresholdPercent: 80,
        minAgeMs: 0,
        maxAgeMs: 0,
        offlineProtection: false,
      },
      periodMs: 1000,
      metrics: createMetrics(),
      images,
      disk: async () => ({ capacityBytes: 100, availableBytes: 100 }),
      imagesInUse: async () => [],
      node,
      events: { event: () => undefined },
      log: silentLogger(),
      now: () => nowMs,
    });
    await collector.collect(closing.signal);
    expect(await images.imageStatus(image)).toBeDefined();
    await collector.removeUnused(closing.signal);
    expect((await images.listImages()).flatMap(({ repoTags }) => repoTags)).toEqual([pauseImage]);
  });
});
