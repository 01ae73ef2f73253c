import { describe, expect, it } from 'vitest';
import { type Image, type ImageAuth, type ImageService, RuntimeError } from '../../runtime/runtime.ts';
import type { Pod } from '../api/core.gen.ts';
import { silentLogger } from '../log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { ImageError } from './error.ts';
import { createImageManager, formatDuration } from './manager.ts';

const never = new AbortController().signal;
const pod = (uid: string): Pod => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: { containers: [] },
});

/** An image service in memory: which images a registry has, and what was asked of it. */
function setUp(
  options: { present?: string[]; registry?: Record<string, (auth?: ImageAuth) => string> } = {},
) {
  const present = new Set(options.present);
  const asked: string[] = [];
  const events: string[] = [];
  let nowMs = 1_000_000;
  let auths: ImageAuth[] = [];
  let problems: string[] = [];
  const imageOf = (name: string): Image => ({
    id: `id-of-${name}`,
    repoTags: [name],
    repoDigests: [],
    sizeBytes: 42,
    pinned: false,
  });
  const images: ImageService = {
    listImages: async () => [...present].map(imageOf),
    imageStatus: async (name) => {
      if (name === 'broken:1') throw new RuntimeError('Unknown', 'database is corrupt');
      const found = [...present].find((candidate) => [candidate, `id-of-${candidate}`].includes(name));
      return found === undefined ? undefined : imageOf(found);
    },
    pullImage: async (name, auth) => {
      asked.push(auth?.username === undefined ? name : `${name} as ${auth.username}`);
      const answer = options.registry?.[name];
      if (answer === undefined) throw new RuntimeError('NotFound', `${name}: not found`);
      const id = answer(auth);
      present.add(name);
      return id;
    },
    removeImage: async (name) => {
      present.delete(name);
    },
    imageFsInfo: async () => [],
  };
  const manager = createImageManager({
    log: silentLogger(),
    events: {
      event: (about, type, reason, message) =>
        void events.push(`${type} ${reason} ${about.fieldPath}: ${message}`),
    },
    credentials: { credentialsFor: async () => ({ auths, problems }) },
    metrics: createMetrics(),
    serializeImagePulls: false,
    maxParallelImagePulls: undefined,
    registryPullQps: 0,
    registryBurst: 0,
    backoff: { initialMs: 10_000, maxMs: 300_000 },
    now: () => nowMs,
  });
  const ensure = (image: string, imagePullPolicy?: string, uid = 'u') =>
    manager.ensureImage(
      {
        pod: pod(uid),
        container: { name: 'main', image, imagePullPolicy },
        images,
        sandboxConfig: undefined,
      },
      never,
    );
  const refusal = async (image: string, policy?: string, uid?: string): Promise<ImageError> => {
    const error = await ensure(image, policy, uid).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof ImageError) return error;
    throw new Error(`it did not fail as an image error: ${error}`);
  };
  return {
    ensure,
    refusal,
    asked,
    events,
    present,
    manager,
    pass: (ms: number) => {
      nowMs += ms;
    },
    give: (more: ImageAuth[], bad: string[] = []) => {
      auths = more;
      problems = bad;
    },
  };
}

const has = (name: string) => ({ [name]: () => `id-of-${name}` });

