/**
 * The images that the end-to-end tests of Kubernetes name, made like our own: agnhost and nonewprivs are built from the
 * module of Kubernetes, the tools beside them are this machine's.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxFiles, compiled, image, path, pauseFiles, type TestImage, text } from './images.ts';
import { kubernetesBinaries, kubernetesSources } from './kubernetes-binaries.ts';
import type { TarEntry } from './tar.ts';

export async function e2eImages(): Promise<TestImage[]> {
  const programs = await kubernetesBinaries('agnhost', 'nonewprivs');
  const porter = join(await kubernetesSources(), 'test', 'images', 'agnhost', 'porter');
  const e2e = (name: string) => `registry.k8s.io/e2e-test-images/${name}`;
  const Env = [path];
  return [
    image('registry.k8s.io/pause:3.10.1', pauseFiles, { Entrypoint: ['/pause'], User: '65535:65535' }),
    image(e2e('busybox:1.37.0-1'), e2eBusyboxFiles, { Env, Cmd: ['sh'] }),
    image(e2e('agnhost:2.56'), () => agnhostFiles(programs, porter), {
      Env,
      Entrypoint: ['/agnhost'],
      Cmd: ['pause'],
    }),
    image(e2e('nonewprivs:1.3'), () => nonewprivsFiles(programs), { Env, Cmd: ['nnp'] }),
    image(e2e('nonroot:1.4'), busyboxFiles, { Env, Cmd: ['sh'], User: '1234' }),
    ...['httpd:2.4.38-4', 'httpd:2.4.39-4', 'nginx:1.14-4', 'nginx:1.15-4'].map((name) =>
      image(e2e(name), webServerFiles, { Env, Cmd: ['sh', '-c', webServer] }),
    ),
  ];
}

/**
 * A spec compares the error texts of busybox's own shell, which on Debian drops variables with names like `data-1`,
 * of which another spec has some: those go to bash.
 */
const shellSource = `
#include <ctype.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
  (void)argc;
  const char *shell = "/bin/busybox";
  for (char **entry = environ; *entry; entry++)
    for (char *c = *entry; *c && *c != '='; c++)
      if (!isalnum((unsigned char)*c) && *c != '_') shell = "/bin/bash";
  execv(shell, argv);
  return 127;
}
`;

function e2eBusyboxFiles(): TarEntry[] {
  return [
    ...without(['bin/sh'], busyboxFiles()),
    ...bash(),
    { path: 'bin/sh', mode: 0o755, content: compiled(shellSource) },
  ];
}

/** Where the specs take its page away and put it back. */
const documents = 'usr/local/apache2/htdocs';

/** Ends when it is told to, which the server alone, as the first process of a container, does not. */
const webServer = `trap 'exit 0' TERM; httpd -f -p 80 -h /${documents} & wait`;

const webServerFiles = (): TarEntry[] => [
  ...e2eBusyboxFiles(),
  { path: `${documents}/index.html`, content: text('<html><body><h1>It works!</h1></body></html>') },
];

function agnhostFiles(programs: string, porter: string): TarEntry[] {
  return [
    // Its nc knows no UDP; its shell would prefer that one.
    ...without(['bin/sh', 'bin/nc', 'etc/passwd', 'etc/group'], busyboxFiles()),
    ...bash(),
    { path: 'bin/sh', link: 'bash' },
    ...withLibraries('/usr/bin/curl'),
    ...withLibraries('/bin/nc.openbsd'),
    { path: 'bin/nc', link: 'nc.openbsd' },
    { path: 'agnhost', mode: 0o755, content: readFileSync(join(programs, 'agnhost')) },
    { path: 'agnhost-2', link: 'agnhost' },
    { path: 'uploads/', mode: 0o777 },
    { path: 'localhost.crt', content: readFileSync(join(porter, 'localhost.crt')) },
    { path: 'localhost.key', content: readFileSync(join(porter, 'localhost.key')) },
    {
      path: 'etc/passwd',
      content: text(
        'root:x:0:0:root:/root:/bin/sh',
        'user-defined-in-image:x:1000:1000::/home:/bin/sh',
        'nobody:x:65534:65534:nobody:/:/bin/false',
      ),
    },
    {
      path: 'etc/group',
      content: text(
        'root:x:0:',
        'user-defined-in-image:x:1000:',
        'group-defined-in-image:x:50000:user-defined-in-image',
        'nogroup:x:65534:',
      ),
    },
  ];
}

/** Set-user-ID, which is what it is there for. */
const nonewprivsFiles = (programs: string): TarEntry[] => [
  ...busyboxFiles(),
  { path: 'usr/bin/nnp', mode: 0o6755, content: readFileSync(join(programs, 'nonewprivs')) },
];

const without = (paths: string[], files: TarEntry[]) => files.filter(({ path }) => !paths.includes(path));

const bash = (): TarEntry[] => [
  { path: 'bin/bash', mode: 0o755, content: installed('/bin/bash-static', 'bash-static') },
];

/** A program of this machine and the libraries that it is linked to. */
function withLibraries(program: string): TarEntry[] {
  installed(program, program === '/usr/bin/curl' ? 'curl' : 'netcat-openbsd');
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' })
    .split(/\s+/)
    .filter((word) => word.startsWith('/'));
  return [program, ...libraries].map((file) => ({
    path: file.slice(1),
    mode: 0o755,
    content: readFileSync(file),
  }));
}

function installed(file: string, debianPackage: string): Buffer {
  if (!existsSync(file)) throw new Error(`${file} is missing: apt-get install ${debianPackage}`);
  return readFileSync(file);
}
