/** `roslet doctor`: looks at the machine and says what to do about it. It needs no agent. */
import { readFacts } from '../doctor/facts.ts';
import { type Finding, findings, type RosFacts } from '../doctor/findings.ts';
import { paint, print, type Style } from './output.ts';
import { visibleLine } from './visible.ts';

/** Given by whoever knows configuration and transports. */
export interface DoctorAccess {
  /** @throws CliError where the configuration is wrong */
  look(configPath: string | undefined): Promise<{ criSocket: string; ros: RosFacts }>;
}

/** Returns 1 when something fails: what is only warned of works. */
export async function doctor(
  access: DoctorAccess,
  { config, output }: { config?: string; output: 'text' | 'json' },
): Promise<number> {
  const { criSocket, ros } = await access.look(config);
  const found = findings(await readFacts(criSocket, ros));
  if (output === 'json') print(JSON.stringify(found, undefined, 2));
  else for (const finding of found) printFinding(finding);
  return found.some(({ level }) => level === 'fail') ? 1 : 0;
}

const styles: Readonly<Record<Finding['level'], Style>> = { ok: 'green', warn: 'yellow', fail: 'red' };

function printFinding({ area, fix, level, message }: Finding): void {
  const label = level.toUpperCase().padEnd(levelWidth);
  print(`${paint(styles[level], label)} ${area.padEnd(areaWidth)} ${visibleLine(message)}`);
  if (fix !== undefined)
    print(`${' '.repeat(levelWidth + areaWidth + 2)}${paint('dim', `fix: ${visibleLine(fix)}`)}`);
}

const levelWidth = 4;
const areaWidth = 13;
