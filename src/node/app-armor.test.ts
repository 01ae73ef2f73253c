import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../log.ts';
import { hasAppArmor } from './app-armor.ts';

let sysDir: string;
beforeEach(async () => {
  sysDir = await mkdtemp(join(tmpdir(), 'roslet-sys-'));
});
afterEach(() => rm(sysDir, { recursive: true }));

const enabledFile = 'module/apparmor/parameters/enabled';
const parameters = async () => {
  await mkdir(join(sysDir, 'module/apparmor/parameters'), { recursive: true });
};

test.each([
  ['is enabled', 'Y\n', true],
  ['is switched off', 'N\n', false],
])('AppArmor %s', async (_, text, expected) => {
  await mkdir(join(sysDir, 'kernel/security/apparmor'), { recursive: true });
  await parameters();
  await writeFile(join(sysDir, enabledFile), text);
  expect(hasAppArmor(sysDir, silentLogger())).toBe(expected);
});

test('AppArmor is not to be had where no profile can be loaded', async () => {
  await parameters();
  await writeFile(join(sysDir, enabledFile), 'Y\n');
  expect(hasAppArmor(sysDir, silentLogger())).toBe(false);
});

test('AppArmor is taken for not enabled where that cannot be read', async () => {
  await mkdir(join(sysDir, 'kernel/security/apparmor'), { recursive: true });
  await mkdir(join(sysDir, enabledFile), { recursive: true });
  expect(hasAppArmor(sysDir, silentLogger())).toBe(false);
});
