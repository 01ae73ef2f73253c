/**
 * Finds rclnodejs, and whether it can be used here. It is tried in another process first: where its addon does not fit, the
 * package would begin to compile itself, for minutes, in ours; and whatever it brings down is not the agent.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { DiagnosticArray } from '../messages/gen/diagnostic_msgs.ts';
import { TransitionEvent } from '../messages/gen/lifecycle_msgs.ts';
import { Log } from '../messages/gen/rcl_interfaces.ts';
import { Event, NodeStatus, PodStatusArray } from '../messages/gen/roslet_msgs.ts';
import { TransportError } from '../transport.ts';
import type { Rclnodejs } from './api.ts';

export interface LoadOptions {
  /** The directory in whose node_modules it is; undefined: that of the agent, those above it, and NODE_PATH. */
  path?: string;
  env: Readonly<Record<string, string | undefined>>;
}

export interface LoadedRclnodejs {
  rclnodejs: Rclnodejs;
  version: string;
}

/** What the bridge sends. Each has to be the same there as here. */
const needed = [PodStatusArray, NodeStatus, Event, DiagnosticArray, TransitionEvent, Log];

/** Loading takes half a second; a machine may be busy. */
const trialLimitMs = 30_000;

/** Before what the trial has to say. */
const mark = 'roslet: ';

/**
 * Once it is loaded it stays.
 *
 * @throws TransportError which says what is missing, and never is transient
 */
export async function loadRclnodejs({ env, path }: LoadOptions): Promise<LoadedRclnodejs> {
  if (!env.AMENT_PREFIX_PATH) {
    throw new TransportError('no ROS 2 is sourced: AMENT_PREFIX_PATH is not set where the agent runs', false);
  }
  const { entry, version } = await findPackage(path);
  await checkTypes(env.AMENT_PREFIX_PATH.split(':').filter(Boolean));
  await tryOut(entry, env);
  const { default: rclnodejs } = (await import(pathToFileURL(entry).href)) as { default: Rclnodejs };
  return { rclnodejs, version };
}

async function findPackage(path: string | undefined): Promise<{ entry: string; version: string }> {
  const require = createRequire(path === undefined ? import.meta.url : join(path, 'any.js'));
  try {
    const entry = require.resolve('rclnodejs');
    const manifest = require.resolve('rclnodejs/package.json');
    const { version, exports } = JSON.parse(await readFile(manifest, 'utf8')) as {
      version: string;
      exports?: { '.'?: { import?: string } };
    };
    // The one that is imported, where there are two: each has a state of its own.
    const imported = exports?.['.']?.import;
    return { version, entry: imported === undefined ? entry : join(dirname(manifest), imported) };
  } catch (cause) {
    const where =
      path === undefined ? 'beside the agent or on NODE_PATH' : `in ${join(path, 'node_modules')}`;
    throw new TransportError(
      `the package rclnodejs is not ${where}: install it where ROS 2 is sourced (npm install rclnodejs) and name the directory by ros.rclnodejsPath`,
      false,
      { cause },
    );
  }
}

/** ROS 2 packages of another version than ours would have to be read as something that they are not. */
async function checkTypes(prefixes: readonly string[]): Promise<void> {
  for (const { name, typeHash } of needed) {
    const [pkg = '', kind = '', type = ''] = name.split('/');
    const hash = await installedHash(prefixes.map((prefix) => join(prefix, 'share', pkg, kind, type)));
    if (hash === typeHash || hash === unknownHash) continue;
    throw new TransportError(
      hash === undefined
        ? `${name} is not installed where ROS 2 is sourced: build the package ${pkg} in a workspace and source that too`
        : `${name} is another version where ROS 2 is sourced (${hash}, here ${typeHash}): build the ${pkg} of this roslet`,
      false,
    );
  }
}

/** Before Iron there are none. */
const unknownHash = '';

async function installedHash(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const described = await readFile(`${path}.json`, 'utf8').catch(() => undefined);
    if (described !== undefined) {
      const { type_hashes: hashes } = JSON.parse(described) as {
        type_hashes: { hash_string: string }[];
      };
      return hashes[0]?.hash_string ?? unknownHash;
    }
    const defined = await readFile(`${path}.msg`, 'utf8').catch(() => undefined);
    if (defined !== undefined) return unknownHash;
  }
  return undefined;
}

async function tryOut(entry: string, env: LoadOptions['env']): Promise<void> {
  const root = dirname(dirname(entry));
  const addon = join(root, 'build', 'Release', 'rclnodejs.node');
  const script = `
    import { existsSync } from 'node:fs';
    import { createRequire } from 'node:module';
    try {
      // By itself, it says what it misses.
      if (existsSync(${JSON.stringify(addon)})) createRequire(${JSON.stringify(entry)})(${JSON.stringify(addon)});
      const { default: rclnodejs } = await import(${JSON.stringify(pathToFileURL(entry).href)});
      for (const type of ${JSON.stringify(needed.map(({ name }) => name))}) rclnodejs.require(type);
      const context = new rclnodejs.Context();
      await rclnodejs.init(context, []);
      context.shutdown();
    } catch (err) {
      console.error(${JSON.stringify(mark)} + String(err.message).split('\\n')[0]);
      process.exit(1);
    }
    process.exit();`;
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      // Without a PATH it finds nothing to compile with.
      env: { ...env, PATH: '' },
      timeout: trialLimitMs,
      killSignal: 'SIGKILL',
    });
  } catch (cause) {
    const { message, stderr = '' } = cause as Error & { stderr?: string };
    const said = stderr.split('\n').find((line) => line.startsWith(mark)) ?? message.split('\n')[0] ?? '';
    throw new TransportError(`rclnodejs in ${root} cannot be loaded: ${said.replace(mark, '')}`, false, {
      cause,
    });
  }
}
