/** `roslet lint`: all that is wrong with manifests, found without an agent. */
import { lintFile } from '../api/lint.ts';
import { readPath } from './manifests.ts';
import { paint, print } from './output.ts';
import { visible } from './visible.ts';

/** Returns 1 when anything is wrong; what is merely told of can be had. */
export async function lint(paths: readonly string[], nodeName: string): Promise<number> {
  let errors = 0;
  for (const path of paths) {
    for (const { file, content } of await readPath(path)) {
      const report = lintFile(file, content, { nodeName });
      errors += report.errors.length;
      const text = visible(report.text);
      const isFine = report.errors.length === 0 && report.warnings.length === 0;
      print(isFine ? paint('green', text) : text);
    }
  }
  if (errors > 0) process.stderr.write(`${errors} ${errors === 1 ? 'error' : 'errors'}\n`);
  return errors > 0 ? 1 : 0;
}
