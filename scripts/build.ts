/**
 * Builds what `make install` installs: dist/roslet-main.cjs (agent and CLI in one file, so that it starts fast and holds
 * only the code it uses), dist/roslet.cjs (what loads it), dist/roslet-oci (the program by which conmon starts host
 * processes), dist/roslet-cri-relay (by which starts in containers outlive the agent), dist/roslet-mount.node (mount(2),
 * which Node lacks), dist/roslet-dds.node (ROS 2, where it can be built) and the launcher bin/roslet.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { cycloneLibrary } from './cyclonedds.ts';
import { licencesOf } from './licences.ts';
import { placeProgram } from './place-program.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Runs before the rest: an old Node gets a sentence. */
const versionCheck = `
const [__major, __minor] = process.versions.node.split('.').map(Number);
if (__major < 24 && !(__major === 22 && __minor >= 16)) {
  console.error('roslet: Node ' + process.versions.node + ' will not do; it needs 24 or newer, or 22.16 at least');
  process.exit(1);
}`.trim();

/** As modules run. */
const strict = "'use strict';";

const bundled: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22',
  // A module would load whatever Node has that any part of it imports, needed or not, and Node's own loader of modules.
  format: 'cjs',
  legalComments: 'none',
  logLevel: 'silent',
};

const nodeHeaders = ['-isystem', join(root, 'node_modules', 'node-api-headers', 'include')];
const addonFlags = ['-fPIC', '-shared', '-fvisibility=hidden', '-DNAPI_VERSION=9', ...nodeHeaders];

await mkdir(dist, { recursive: true });
await mkdir(join(root, 'bin'), { recursive: true });
await Promise.all([
  bundle(),
  compile('runtime/process/native', 'roslet-oci'),
  compile('runtime/cri/native', 'roslet-cri-relay'),
  compile('src/volumes/native', 'roslet-mount.node', addonFlags),
  compileRosAddon(),
  placeLauncher(),
]).catch((error) => {
  console.error(`build: ${error.message}`);
  process.exit(1);
});

async function bundle(): Promise<void> {
  const main = 'roslet-main.cjs';
  const outfile = join(dist, main);
  const start = await build({
    ...bundled,
    entryPoints: [join(root, 'src', 'start.ts')],
    outfile: join(dist, 'roslet.cjs'),
    banner: { js: `${strict}\n${versionCheck}` },
    // By `require`.
    supported: { 'dynamic-import': false },
    plugins: [apartFromMain(`./${main}`)],
  });
  const { metafile, warnings } = await build({
    ...bundled,
    metafile: true,
    entryPoints: [join(root, 'src', 'main.ts')],
    outfile,
    // Names stay, for stack traces.
    minifySyntax: true,
    minifyWhitespace: true,
    // What Node prints of the source when something is not caught stays readable.
    lineLimit: 120,
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: `${strict}const __url = require('node:url').pathToFileURL(__filename).href;` },
    define: { 'import.meta.url': '__url' },
  });
  // Such as of what only a module has, which the program would find undefined.
  const [warning] = [...start.warnings, ...warnings];
  if (warning !== undefined)
    throw new Error(`${warning.location?.file}:${warning.location?.line}: ${warning.text}`);
  const [foreign] = /.{0,40}[^\0-\x7f]/.exec(await readFile(outfile, 'utf8')) ?? [];
  // V8 keeps the text: with one such character in two bytes for each, which is 2.5 MB of the agent's memory.
  if (foreign !== undefined) throw new Error(`not in ASCII, write it as \\u....: ${foreign}`);
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  await writeFile(join(dist, 'roslet.LEGAL.txt'), await licencesOf(used, root));
  console.log(`build: dist/${main}, ${kilobytes((await stat(outfile)).size)}`);
}

/** What start.ts loads stays a file of its own. */
function apartFromMain(path: string): Plugin {
  return {
    name: 'apart-from-main',
    setup(build) {
      build.onResolve({ filter: /^\.\/main\.ts$/ }, () => ({ path, external: true }));
    },
  };
}

/** @param kind statically linked a program also runs in a mount namespace that does not show the host's libraries */
async function compile(folder: string, name: string, kind: readonly string[] = ['-static']): Promise<void> {
  const sources = (await readdir(join(root, folder)))
    .filter((file) => file.endsWith('.c'))
    .map((file) => join(root, folder, file));
  const outfile = join(dist, name);
  // A running pod may have the old file open: replace it, never write into it.
  const fresh = `${outfile}.new`;
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-s', ...kind];
  await run(process.env.CC ?? 'gcc', [...flags, '-o', fresh, ...sources]).catch((cause) => {
    throw new Error(`the C compiler failed on ${folder}:\n${cause.stderr || cause.message}`);
  });
  await rename(fresh, outfile);
  console.log(`build: dist/${name}, ${kilobytes((await stat(outfile)).size)}`);
}

/** An agent without it runs all the same, without ROS 2. Compiled anew only when something of it has changed. */
async function compileRosAddon(): Promise<void> {
  const folder = join(root, 'ros', 'cyclone', 'native');
  const outfile = join(dist, 'roslet-dds.node');
  const keyFile = join(dist, '.roslet-dds.key');
  try {
    const library = await cycloneLibrary(join(folder, 'patches'));
    const files = (await readdir(folder)).filter((name) => /\.(cc|h)$/.test(name)).sort();
    const flags = [
      ...['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-fvisibility=hidden'],
      ...['-static-libstdc++', '-static-libgcc', '-Wl,--gc-sections', '-Wl,--exclude-libs,ALL', '-s'],
      '-DNAPI_VERSION=9',
      `-DROSLET_CYCLONEDDS_VERSION="${library.version}"`,
      ...(library.isPatched ? ['-DROSLET_RELATED_SAMPLE_IDENTITY'] : []),
      ...[...nodeHeaders, ...library.flags],
    ];
    const key = createHash('sha256').update([...flags, ...library.libraries].join('\n'));
    for (const name of files) key.update(await readFile(join(folder, name)));
    const digest = key.digest('hex');
    const built = await readFile(keyFile, 'utf8').catch(() => '');
    if (built !== digest || !existsSync(outfile)) {
      const fresh = `${outfile}.new`;
      const sources = files.filter((name) => name.endsWith('.cc')).map((name) => join(folder, name));
      await run(process.env.CXX ?? 'g++', [...flags, '-o', fresh, ...sources, ...library.libraries]);
      await rename(fresh, outfile);
      if (library.licence) await copyFile(library.licence, join(dist, 'roslet-dds.LEGAL.txt'));
      await writeFile(keyFile, digest);
    }
    console.log(`build: dist/roslet-dds.node, ${kilobytes((await stat(outfile)).size)}`);
  } catch (cause) {
    await rm(outfile, { force: true });
    const { code, path, stderr, message } = cause as Error & {
      code?: string;
      path?: string;
      stderr?: string;
    };
    // A compiler that complains is our error; one that is not there is how the machine is.
    if (stderr && path === undefined)
      throw new Error(`the C++ compiler failed on ros/cyclone/native:\n${stderr}`);
    const reason = code === 'ENOENT' && path ? `${path} is not installed` : message;
    console.log(`build: no dist/roslet-dds.node: ${reason}; the agent runs, but without ROS 2`);
  }
}

async function placeLauncher(): Promise<void> {
  await placeProgram(join(root, 'packaging', 'roslet.sh'), join(root, 'bin', 'roslet'));
  console.log('build: bin/roslet');
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}
