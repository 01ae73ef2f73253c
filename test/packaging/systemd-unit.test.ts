/**
 * The installed product under a real systemd: `make install` into an overlay of this machine, systemd booted on it in
 * namespaces of its own, and what a person would do with `systemctl`.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const here = import.meta.dirname;
const repository = join(here, '..', '..');

/** What the story saw, by the names that it gave. */
let seen: Map<string, string>;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'roslet-boot-'));
  const upper = join(dir, 'upper');
  const install = ['install', '--no-print-directory', `DESTDIR=${upper}`, 'PREFIX=/usr'];
  await run('make', install, { cwd: repository });
  const units = join(upper, 'etc', 'systemd', 'system');
  mkdirSync(join(units, 'roslet-boot.target.wants'), { recursive: true });
  symlinkSync(
    '/usr/lib/systemd/system/roslet.service',
    join(units, 'roslet-boot.target.wants', 'roslet.service'),
  );
  writeFileSync(join(units, 'roslet-boot.target'), bootTarget);
  writeFileSync(join(units, 'story.service'), storyUnit);
  // The same watchdog, only less patient than on a robot.
  mkdirSync(join(units, 'roslet.service.d'));
  writeFileSync(join(units, 'roslet.service.d', 'test.conf'), '[Service]\nWatchdogSec=3\n');
  mkdirSync(join(upper, 'etc', 'roslet', 'manifests'), { recursive: true });
  const talker = readFileSync(join(repository, 'examples', 'talker.yaml'));
  writeFileSync(join(upper, 'etc', 'roslet', 'manifests', 'talker.yaml'), talker);
  writeFileSync(join(upper, 'story'), readFileSync(join(here, 'story')), { mode: 0o755 });

  // Powering off ends it with a signal; whether the machine came up is told by the report.
  const console = await run(join(here, 'boot'), [dir]).catch(
    (ended: { stdout: string; stderr: string }) => ended,
  );
  const report = join(upper, 'story.out');
  if (!existsSync(report))
    throw new Error(`the machine did not come up:\n${console.stdout}${console.stderr}`);
  seen = parse(readFileSync(report, 'utf8'));
}, 180_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the installed unit', () => {
  test('is active once the agent says that it is ready, and pods run', () => {
    expect(seen.get('installed.state')).toBe('active');
    expect(seen.get('installed.pod')).toMatch(/^\d+ "startedAt": *"/);
  });

  test('gives the socket to the group roslet', () => {
    expect(seen.get('socket')).toBe('660 root roslet');
  });

  test('keeps what was compiled for its next start, where nobody else may write', () => {
    expect(seen.get('cache')).toBe('700 root');
  });

  test("keeps pods out of the agent's own cgroup", () => {
    expect(seen.get('podCgroup')).toMatch(/^kubepods\/burstable\/pod/);
  });

  test('starts a killed agent again, which adopts the pod', () => {
    expect(seen.get('killed.state')).toBe('active');
    expect(seen.get('killed.restarts')).toBe('1');
    expect(seen.get('killed.pod')).toBe(seen.get('installed.pod'));
  });

  test('leaves pods alone when the agent is restarted by hand', () => {
    expect(seen.get('restarted.state')).toBe('active');
    expect(seen.get('restarted.pod')).toBe(seen.get('installed.pod'));
  });

  test('replaces an agent that makes no progress, by the watchdog', () => {
    expect(seen.get('stalled.state')).toBe('active');
    expect(Number(seen.get('stalled.restarts'))).toBeGreaterThan(0);
    expect(seen.get('stalled.pod')).toBe(seen.get('installed.pod'));
  });

  test('stops the agent alone', () => {
    expect(seen.get('stopped.state')).toBe('inactive');
    expect(seen.get('stopped.processes')).toBe('1');
  });
});

const bootTarget = `[Unit]
Requires=basic.target
Wants=roslet.service story.service
`;

const storyUnit = `[Unit]
After=roslet.service
[Service]
Type=oneshot
StandardOutput=append:/story.out
ExecStart=/story
ExecStopPost=/bin/systemctl poweroff --force
`;

function parse(report: string): Map<string, string> {
  const entries = report.split('\n').map((line): [string, string] => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1)];
  });
  return new Map(entries);
}
