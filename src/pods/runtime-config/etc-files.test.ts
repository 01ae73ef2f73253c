import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod, PodSpec } from '../../api/core.gen.ts';
import { kernelHostname, managedHosts, podHostname, writePodHosts } from './etc-files.ts';

const podWith = (spec: Partial<PodSpec>, name = 'camera'): Pod => ({
  metadata: { name, namespace: 'ns' },
  spec: { containers: [], ...spec },
});

describe('a pod is known as', () => {
  test.each<[Partial<PodSpec>, string, string, string]>([
    [{}, 'camera', '', 'camera'],
    [{ hostname: 'eye' }, 'eye', '', 'eye'],
    [{ hostname: 'eye', subdomain: 'head' }, 'eye', 'head.ns.svc.example.org', 'eye'],
    [
      { subdomain: 'head', setHostnameAsFQDN: true },
      'camera',
      'head.ns.svc.example.org',
      'camera.head.ns.svc.example.org',
    ],
    [{ setHostnameAsFQDN: true }, 'camera', '', 'camera'],
    [{ hostnameOverride: 'a.b.c', subdomain: 'head' }, 'a.b.c', '', 'a.b.c'],
  ])('for %j: %s', (spec, hostname, domain, kernel) => {
    expect(podHostname(podWith(spec), 'example.org')).toEqual({ hostname, domain });
    expect(kernelHostname(podWith(spec), 'example.org')).toBe(kernel);
  });

  test('a name that fits, without a separator at its end', () => {
    expect(podHostname(podWith({}, `${'a'.repeat(62)}-.b`), '').hostname).toBe('a'.repeat(62));
  });

  test('nothing when the full name does not fit the kernel', () => {
    const pod = podWith({ subdomain: 's'.repeat(50), setHostnameAsFQDN: true });
    expect(() => kernelHostname(pod, 'example.org')).toThrow(
      /too long \(64 characters is the max, 76 characters/,
    );
  });
});

test('the managed file names the pod at each of its addresses, then the aliases', () => {
  expect(
    managedHosts(['10.1.0.2', 'fd00::2'], { hostname: 'eye', domain: 'head.ns' }, [
      { ip: '1.2.3.4', hostnames: ['foo.local', 'bar'] },
      { ip: '5.6.7.8', hostnames: ['baz'] },
    ]),
  ).toBe(
    '# Kubernetes-managed hosts file.\n' +
      '127.0.0.1\tlocalhost\n' +
      '::1\tlocalhost ip6-localhost ip6-loopback\n' +
      'fe00::0\tip6-localnet\n' +
      'fe00::0\tip6-mcastprefix\n' +
      'fe00::1\tip6-allnodes\n' +
      'fe00::2\tip6-allrouters\n' +
      '10.1.0.2\teye.head.ns\teye\n' +
      'fd00::2\teye.head.ns\teye\n' +
      '\n# Entries added by HostAliases.\n' +
      '1.2.3.4\tfoo.local\tbar\n' +
      '5.6.7.8\tbaz\n',
  );
});

describe('the file on disk', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roslet-etc-files-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('stays the same file when it is written anew, since containers have it mounted', async () => {
    const pod = podWith({});
    const path = await writePodHosts(dir, pod, ['10.1.0.2', '10.1.0.3'], '');
    const before = await stat(path);
    expect(before.mode & 0o777).toBe(0o644);
    await writePodHosts(dir, pod, ['10.1.0.4'], '');
    expect((await stat(path)).ino).toBe(before.ino);
    expect(await readFile(path, 'utf8')).toBe(
      managedHosts(['10.1.0.4'], { hostname: 'camera', domain: '' }, []),
    );
  });

  test("is a copy of the host's on its network, with the aliases", async () => {
    const hosts = join(dir, 'hosts');
    await writeFile(hosts, '127.0.0.1 localhost\n');
    const pod = podWith({ hostNetwork: true, hostAliases: [{ ip: '1.2.3.4', hostnames: ['foo'] }] });
    expect(await readFile(await writePodHosts(dir, pod, [], '', hosts), 'utf8')).toBe(
      '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n' +
        '\n# Entries added by HostAliases.\n1.2.3.4\tfoo\n',
    );
  });
});
