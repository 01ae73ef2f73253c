import { describe, expect, test } from 'vitest';
import type { Pod, PodSecurityContext, PodSpec, SecurityContext } from '../../api/core.gen.ts';
import { containerSecurityContext, namespaceOptions, sandboxSecurityContext } from './security.ts';

const defaults = { seccompRoot: '/root-dir/seccomp', seccompDefault: false };
type ImageUser = { uid?: number; username?: string } | null;

const podOf = (securityContext: PodSecurityContext, annotations?: Record<string, string>): Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u', annotations },
  spec: { containers: [], securityContext },
});

const contextOf = (
  own: SecurityContext,
  ofPod: PodSecurityContext = {},
  image: ImageUser = {},
  annotations?: Record<string, string>,
) =>
  containerSecurityContext(
    podOf(ofPod, annotations),
    { name: 'c', securityContext: own },
    image,
    undefined,
    defaults,
  );

describe('runAsNonRoot', () => {
  const asks: SecurityContext = { runAsNonRoot: true };
  test.each<[SecurityContext, PodSecurityContext, ImageUser]>([
    [asks, {}, { uid: 1000 }],
    [asks, { runAsUser: 1000 }, {}],
    [{ ...asks, runAsUser: 1000 }, { runAsUser: 0 }, { uid: 0 }],
    [{ runAsNonRoot: false }, { runAsNonRoot: true }, {}],
    [{}, {}, {}],
    [{ ...asks, runAsUser: 1000 }, {}, null],
  ])('lets %j over %j with image user %j run', (own, ofPod, image) => {
    expect(() => contextOf(own, ofPod, image)).not.toThrow();
  });

  test.each<[SecurityContext, PodSecurityContext, ImageUser, string]>([
    [asks, {}, {}, 'container has runAsNonRoot and image will run as root (pod: "p_ns(u)", container: c)'],
    [asks, {}, { uid: 0 }, 'image will run as root'],
    [{}, { runAsNonRoot: true }, {}, 'image will run as root'],
    [{ ...asks, runAsUser: 0 }, {}, { uid: 7 }, "container's runAsUser breaks non-root policy"],
    [asks, { runAsUser: 0 }, { uid: 7 }, "container's runAsUser breaks non-root policy"],
    [asks, {}, { username: 'ros' }, 'image has non-numeric user (ros), cannot verify user is non-root'],
    [asks, {}, null, 'a host process without one runs as root'],
  ])('refuses %j over %j with image user %j', (own, ofPod, image, message) => {
    expect(() => contextOf(own, ofPod, image)).toThrow(message);
  });
});

describe('the user', () => {
  test.each<[SecurityContext, PodSecurityContext, ImageUser, unknown]>([
    [{ runAsUser: 1 }, { runAsUser: 2 }, { uid: 3 }, { runAsUser: 1 }],
    [{}, { runAsUser: 2 }, { uid: 3 }, { runAsUser: 2 }],
    [{}, {}, { uid: 3 }, { runAsUser: 3 }],
    [{}, {}, { username: 'ros' }, { runAsUsername: 'ros' }],
    [{}, {}, {}, { runAsUser: 0 }],
    [{ runAsUser: 0 }, { runAsUser: 2 }, {}, { runAsUser: 0 }],
  ])('of %j over %j with image user %j is %j', (own, ofPod, image, expected) => {
    const { runAsUser, runAsUsername } = contextOf(own, ofPod, image);
    expect({ runAsUser, runAsUsername }).toEqual({
      runAsUser: undefined,
      runAsUsername: undefined,
      ...(expected as object),
    });
  });

  test('of a host process is left to the runtime', () => {
    expect(contextOf({}, {}, null).runAsUser).toBeUndefined();
  });

  test('has the groups of the pod, fsGroup among them', () => {
    const context = contextOf(
      { runAsGroup: 5 },
      { runAsGroup: 6, fsGroup: 7, supplementalGroups: [8, 9], supplementalGroupsPolicy: 'Strict' },
    );
    expect(context).toMatchObject({
      runAsGroup: 5,
      supplementalGroups: [7, 8, 9],
      supplementalGroupsPolicy: 'Strict',
    });
  });
});

describe('what a container may do', () => {
  test.each<[SecurityContext, object]>([
    [
      {},
      { privileged: false, noNewPrivs: false, readonlyRootfs: false, capabilities: { add: [], drop: [] } },
    ],
    [{ allowPrivilegeEscalation: false }, { noNewPrivs: true }],
    [{ allowPrivilegeEscalation: true }, { noNewPrivs: false }],
    [{ readOnlyRootFilesystem: true }, { readonlyRootfs: true }],
    [
      { capabilities: { add: ['SYS_NICE'], drop: ['ALL'] } },
      { capabilities: { add: ['SYS_NICE'], drop: ['ALL'] } },
    ],
    [
      {},
      {
        maskedPaths: expect.arrayContaining(['/proc/kcore']),
        readonlyPaths: expect.arrayContaining(['/proc/sys']),
      },
    ],
    [{ procMount: 'Default' }, { maskedPaths: expect.arrayContaining(['/proc/kcore']) }],
    [{ procMount: 'Unmasked' }, { maskedPaths: [], readonlyPaths: [] }],
    [{ privileged: true }, { privileged: true, maskedPaths: [], readonlyPaths: [] }],
    [{ seLinuxOptions: { level: 's0:c1' } }, { selinuxOptions: { level: 's0:c1' } }],
  ])('with %j', (own, expected) => {
    expect(contextOf(own)).toMatchObject(expected);
  });
});

