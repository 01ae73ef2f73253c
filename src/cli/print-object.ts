/** Objects as JSON or YAML, as `kubectl get -o` prints them. */
import { print } from './output.ts';
import { visibleObject } from './visible.ts';

export async function printObject(object: object, format: 'json' | 'yaml'): Promise<void> {
  const complete = 'items' in object ? { apiVersion: 'v1', kind: 'List', ...object } : object;
  if (format === 'json') {
    print(visibleObject(JSON.stringify(complete, undefined, 2)));
    return;
  }
  const { stringify } = await import('yaml');
  const text = stringify(complete, { aliasDuplicateObjects: false, lineWidth: 0 });
  process.stdout.write(`---\n${visibleObject(text)}`);
}
