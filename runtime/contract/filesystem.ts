/** What a container sees of the file system: volumes, their mount points, read-only, propagation, nothing left behind. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Mount } from '../runtime.ts';
import { type Bench, eventually, sandboxSecurity } from './harness.ts';
import { mountOf } from './lifecycle.ts';

export function filesystemCases(bench: Bench): void {
  test('a directory is mounted, and what is written in it is on the host', async () => {
    const folder = await bench.directory();
    await writeFile(join(folder, 'in'), 'from the host\n');
    const script = 'cat /shared/in; echo from inside > /shared/out';
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', script, { mounts: [mountOf(folder)] });
    expect(stdout).toBe('from the host\n');
    expect(await readFile(join(folder, 'out'), 'utf8')).toBe('from inside\n');
  });

  test('a single file is mounted', async () => {
    const folder = await bench.directory();
    await writeFile(join(folder, 'file'), 'content\n');
    const mounts = [mountOf(join(folder, 'file'), '/contract-dir/file')];
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'cat /contract-dir/file', { mounts });
    expect(stdout).toBe('content\n');
  });

  test.each([
    '/contract-new',
    '/contract-new/deeper/still',
    '/etc/contract-new/dir',
    '/usr/lib/contract-new',
  ])('a mount point %s that does not exist is made, for the container alone', async (containerPath) => {
    const folder = await bench.directory();
    await writeFile(join(folder, 'mark'), 'here\n');
    const etc = readdirSync('/etc');
    const script = `cat ${containerPath}/mark; cat /etc/passwd | head -c 4; ls /usr/bin/env`;
    const mounts = [mountOf(folder, containerPath)];
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', script, { mounts });
    expect(stdout).toBe('here\nroot/usr/bin/env\n');
    expect(existsSync(containerPath)).toBe(false);
    expect(readdirSync('/etc')).toEqual(etc);
  });

  test('mounts within mounts work in any order of naming', async () => {
    const [outer, inner, file] = [await bench.directory(), await bench.directory(), await bench.directory()];
    await writeFile(join(outer, 'o'), 'outer\n');
    await writeFile(join(inner, 'i'), 'inner\n');
    await writeFile(join(file, 'f'), 'file\n');
    const mounts = [
      mountOf(join(file, 'f'), '/shared/sub/file'),
      mountOf(inner, '/shared/sub'),
      mountOf(outer, '/shared'),
    ];
    const { stdout } = await bench.runToEnd(
      await bench.pod(),
      'main',
      'cat /shared/o /shared/sub/i /shared/sub/file',
      { mounts },
    );
    expect(stdout).toBe('outer\ninner\nfile\n');
  });

  test('a mount point below a symbolic link is made where the link leads', async () => {
    const [outer, inner] = [await bench.directory(), await bench.directory()];
    await mkdir(join(outer, 'real'));
    await symlink('/shared/real', join(outer, 'link'));
    await symlink('../../../../../..', join(outer, 'up'));
    await writeFile(join(inner, 'i'), 'inner\n');
    const mounts = [
      mountOf(outer),
      mountOf(inner, '/shared/link/sub'),
      mountOf(inner, '/shared/up/contract-up'),
    ];
    const script = 'cat /shared/real/sub/i /contract-up/i';
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', script, { mounts });
    expect(stdout).toBe('inner\ninner\n');
    expect(existsSync('/contract-up')).toBe(false);
  });

  test('a read-only mount cannot be written', async () => {
    const folder = await bench.directory();
    const mounts = [{ ...mountOf(folder), readonly: true }];
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', 'echo x > /shared/x || echo refused', {
      mounts,
    });
    expect(stdout).toBe('refused\n');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a recursively read-only mount cannot be written below its own mounts either, or is refused', async () => {
    const { runtimeHandlers } = await bench.runtime.status();
    if (
      !runtimeHandlers.some(({ name, recursiveReadOnlyMounts }) => name === '' && recursiveReadOnlyMounts)
    ) {
      const mounts = [{ ...mountOf(await bench.directory()), readonly: true, recursiveReadOnly: true }];
      const pod = await bench.pod();
      const created = bench.runtime.createContainer(
        pod.id,
        bench.config('main', 'true', { mounts }),
        pod.config,
      );
      await expect(created).rejects.toMatchObject({ code: 'InvalidArgument' });
      return;
    }
    await withSubmount(async (folder) => {
      const script = 'echo x > /shared/x || echo refused; echo x > /shared/sub/x || echo refused';
      const plain = { ...mountOf(folder), readonly: true };
      const recursive = { ...plain, recursiveReadOnly: true };
      const pod = await bench.pod();
      expect((await bench.runToEnd(pod, 'recursive', script, { mounts: [recursive] })).stdout).toBe(
        'refused\nrefused\n',
      );
      expect((await bench.runToEnd(pod, 'plain', script, { mounts: [plain] })).stdout).toBe('refused\n');
    });
  });

  test('what is mounted on the host later shows up as the propagation says', async () => {
    await withSharedMount(async (folder) => {
      const pod = await bench.pod();
      const start = (name: string, propagation: Mount['propagation']): Promise<string> =>
        bench.start(pod, name, 'while :; do sleep 0.1; done', {
          mounts: [{ ...mountOf(folder), propagation }],
        });
      const [from, not] = [await start('from', 'HOST_TO_CONTAINER'), await start('not', 'PRIVATE')];
      await mkdir(join(folder, 'late'));
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(folder, 'late')]);
      await writeFile(join(folder, 'late', 'mark'), 'seen');
      const sees = async (id: string): Promise<number> =>
        (await bench.runtime.execSync(id, ['cat', '/shared/late/mark'], 10_000)).exitCode;
      expect(await sees(from)).toBe(0);
      expect(await sees(not)).not.toBe(0);
      execFileSync('umount', [join(folder, 'late')]);
      expect(await sees(from)).not.toBe(0);
    });
  });

  test('what is mounted inside reaches the host with bidirectional propagation only', async () => {
    await withSharedMount(async (folder) => {
      await mkdir(join(folder, 'point'));
      const pod = await bench.pod({ securityContext: sandboxSecurity({ privileged: true }) });
      const mountInside = async (name: string, propagation: Mount['propagation']): Promise<void> => {
        const script =
          'mount -t tmpfs tmpfs /shared/point && echo mark > /shared/point/mark && echo done; sleep 100';
        const id = await bench.start(pod, name, script, {
          mounts: [{ ...mountOf(folder), propagation }],
          securityContext: { privileged: true },
        });
        await bench.logged(id, /done/);
      };
      await mountInside('private', 'PRIVATE');
      expect(existsSync(join(folder, 'point', 'mark'))).toBe(false);
      await mountInside('shared', 'BIDIRECTIONAL');
      await eventually(async () => expect(existsSync(join(folder, 'point', 'mark'))).toBe(true));
      execFileSync('umount', [join(folder, 'point')]);
    });
  });

  test('with a read-only root only volumes can be written', async () => {
    const folder = await bench.directory();
    const script = `for d in / /etc /usr /tmp /var/tmp /shared /dev/shm; do
      (echo x > $d/contract-probe) 2>/dev/null && echo $d; done; rm -f /dev/shm/contract-probe`;
    const { stdout } = await bench.runToEnd(await bench.pod(), 'main', script, {
      mounts: [mountOf(folder)],
      securityContext: { readonlyRootfs: true },
    });
    expect(stdout).toBe('/shared\n/dev/shm\n');
  });

  test('masked paths are empty and read-only paths cannot be written', async () => {
    const { stdout } = await bench.runToEnd(
      await bench.pod(),
      'main',
      'wc -c < /proc/kallsyms; ls /proc/acpi /sys/firmware 2>/dev/null | wc -l; (echo 1 > /proc/sys/kernel/domainname) 2>/dev/null || echo refused',
      {
        securityContext: {
          maskedPaths: ['/proc/kallsyms', '/proc/acpi', '/sys/firmware', '/proc/not-there'],
          readonlyPaths: ['/proc/sys', '/proc/not-there'],
        },
      },
    );
    const [size, ...rest] = stdout.trim().split('\n');
    expect(size).toBe('0');
    expect(rest.at(-1)).toBe('refused');
  });

  if (!bench.traits.makesMountSources)
    test('a source that is not there fails the start or the creation, and says which', async () => {
      const pod = await bench.pod();
      const missing = join(await bench.directory(), 'missing');
      const config = bench.config('main', 'true', { mounts: [mountOf(missing)] });
      const started = bench.runtime
        .createContainer(pod.id, config, pod.config)
        .then((id) => bench.runtime.startContainer(id));
      await expect(started).rejects.toThrow(missing);
    });

  async function withSubmount(use: (folder: string) => Promise<void>): Promise<void> {
    const folder = await bench.directory();
    await mkdir(join(folder, 'sub'));
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(folder, 'sub')]);
    try {
      await use(folder);
    } finally {
      execFileSync('umount', [join(folder, 'sub')]);
    }
  }

  async function withSharedMount(use: (folder: string) => Promise<void>): Promise<void> {
    const folder = await bench.directory();
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]);
    execFileSync('mount', ['--make-shared', folder]);
    try {
      await use(folder);
    } finally {
      execFileSync('umount', ['--recursive', '--lazy', folder]);
    }
  }
}