describe('seccomp', () => {
  const localhost = { type: 'Localhost', localhostProfile: 'audit/x.json' };
  test.each<[SecurityContext, PodSecurityContext, object]>([
    [{}, {}, { type: 'Unconfined' }],
    [{ seccompProfile: { type: 'RuntimeDefault' } }, {}, { type: 'RuntimeDefault' }],
    [{}, { seccompProfile: { type: 'RuntimeDefault' } }, { type: 'RuntimeDefault' }],
    [{ seccompProfile: { type: 'Unconfined' } }, { seccompProfile: localhost }, { type: 'Unconfined' }],
    [
      { seccompProfile: localhost },
      {},
      { type: 'Localhost', localhostRef: '/root-dir/seccomp/audit/x.json' },
    ],
  ])('of %j over %j is %j', (own, ofPod, expected) => {
    expect(contextOf(own, ofPod).seccomp).toEqual(expected);
  });

  test('is the default of the runtime when the node says so', () => {
    const context = containerSecurityContext(podOf({}), { name: 'c' }, {}, undefined, {
      ...defaults,
      seccompDefault: true,
    });
    expect(context.seccomp).toEqual({ type: 'RuntimeDefault' });
  });

  test.each([[undefined], ['/etc/x.json'], ['../x.json'], ['a/../../x.json']])(
    'of a profile at %j is refused',
    (localhostProfile) => {
      expect(() => contextOf({ seccompProfile: { type: 'Localhost', localhostProfile } })).toThrow(
        /localhostProfile/,
      );
    },
  );
});

describe('AppArmor', () => {
  const annotation = (value: string) => ({ 'container.apparmor.security.beta.kubernetes.io/c': value });
  test.each<[SecurityContext, PodSecurityContext, Record<string, string>, unknown]>([
    [{}, {}, {}, undefined],
    [{ appArmorProfile: { type: 'Unconfined' } }, {}, annotation('runtime/default'), { type: 'Unconfined' }],
    [
      {},
      { appArmorProfile: { type: 'Unconfined' } },
      annotation('runtime/default'),
      { type: 'RuntimeDefault' },
    ],
    [{}, { appArmorProfile: { type: 'RuntimeDefault' } }, {}, { type: 'RuntimeDefault' }],
    [{}, {}, annotation('unconfined'), { type: 'Unconfined' }],
    [{}, {}, annotation('localhost/mine'), { type: 'Localhost', localhostRef: 'mine' }],
    [
      { appArmorProfile: { type: 'Localhost', localhostProfile: 'mine' } },
      {},
      {},
      { type: 'Localhost', localhostRef: 'mine' },
    ],
  ])('of %j over %j with %j is %j', (own, ofPod, annotations, expected) => {
    expect(contextOf(own, ofPod, {}, annotations).apparmor).toEqual(expected);
  });

  test('of an annotation that says nothing known is refused', () => {
    expect(() => contextOf({}, {}, {}, annotation('strict'))).toThrow(/AppArmor annotation 'strict'/);
  });
});

describe('namespaces', () => {
  test.each<[Partial<PodSpec>, string | undefined, object]>([
    [{}, undefined, { network: 'POD', ipc: 'POD', pid: 'CONTAINER' }],
    [{ hostNetwork: true }, undefined, { network: 'NODE', ipc: 'POD', pid: 'CONTAINER' }],
    [{ hostPID: true }, undefined, { network: 'POD', ipc: 'POD', pid: 'NODE' }],
    [{ hostIPC: true }, undefined, { network: 'POD', ipc: 'NODE', pid: 'CONTAINER' }],
    [{ shareProcessNamespace: true }, undefined, { network: 'POD', ipc: 'POD', pid: 'POD' }],
    [{}, 'id', { network: 'POD', ipc: 'POD', pid: 'TARGET', targetId: 'id' }],
  ])('of %j seeing %j are %j', (spec, target, expected) => {
    expect(namespaceOptions({ spec: { containers: [], ...spec } }, target)).toEqual(expected);
  });
});

test('a sandbox is privileged when any of its containers is', () => {
  const privileged = { name: 'x', securityContext: { privileged: true } };
  expect(sandboxSecurityContext({ spec: { containers: [{ name: 'c' }] } }).privileged).toBe(false);
  expect(sandboxSecurityContext({ spec: { containers: [{ name: 'c' }, privileged] } }).privileged).toBe(true);
  expect(sandboxSecurityContext({ spec: { containers: [], initContainers: [privileged] } }).privileged).toBe(
    true,
  );
});