describe('ensureImage', () => {
  it('takes what is there with IfNotPresent and Never', async () => {
    const { ensure, asked, events } = setUp({ present: ['app:1'] });
    expect(await ensure('app:1', 'IfNotPresent')).toMatchObject({
      imageRef: 'id-of-app:1',
      image: { sizeBytes: 42 },
    });
    await ensure('app:1', 'Never');
    expect(asked).toEqual([]);
    expect(events[0]).toBe(
      'Normal Pulled spec.containers{main}: Container image "app:1" already present on machine',
    );
  });
  it('pulls what is not there, and tells', async () => {
    const { ensure, events } = setUp({ registry: has('app:1') });
    expect(await ensure('app:1', 'IfNotPresent')).toMatchObject({
      imageRef: 'id-of-app:1',
      image: { id: 'id-of-app:1' },
    });
    expect(events[0]).toBe('Normal Pulling spec.containers{main}: Pulling image "app:1"');
    expect(events[1]).toMatch(
      /^Normal Pulled spec\.containers\{main\}: Successfully pulled image "app:1" in \S+ \(\S+ including waiting\)\. Image size: 42 bytes\.$/,
    );
  });
  it('pulls with Always even what is there', async () => {
    const { ensure, asked } = setUp({ present: ['app:1'], registry: has('app:1') });
    await ensure('app:1', 'Always');
    expect(asked).toEqual(['app:1']);
  });
  it('never pulls with Never', async () => {
    const { refusal, asked, events } = setUp({ registry: has('app:1') });
    expect(await refusal('app:1', 'Never')).toMatchObject({
      reason: 'ErrImageNeverPull',
      message: 'Container image "app:1" is not present with pull policy of Never',
    });
    expect(asked).toEqual([]);
    expect(events).toEqual([
      'Warning ErrImageNeverPull spec.containers{main}: Container image "app:1" is not present with pull policy of Never',
      'Warning Failed spec.containers{main}: Error: ErrImageNeverPull',
    ]);
  });
  it('always pulls the latest where no policy is set, and only then', async () => {
    const registry = { ...has('app:latest'), ...has('app:1') };
    const { ensure, asked } = setUp({ present: ['app:latest', 'app:1'], registry });
    await ensure('app');
    await ensure('app:1');
    expect(asked).toEqual(['app:latest']);
  });
  it('refuses what is no image name', async () => {
    const { refusal, asked } = setUp();
    expect(await refusal('not an image')).toMatchObject({
      reason: 'InvalidImageName',
      message:
        'Failed to apply default image tag "not an image": couldn\'t parse image name "not an image": invalid reference format',
    });
    expect((await refusal('localhost:5000/App:v1')).message).toMatch(
      /: invalid reference format: repository name \(App\) must be lowercase$/,
    );
    expect(asked).toEqual([]);
  });
  it('tells when the runtime cannot say whether the image is there', async () => {
    const { refusal } = setUp();
    expect(await refusal('broken:1', 'IfNotPresent')).toMatchObject({
      reason: 'ImageInspectError',
      message: 'Failed to inspect image "broken:1": database is corrupt',
    });
  });
  it('backs off after a failure, twice as long after each, and tells why', async () => {
    const { refusal, asked, events, pass } = setUp();
    for (const delayMs of [10_000, 20_000, 40_000]) {
      const before = asked.length;
      expect(await refusal('gone:1', 'IfNotPresent')).toMatchObject({
        reason: 'ErrImagePull',
        message: 'gone:1: not found',
      });
      pass(delayMs - 1);
      const waiting = await refusal('gone:1', 'IfNotPresent');
      expect(waiting.reason).toBe('ImagePullBackOff');
      expect(waiting.message).toBe('Back-off pulling image "gone:1": ErrImagePull: gone:1: not found');
      expect(asked.length).toBe(before + 1);
      pass(1);
    }
    expect(events).toContain(
      'Warning Failed spec.containers{main}: Failed to pull image "gone:1": gone:1: not found',
    );
    expect(events).toContain('Warning Failed spec.containers{main}: Error: ErrImagePull');
    expect(events).toContain('Normal BackOff spec.containers{main}: Back-off pulling image "gone:1"');
    expect(events).toContain('Warning Failed spec.containers{main}: Error: ImagePullBackOff');
  });
  it('never backs off longer than the maximum, and starts over after a long quiet', async () => {
    const { refusal, asked, pass } = setUp();
    for (let failures = 0; failures < 8; failures += 1) {
      await refusal('gone:1', 'Always');
      pass(300_000);
    }
    expect(asked).toHaveLength(8);
    pass(601_000);
    await refusal('gone:1', 'Always');
    pass(10_000);
    expect((await refusal('gone:1', 'Always')).reason).toBe('ErrImagePull');
  });
  it('says when another try can help', async () => {
    const { refusal } = setUp();
    expect((await refusal('gone:1', 'Always')).retryAtMs).toBe(1_001_000);
    expect((await refusal('gone:1', 'Always')).retryAtMs).toBe(1_010_000);
  });
  it('does not wait for ever when the clock is set back', async () => {
    const { refusal, pass } = setUp();
    await refusal('gone:1', 'Always');
    pass(-3_600_000);
    expect((await refusal('gone:1', 'Always')).reason).toBe('ErrImagePull');
  });
  it('backs off for each pod and image by itself, and forgets a pod that is gone', async () => {
    const { refusal, manager } = setUp();
    await refusal('gone:1', 'Always', 'one');
    expect((await refusal('gone:2', 'Always', 'one')).reason).toBe('ErrImagePull');
    expect((await refusal('gone:1', 'Always', 'two')).reason).toBe('ErrImagePull');
    manager.forgetPod('one');
    expect((await refusal('gone:1', 'Always', 'one')).reason).toBe('ErrImagePull');
    expect((await refusal('gone:1', 'Always', 'two')).reason).toBe('ImagePullBackOff');
  });
  it('tries each of the credentials until one works', async () => {
    const registry = {
      'app:1': (auth?: ImageAuth) => {
        if (auth?.username !== 'second') throw new RuntimeError('Unknown', `no access for ${auth?.username}`);
        return 'id';
      },
    };
    const { ensure, refusal, asked, give } = setUp({ registry });
    give([{ username: 'first' }, { username: 'second' }, { username: 'third' }]);
    expect((await ensure('app:1', 'Always')).imageRef).toBe('id');
    expect(asked).toEqual(['app:1 as first', 'app:1 as second']);
    give([{ username: 'first' }, { username: 'third' }]);
    expect((await refusal('app:1', 'Always')).message).toBe('[no access for first, no access for third]');
  });
  it('tells of credentials that could not be used, and pulls all the same', async () => {
    const { ensure, events, give } = setUp({ registry: has('app:1') });
    give([], ['secret default/s: it does not exist']);
    await ensure('app:1', 'Always');
    expect(events).toContain(
      'Warning FailedToRetrieveImagePullSecret spec.containers{main}: Unable to retrieve some image pull secrets (secret default/s: it does not exist); attempting to pull the image may not succeed.',
    );
  });
  it('knows the two kinds of failure that runtimes mark', async () => {
    const failing = (message: string) => ({
      'app:1': () => {
        throw new RuntimeError('Unknown', message);
      },
    });
    const away = setUp({ registry: failing('RegistryUnavailable: dial tcp: timeout') });
    expect(await away.refusal('app:1', 'Always')).toMatchObject({
      reason: 'RegistryUnavailable',
      message: 'image pull failed for app:1 because the registry is unavailable: dial tcp: timeout',
    });
    const forged = setUp({ registry: failing('SignatureValidationFailed: no key') });
    expect((await forged.refusal('app:1', 'Always')).reason).toBe('SignatureValidationFailed');
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [857.9, '857ms'],
    [1200, '1.2s'],
    [61_005, '1m1.005s'],
    [60_000, '1m0s'],
    [3_600_000, '1h0m0s'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});
