import { expect, test } from 'vitest';
import type { Mount } from '../runtime.ts';
import { mountEntries, orderedMounts } from './mounts.ts';

const mount = (containerPath: string, change: Partial<Mount> = {}): Mount => ({
  containerPath,
  hostPath: `/host${containerPath}`,
  readonly: false,
  recursiveReadOnly: false,
  selinuxRelabel: false,
  propagation: 'PRIVATE',
  ...change,
});

test('a mount comes after those that hold its mount point, else in the order given', () => {
  const mounts = ['/a/b/c', '/z', '/a/b', '/a//', '/b/'].map((path) => mount(path));
  expect(orderedMounts(mounts).map(({ containerPath }) => containerPath)).toEqual([
    '/z',
    '/a//',
    '/b/',
    '/a/b',
    '/a/b/c',
  ]);
});

test('options say propagation and what is read-only', () => {
  const mounts = [
    mount('/a', { readonly: true, propagation: 'HOST_TO_CONTAINER' }),
    mount('/b', { readonly: true, recursiveReadOnly: true }),
    mount('/c', { propagation: 'BIDIRECTIONAL' }),
  ];
  const options = mountEntries(mounts, {}).filter(([key]) => key === 'mount.options');
  expect(options.map(([, value]) => value)).toEqual(['slave,ro', 'private,ro,rro', 'shared']);
});

test("the sandbox's files stand in for the host's, unless the caller mounts its own", () => {
  const files = { resolvConf: '/sandbox/resolv.conf' };
  const sources = (mounts: Mount[]) =>
    mountEntries(mounts, files)
      .filter(([key]) => key === 'mount.source')
      .map(([, value]) => value);
  expect(sources([])).toEqual(['/sandbox/resolv.conf']);
  expect(sources([mount('/etc//resolv.conf')])).toEqual(['/host/etc//resolv.conf']);
});
