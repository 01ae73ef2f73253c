/** Objects as JSON or YAML, as `kubectl get -o` prints them. */
import { print } from './output.ts';

export async function printObject(object: object, format: 'json' | 'yaml'): Promise<void> {
  const complete = 'items' in object ? { apiVersion: 'v1', kind: 'List', ...object } : object;
  if (format === 'json') {
    print(JSON.stringify(complete, undefined, 2));
    return;
  }
  const { stringify } = await import('yaml');
  process.stdout.write(`---\n${stringify(complete, { aliasDuplicateObjects: false, lineWidth: 0 })}`);
}
